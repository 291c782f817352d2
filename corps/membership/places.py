"""One process of an Env, as the membership sees it: what it has said, and where it stands."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from threading import Event, Lock
from typing import Final, TypeVar

import corps.errors as errors
from corps.addresses import FRONT, env_label
from corps.clock import now
from corps.errors import BrokenError, ClosedError, ConfigError, DeadlineExceeded, EnvStartError
from corps.launchers.launcher import HostPlace, LaunchedEnv
from corps.membership.orders import Failed, Joined, Members, Order, Orders, Ready, Released, Start, Stop
from corps.membership.place_life import PlaceLife
from corps.messages.members import Member
from corps.messages.requests import CALL
from corps.runtime.env import Env

_R = TypeVar("_R", Ready, Joined, Released)

_log = logging.getLogger("corps.managers")

_LAST_WORDS: Final = 5.0  # seconds between the last message of a process that fails to start and its end


class Place:
    """One process of an Env. The lock of the Membership protects `life`."""

    def __init__(self, process: LaunchedEnv, generation: int, former: "Place | None" = None) -> None:
        """Take a process that was just started, in the place of `former`."""
        self.process = process
        self.generation = generation  # how many the Env has had before
        self._orders = Orders(process.channel)
        self.life = PlaceLife()
        self.ready: Ready | None = None  # what it has said of itself
        self.is_buried = Event()  # set when the booting process knows its end
        self._former_is_buried = None if former is None else former.is_buried
        self.telling = Lock()  # held while its Env hears that another one is there, or has ended

    @property
    def member(self) -> Member | None:
        """Its record; None before it is ready."""
        return None if self.ready is None else self.ready.member

    def is_well(self, generation: int) -> bool:
        """Return whether that process of the Env lives, has joined, and nothing is known against it."""
        is_there = self.generation == generation and self.process.wait(0) is None
        return is_there and self.life.is_well

    def await_burial_before(self) -> None:
        """Wait until the booting process knows the end of the former process. Caller holds no lock."""
        if self._former_is_buried is not None:
            self._former_is_buried.wait()

    def tell(self, order: Order) -> None:
        """Send it an order; a process that has gone does not hear it. Thread-safe."""
        try:
            self._orders.send(order)
        except (BrokenError, ClosedError):
            _log.debug("%s has gone and does not hear %r", env_label(self.process.env_id), order.word)

    def await_ready(self, late: list[int]) -> None:
        """Wait until it has loaded the application and listens. `late`: Envs out of time. One thread."""
        self.ready = self.expect(Ready, late)

    def expect(self, kind: type[_R], late: list[int]) -> _R:
        """Wait for its next report, which must be of this kind; raise as `await_ready`. One thread."""
        process = self.process
        answer = self._orders.receive()
        if isinstance(answer, kind):
            return answer
        if isinstance(answer, Failed):
            process.wait(_LAST_WORDS)  # then its output is complete
            error = getattr(errors, answer.kind, EnvStartError)
            raise error(answer.text, output=process.output())
        if process.env_id in late:
            raise EnvStartError(
                f"{env_label(process.env_id)} was not ready in time (setting boot_timeout)",
                output=process.output(),
            )
        ended = process.wait(_LAST_WORDS)
        how = ended if ended is not None else "closed its channel"
        text = f"{env_label(process.env_id)} {how} while it started"
        raise EnvStartError(text, output=process.output())

    def has_released(self, timeout: float) -> bool:
        """Wait so many seconds for Released or the end; return whether one of them came. One thread."""
        return self._orders.wait(timeout) and isinstance(self._orders.receive(), Released | None)


def first_order(start: Start, generation: int, host: HostPlace | None) -> Start:
    """Return the first order for a process on a host; None for that of the booting process."""
    if host is None:
        return replace(start, generation=generation)
    there = replace(start, runtime_dir=host.runtime_dir, source=host.source, host=host.listens)
    return replace(there, generation=generation)


def stop_all(places: Sequence[Place], grace: float) -> None:
    """Order processes to end, and wait so many seconds for the end of all."""
    for place in places:
        place.tell(Stop())
    deadline = now() + grace
    for place in places:
        if place.process.wait(max(0.0, deadline - now())) is None:
            _log.warning("%s did not stop within %s s: it is killed", env_label(place.process.env_id), grace)


def kill_silent(env: Env, places: Sequence[Place], patience: float, killed: set[int]) -> None:
    """Kill the processes that are stopped, or whose EnvMgr does not answer in time. Note them in `killed`."""
    silent = {place: "is stopped" for place in places if place.process.is_stopped()}
    asked = {
        place: env.ask(CALL, env.manager_of(place.process.env_id), "statistics", (), {}, patience)
        for place in places
        if place not in silent
    }
    for place, answer in asked.items():
        if isinstance(answer.failure(), DeadlineExceeded):
            silent[place] = f"gives no answer in {patience:.3g} s"
    for place, why in silent.items():
        _log.warning("%s %s: it is killed", env_label(place.process.env_id), why)
        killed.add(place.process.env_id)  # before another thread sees that it has ended
        place.process.kill()


def to_remove(env_id: object, places: Mapping[int, Place]) -> Place:
    """Find the process of an Env that is to be removed, or raise a ConfigError. Caller holds the lock."""
    others = {each: place for each, place in places.items() if place.life.can_be_removed and each != FRONT}
    for each, place in others.items():
        if each == env_id:
            return place
    raise ConfigError(
        f"remove_env({env_id!r}): the Envs that can be removed are {sorted(others)}; not the front, "
        "nor one that has no process now, or is being removed already"
    )


def listed(me: Member, places: Iterable[Place]) -> Members:
    """Make the list of all others for a new process. `me` is the booting process. Caller holds the lock."""
    there, awaited = [me], []
    for place in places:
        if place.life.is_awaited:
            awaited.append(place.process.env_id)
        elif place.life.knows_all and place.member is not None:
            there.append(place.member)
    return Members(tuple(there), tuple(awaited), is_late=True)
