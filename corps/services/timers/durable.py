"""Timers that outlive their Corps, as those see them who set them: what is kept of one, and its Timer.

The worker that a durable timer calls is found again after a restart. So it is the Corps object, or a worker
that is registered in the Dir of the Corps.
"""

import json
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, Final, NamedTuple

from corps.addresses import BOOT_ENV, CORPS_MGR, CORPS_TIMERS, ConcAddr
from corps.errors import ConfigError, WorkerGone
from corps.messages.requests import CALL
from corps.packing.storage import stored_parts
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.services.dirs.dir_copy import DirCopy
from corps.services.dirs.entries import Query
from corps.services.timers.schedules import OnceAt, Recurring, Schedule
from corps.services.timers.wall_times import CronTimes, as_utc, wall_of, zone_of
from corps.workers.corps import Corps
from corps.workers.kept_names import as_name
from corps.workers.names import Method, Name
from corps.workers.timers import Timer

_OF_CORPS: Final = {"corps": True}  # the Corps object, as a target


class Kept(NamedTuple):
    """What is kept of a durable timer, but for its times. It travels."""

    times: str  # what it was set with, as JSON
    target: str  # how its worker is found, as JSON
    method: str
    takes_skipped: bool
    args: bytes  # positional ones and keywords, in the durable form


def kept_of(
    when: datetime | str,
    zone: str | tzinfo | None,
    method: Method,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Kept:
    """Make what is kept of a timer; raise ConfigError or PackError if that cannot be."""
    env, worker, name, kind, args = method.as_request(args)
    if kind is not CALL:
        raise ConfigError(
            "corps.at(durable=True): an incarnation ends with its Corps; use a Name without `pinned`"
        )
    form = b"".join(stored_parts((args, dict(kwargs)), "pickle"))
    target = json.dumps(_target_of(env, worker))
    return Kept(_times_of(when, zone), target, name, method.takes("skipped"), form)


def _times_of(when: object, zone: str | tzinfo | None) -> str:
    if isinstance(when, datetime):
        return json.dumps({"at": wall_of(when, zone)})
    if not isinstance(when, str):
        raise ConfigError(f"corps.at({when!r:.80}): wants a datetime, or a cron expression")
    name = "UTC" if zone is None else getattr(zone_of(zone), "key", None)
    if name is None:
        raise ConfigError(f"corps.at(zone={zone!r:.80}, durable=True): wants the name of a time zone")
    CronTimes(when, zone_of(name))  # raises if it is none
    return json.dumps({"cron": when, "zone": name})


def schedule_of(times: str) -> Schedule:
    """Undo what `kept_of` makes of the times."""
    facts = json.loads(times)
    if "at" in facts:
        return OnceAt(facts["at"])
    zone = None if facts["zone"] == "UTC" else facts["zone"]
    return Recurring(CronTimes(facts["cron"], zone_of(zone)).next_after)


def _target_of(env: Env, worker: ConcAddr) -> dict[str, Any]:
    if _is_corps_object(env, worker):
        return _OF_CORPS
    copy = env.parts.get(DirCopy)
    with copy.lock:
        entries = list(copy.corps.by_worker.get(worker, {}).values())
    entries = sorted((each for each in entries if each.owner is None), key=lambda each: not each.unique)
    if not entries:
        raise ConfigError(
            f"corps.at(durable=True): {worker} cannot be found again after a restart. Call a method of the "
            "Corps object, or register the worker: corps.register(name, tag=...)"
        )
    return {"tag": entries[0].tag or None, "cls": None if entries[0].tag else entries[0].cls}


def _is_corps_object(env: Env, worker: ConcAddr) -> bool:
    if env.corps_name is not None:
        return env.corps_name._addr == worker
    cell = env.registry.find(worker.conc) if worker.env == env.id else None  # its constructor runs
    if (
        cell is None
        or cell.mgr_addr is None
        or (cell.mgr_addr.env, cell.mgr_addr.conc) != (BOOT_ENV, CORPS_MGR)
    ):
        return False
    cls = cell.performer.cls
    return cls is not None and issubclass(cls, Corps)


def found(env: Env, target: str) -> Name[Any] | None:
    """Return the worker that a timer calls; None if it is not there now."""
    facts = json.loads(target)
    if facts == _OF_CORPS:
        return None if env.corps_name is None else as_name(env.corps_name)
    return env.parts.get(DirCopy).find(Query(tag=facts["tag"], cls=facts["cls"], where="corps"))


class DurableTimer(Timer):
    """A durable timer. Thread-safe."""

    __slots__ = ("_env", "_key", "_serial")

    def __init__(self, env: Env, key: str, serial: int) -> None:
        self._env = env
        self._key = key
        self._serial = serial

    @property
    def key(self) -> str:
        """See `Timer.key`."""
        return self._key

    @property
    def due(self) -> datetime | None:
        """See `Timer.due`. It asks the booting process, and waits."""
        wall = self._ask("due_of").result()
        return None if wall is None else as_utc(wall)

    def cancel(self) -> bool:
        """See `Timer.cancel`. It asks the booting process, and waits."""
        is_cancelled: bool = self._ask("cancel").result()
        return is_cancelled

    def _ask(self, what: str) -> Future[Any]:
        return ask_durable(self._env, what, self._key, self._serial)

    def __repr__(self) -> str:
        return f"<Timer {self._key!r}, durable>"


def ask_durable(env: Env, what: str, *args: Any) -> Future[Any]:
    """Ask the service that keeps durable timers."""
    return env.ask_service(env.home, CORPS_TIMERS, what, *args)


def set_durable(
    when: datetime | str,
    zone: str | tzinfo | None,
    method: Method,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    key: object,
) -> DurableTimer:
    """Set a durable timer, and wait until it is written down."""
    if not isinstance(key, str) or not key:
        raise ConfigError(
            f"corps.at(durable=True, key={key!r:.80}): wants a text, by which it is known later"
        )
    env = method.as_request(())[0]
    kept = kept_of(when, zone, method, args, kwargs)
    serial: int = ask_durable(env, "set", key, kept).result()
    return DurableTimer(env, key, serial)


def all_durable(env: Env) -> list[DurableTimer]:
    """Return the durable timers of the Corps that have not ended."""
    try:
        keys: list[tuple[str, int]] = ask_durable(env, "all").result()
    except WorkerGone:  # the Corps ends
        return []
    return [DurableTimer(env, *each) for each in keys]
