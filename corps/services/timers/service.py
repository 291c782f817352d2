"""The workers that answer for timers.

What durable timers need is imported when the first one is asked for: most programs have none.
"""

import logging
import os
from typing import TYPE_CHECKING, Any

from corps.addresses import CORPS_TIMERS
from corps.errors import ConfigError
from corps.peers.promises import WirePromise
from corps.runtime.calls.futures import Future
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.services.timers.env_timers import EnvTimers
from corps.services.timers.ticks import Origin, Target
from corps.workers.conc import Conc

if TYPE_CHECKING:
    from corps.services.timers.durable import Kept
    from corps.services.timers.keeper import Keeper

_log = logging.getLogger("corps.services")


class TimersOfOthers(Conc):
    """Calls workers of its Env for the timers of other Envs. It runs one request at a time, in order."""

    def __init__(self, env: Env) -> None:
        """Serve an Env."""
        self._timers = env.parts.get(EnvTimers)

    def tick(self, origin: Origin, target: Target, skipped: int) -> Future[int]:
        """Call a worker of this Env; see `EnvTimers.take`."""
        here = current.get()
        promise = None if here is None or here.request is None else here.request.promise
        begins = promise.begins if isinstance(promise, WirePromise) else None
        return self._timers.take(origin, target, skipped, begins)

    def withdraw(self, origin: Origin) -> bool:
        """Withdraw a tick; see `EnvTimers.take_back`."""
        return self._timers.take_back(origin)


class TimersOfCorps(Part):
    """Wakes the service of durable timers when the Corps has started, if there is a file of them."""

    def __init__(self, env: Env) -> None:
        """Do nothing yet."""
        self._env = env
        path = env.options.timers_path
        self.path = None if path is None else os.path.abspath(path)

    def corps_runs(self) -> None:
        """See `Part.corps_runs`."""
        if self.path is not None and os.path.exists(self.path):
            self._env.ask_service(self._env.id, CORPS_TIMERS, "wake").when_settled(_woken)


def _woken(done: Future[Any]) -> None:
    if (error := done.failure()) is not None:
        _log.error("the durable timers of this Corps do not run: %s", error)


class CorpsTimers(Conc):
    """Keeps the durable timers of a Corps. It runs one request at a time, and waits for the file alone."""

    def __init__(self, env: Env) -> None:
        """Open nothing yet."""
        self._path = env.parts.get(TimersOfCorps).path
        self._kept: Keeper | None = None

    def _keeper(self) -> "Keeper":
        if self._kept is None:
            if self._path is None:
                raise ConfigError("there can be no durable timers: the setting timers.path names no file")
            from corps.services.timers.keeper import Keeper

            self._kept = Keeper(self._corps_own_cell(), self._path)
        return self._kept

    def cleanup(self) -> None:
        """Let go of the file."""
        if self._kept is not None:
            self._kept.close()

    def before_restart(self, error: BaseException | None) -> None:
        """Let go of the file, which the next incarnation opens."""
        self.cleanup()

    def wake(self) -> None:
        """Begin with what the file has."""
        self._keeper()

    def set(self, key: str, kept: "Kept") -> int:
        """See `Keeper.set`."""
        return self._keeper().set(key, kept)

    def cancel(self, key: str, serial: int) -> "bool | Future[bool]":
        """See `Keeper.cancel`."""
        return self._keeper().cancel(key, serial)

    def due_of(self, key: str, serial: int) -> float | None:
        """See `Keeper.due_of`."""
        return self._keeper().due_of(key, serial)

    def all(self) -> list[tuple[str, int]]:
        """See `Keeper.all`."""
        return [] if self._path is None else self._keeper().all()

    def fire(self, key: str, serial: int) -> None:
        """See `Keeper.fire`. Only this service asks for it."""
        self._keeper().fire(key, serial)

    def over(self, key: str, serial: int, number: int, end: int) -> None:
        """See `Keeper.over`. Only this service asks for it."""
        self._keeper().over(key, serial, number, end)
