"""The injectors: small classes, each of which does one kind of harm.

    fault = KINDS["kill"]
    injury = fault.inject(rng, target)
    ...
    injury.undo()

All that they decide comes from the `random.Random` that they are given. Each calls `Target.announce` before
it does anything that may make a request fail; what never announces must not be noticed by any request.
"""

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Final

from corps.addresses import env_label
from corps.errors import CorpsError, RemoteError
from corps.testing.chaos.missed import Missed
from corps.testing.chaos.signals import HANDLED, stop_for
from corps.testing.chaos.target import Target

Span = tuple[float, float]
"""The shortest and the longest time that something may take, in seconds."""

_DAY: Final = 86_400.0
_LARGE: Final = 1024 * 1024


def _try_large(corps: Target, env: int, size: int) -> str:
    """Have an Env give something large, which may want a file of its own. Returns what came of it."""
    try:
        given = corps.sabotage(env, "give", size)
    except CorpsError as error:
        return type(error).__name__
    if len(given) != size:
        raise Missed(f"{len(given)} bytes came in place of {size}")
    return "came"


def _nothing() -> None:
    """Undo nothing."""


@dataclass(frozen=True, slots=True)
class Injury:
    """What was done.

    Attributes:
        text: The same in words.
        seconds: How long it lasts; then `undo` is to be called.
        undo: Ends it. Does nothing if it ends by itself.
    """

    text: str
    seconds: float = 0.0
    undo: Callable[[], None] = _nothing


class Fault(ABC):
    """One kind of harm.

    Attributes:
        name: What it is called in plans and reports.
        weight: How often it comes in a storm of all kinds, in relation to the others.
    """

    name: ClassVar[str]
    weight: ClassVar[float] = 1.0

    @abstractmethod
    def inject(self, rng: Random, corps: Target) -> Injury:
        """Do the harm to a Corps. All chance comes from `rng`.

        Raises:
            Missed: It could not be done.
            CorpsError: A request that was to do it failed.
        """


class KillEnv(Fault):
    """SIGKILL to the process of an Env."""

    name = "kill"
    weight = 6.0

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        env = corps.choose_env(rng)
        with corps.grip(env) as fd:
            corps.announce(env, 0)
            corps.signal(fd, signal.SIGKILL)
        return Injury(f"SIGKILL to {env_label(env)}")


class StopEnv(Fault):
    """SIGSTOP to the process of an Env, and SIGCONT some time later.

    Args:
        name: Of the fault.
        span: How long it is stopped.
        weight: As `Fault.weight`.
    """

    def __init__(self, name: str, span: Span, weight: float) -> None:
        self.name = name  # type: ignore[misc]  # several kinds in one class
        self.weight = weight  # type: ignore[misc]
        self._span = span

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        env, seconds = corps.choose_env(rng), rng.uniform(*self._span)
        fd = corps.take(env)
        corps.announce(env, 0)
        try:
            corps.signal(fd, signal.SIGSTOP)
        except Missed:
            os.close(fd)
            raise

        def go_on() -> None:
            try:
                signal.pidfd_send_signal(fd, signal.SIGCONT)
            except OSError:
                pass  # it was killed meanwhile
            os.close(fd)

        return Injury(f"SIGSTOP to {env_label(env)} for {seconds:.2f} s", seconds=seconds, undo=go_on)


class EndFromInside(Fault):
    """A method ends the process of its Env.

    Args:
        name: Of the fault.
        method: Of `Saboteur`.
        *args: Its arguments.
    """

    def __init__(self, name: str, method: str, *args: Any) -> None:
        self.name = name  # type: ignore[misc]  # several kinds in one class
        self._method = method
        self._args = args

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        env = corps.choose_env(rng)
        with corps.grip(env) as fd:
            corps.announce(env, 0)
            corps.sabotage_nowait(env, self._method, *self._args)
            corps.await_end(fd)
        return Injury(f"{self._method} inside {env_label(env)}")


class HoldInterpreter(Fault):
    """A method keeps the GIL of its Env in C.

    Args:
        span: How long.
    """

    name = "hold-gil"

    def __init__(self, span: Span = (0.2, 3.0)) -> None:
        self._span = span

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        env, seconds = corps.choose_env(rng), rng.uniform(*self._span)
        corps.announce(env, 0)
        corps.sabotage_nowait(env, "hold_interpreter", seconds)
        return Injury(f"the GIL of {env_label(env)} is held for {seconds:.2f} s", seconds=seconds)


class RaiseInside(Fault):
    """A method raises: its caller gets that, and nobody else may notice."""

    name = "raise"
    kinds: ClassVar[tuple[str, ...]] = ("ValueError", "MemoryError", "StopIteration", "OSError", "overflow")

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        env, kind = corps.choose_env(rng), rng.choice(self.kinds)
        try:
            corps.sabotage(env, "fail", kind)
        except RemoteError:
            return Injury(f"{kind} in {env_label(env)}")
        raise Missed(f"{kind} in {env_label(env)} did not come back as a RemoteError")


class JumpClock(Fault):
    """The wall clock of an Env is wrong by up to a day, which nobody may notice. See `Saboteur.jump_clock`.

    Args:
        span: How long.
    """

    name = "clock"

    def __init__(self, span: Span = (0.5, 3.0)) -> None:
        self._span = span

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        env, seconds = corps.choose_env(rng), rng.uniform(*self._span)
        offset = rng.choice((-_DAY, -_DAY / 24, _DAY / 24, _DAY))
        corps.sabotage(env, "jump_clock", offset, seconds)
        return Injury(
            f"time.time of {env_label(env)} is off by {offset:+.0f} s for {seconds:.2f} s", seconds=seconds
        )


class FillDisk(Fault):
    """No file and no shared memory of an Env can grow. See `Saboteur.lower_file_size`.

    The files that have grown most are those of the witness, which must go on; so the longer a storm, the less
    this bites.

    Args:
        span: How long.
        room: Bytes that files may grow beyond the largest witness file.
    """

    name = "full-disk"

    def __init__(self, span: Span = (0.5, 2.0), room: int = 128 * 1024) -> None:
        self._span = span
        self._room = room

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        env, seconds = corps.choose_env(rng), rng.uniform(*self._span)
        limit = corps.written() + self._room
        corps.announce(env, 0)
        corps.sabotage(env, "lower_file_size", limit, seconds)
        given = _try_large(corps, env, limit + _LARGE)
        text = f"files of {env_label(env)} end at {limit} bytes for {seconds:.2f} s; a larger result: {given}"
        return Injury(text, seconds=seconds)


class FewDescriptors(Fault):
    """An Env can open only a few files more.

    Args:
        span: How long.
        most: How many at most.
    """

    name = "few-descriptors"

    def __init__(self, span: Span = (0.5, 2.0), most: int = 4) -> None:
        self._span = span
        self._most = most

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        env, seconds = corps.choose_env(rng), rng.uniform(*self._span)
        room = rng.randint(0, self._most)
        corps.announce(env, 0)
        limit = corps.sabotage(env, "lower_descriptors", room, seconds)
        given = _try_large(corps, env, _LARGE)
        text = f"{env_label(env)} opens files below {limit} only for {seconds:.2f} s; a large result: {given}"
        return Injury(text, seconds=seconds)


class CutLinks(Fault):
    """Connections of an Env are shut down, up to all of them. Only UNIX sockets; see `Saboteur.cut_links`."""

    name = "cut"

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        env, most = corps.choose_env(rng), rng.choice((1, 2, 1000))
        corps.announce(env, 0)
        try:
            cut = corps.sabotage(env, "cut_links", most)
        except CorpsError as error:  # its answer went over one of them
            return Injury(f"links of {env_label(env)} were cut ({type(error).__name__})")
        return Injury(f"{cut} links of {env_label(env)} were cut")


class NarrowLinks(Fault):
    """The kernel's buffers of the links of an Env become tiny, for good. Nothing may fail because of it."""

    name = "narrow"
    weight = 0.5

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        env = corps.choose_env(rng)
        size = rng.choice((4096, 16384))
        count = corps.sabotage(env, "narrow_links", size)
        return Injury(f"{count} links of {env_label(env)} have buffers of {size} bytes")


class SignalScript(Fault):
    """Signals to the process that booted, which its script handles. Nothing may fail because of them."""

    name = "signal"
    weight = 2.0

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        numbers = rng.choices(HANDLED, k=rng.randint(1, 20))
        for number in numbers:
            corps.signals.send(number)
        return Injury(f"signals to the script: {', '.join(number.name for number in numbers)}")


class StopScript(Fault):
    """SIGSTOP to the process that booted, and SIGCONT a moment later. Nothing may fail because of it."""

    name = "stop-script"
    weight = 0.5

    def __init__(self, span: Span = (0.05, 0.4)) -> None:
        self._span = span

    def inject(self, rng: Random, corps: Target) -> Injury:
        """See `Fault.inject`."""
        seconds = rng.uniform(*self._span)
        stop_for(seconds)
        return Injury(f"the script was stopped for {seconds:.2f} s")


def by_name(*faults: Fault) -> Mapping[str, Fault]:
    """Return faults by their names."""
    return {fault.name: fault for fault in faults}


KINDS: Final[Mapping[str, Fault]] = by_name(
    KillEnv(),
    StopEnv("stop", (0.2, 3.0), 2.0),
    StopEnv("stop-long", (6.0, 12.0), 0.3),
    EndFromInside("segfault", "segfault"),
    EndFromInside("abort", "abort"),
    EndFromInside("os-exit", "leave", 3),
    HoldInterpreter(),
    RaiseInside(),
    JumpClock(),
    FillDisk(),
    FewDescriptors(),
    CutLinks(),
    NarrowLinks(),
    SignalScript(),
    StopScript(),
)
"""All kinds, with the times that suit a storm of a few minutes."""
