"""The injectors, each of which does one kind of harm.

    fault = KINDS["kill"]
    injury = fault.inject(rng, target)
    ...
    injury.undo()

All that they decide comes from the `random.Random` that they are given. Each calls `Target.announce` before
it does anything that may make a request fail; what never announces must not be noticed by any request.
"""

import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

import psutil

from corps.addresses import env_label
from corps.errors import CorpsError, RemoteError
from corps.testing.chaos.target import HANDLED, PATIENCE, Missed, Target

Span = tuple[float, float]
"""The shortest and the longest time that something may take, in seconds."""

_DAY: Final = 86_400.0
_LARGE: Final = 1024 * 1024
_FILE_ROOM: Final = 128 * 1024  # bytes that files may grow beyond the largest witness file
_FEW: Final = 4  # descriptors
_STOPPER: Final = 'kill -STOP "$1"; sleep "$2"; kill -CONT "$1"'


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


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of harm.

    Attributes:
        name: What it is called in plans and reports.
        inject: Does the harm. Raises `Missed`, psutil.Error, or a CorpsError if it could not be done.
        weight: How often it comes in a storm of all kinds, in relation to the others.
    """

    name: str
    inject: Callable[[Random, Target], Injury]
    weight: float = 1.0


def _kill(rng: Random, corps: Target) -> Injury:
    """SIGKILL to the process of an Env."""
    env = corps.choose_env(rng)
    process = corps.process(env)
    corps.announce(env)
    process.kill()
    return Injury(f"SIGKILL to {env_label(env)}")


def _stop(span: Span, rng: Random, corps: Target) -> Injury:
    """SIGSTOP to the process of an Env, and SIGCONT some time later."""
    env, seconds = corps.choose_env(rng), rng.uniform(*span)
    process = corps.process(env)
    corps.announce(env)
    process.suspend()

    def go_on() -> None:
        with suppress(psutil.Error):  # it was killed meanwhile
            process.resume()

    return Injury(f"SIGSTOP to {env_label(env)} for {seconds:.2f} s", seconds, go_on)


def _end_from_inside(method: str, rng: Random, corps: Target) -> Injury:
    """A method of `Saboteur` ends the process of its Env."""
    env = corps.choose_env(rng)
    process = corps.process(env)
    corps.announce(env)
    corps.sabotage_nowait(env, method)
    process.wait(PATIENCE)
    return Injury(f"{method} inside {env_label(env)}")


def _hold_interpreter(rng: Random, corps: Target) -> Injury:
    """A method keeps the GIL of its Env in C."""
    env, seconds = corps.choose_env(rng), rng.uniform(0.2, 3.0)
    corps.announce(env)
    corps.sabotage_nowait(env, "hold_interpreter", seconds)
    return Injury(f"the GIL of {env_label(env)} is held for {seconds:.2f} s", seconds)


def _raise_inside(rng: Random, corps: Target) -> Injury:
    """A method raises: its caller gets that, and nobody else may notice."""
    env = corps.choose_env(rng)
    kind = rng.choice(("ValueError", "MemoryError", "StopIteration", "OSError", "overflow"))
    try:
        corps.sabotage(env, "fail", kind)
    except RemoteError:
        return Injury(f"{kind} in {env_label(env)}")
    raise Missed(f"{kind} in {env_label(env)} did not come back as a RemoteError")


def _jump_clock(rng: Random, corps: Target) -> Injury:
    """The wall clock of an Env is wrong by up to a day, which nobody may notice. See `jump_clock`."""
    env, seconds = corps.choose_env(rng), rng.uniform(0.5, 3.0)
    offset = rng.choice((-_DAY, -_DAY / 24, _DAY / 24, _DAY))
    corps.sabotage(env, "jump_clock", offset, seconds)
    return Injury(f"time.time of {env_label(env)} is off by {offset:+.0f} s for {seconds:.2f} s", seconds)


def _fill_disk(rng: Random, corps: Target) -> Injury:
    """No file and no shared memory of an Env can grow. See `Saboteur.lower_file_size`.

    The files that have grown most are those of the witness, which must go on; so the longer a storm, the less
    this bites.
    """
    env, seconds = corps.choose_env(rng), rng.uniform(0.5, 2.0)
    limit = corps.written() + _FILE_ROOM
    corps.announce(env)
    corps.sabotage(env, "lower_file_size", limit, seconds)
    given = _try_large(corps, env, limit + _LARGE)
    text = f"files of {env_label(env)} end at {limit} bytes for {seconds:.2f} s; a larger result: {given}"
    return Injury(text, seconds)


def _few_descriptors(rng: Random, corps: Target) -> Injury:
    """An Env can open only a few files more."""
    env, seconds, room = corps.choose_env(rng), rng.uniform(0.5, 2.0), rng.randint(0, _FEW)
    corps.announce(env)
    limit = corps.sabotage(env, "lower_descriptors", room, seconds)
    given = _try_large(corps, env, _LARGE)
    text = f"{env_label(env)} opens files below {limit} only for {seconds:.2f} s; a large result: {given}"
    return Injury(text, seconds)


def _try_large(corps: Target, env: int, size: int) -> str:
    """Have an Env give something large, which may want a file of its own. Return what came of it."""
    try:
        given = corps.sabotage(env, "give", size)
    except CorpsError as error:
        return type(error).__name__
    if len(given) != size:
        raise Missed(f"{len(given)} bytes came in place of {size}")
    return "came"


def _cut_links(rng: Random, corps: Target) -> Injury:
    """Connections of an Env are shut down, up to all of them. Only UNIX sockets; see `Saboteur.cut_links`."""
    env, most = corps.choose_env(rng), rng.choice((1, 2, 1000))
    corps.announce(env)
    try:
        cut = corps.sabotage(env, "cut_links", most)
    except CorpsError as error:  # its answer went over one of them
        return Injury(f"links of {env_label(env)} were cut ({type(error).__name__})")
    return Injury(f"{cut} links of {env_label(env)} were cut")


def _narrow_links(rng: Random, corps: Target) -> Injury:
    """The kernel's buffers of the links of an Env become tiny, for good. Nothing may fail because of it."""
    env, size = corps.choose_env(rng), rng.choice((4096, 16384))
    count = corps.sabotage(env, "narrow_links", size)
    return Injury(f"{count} links of {env_label(env)} have buffers of {size} bytes")


def _signal_script(rng: Random, corps: Target) -> Injury:
    """Signals to the process that booted, which its script handles. Nothing may fail because of them."""
    numbers = rng.choices(HANDLED, k=rng.randint(1, 20))
    for number in numbers:
        corps.signals.send(number)
    return Injury(f"signals to the script: {', '.join(number.name for number in numbers)}")


def _stop_script(rng: Random, corps: Target) -> Injury:
    """SIGSTOP to the process that booted, and SIGCONT a moment later. Nothing may fail because of it."""
    seconds = rng.uniform(0.05, 0.4)
    command = ["/bin/sh", "-c", _STOPPER, "sh", str(os.getpid()), f"{seconds:.3f}"]
    subprocess.run(command, check=True)  # noqa: S603 - nothing in it comes from outside
    return Injury(f"the script was stopped for {seconds:.2f} s")


def by_name(*faults: Fault) -> Mapping[str, Fault]:
    """Return faults by their names."""
    return {fault.name: fault for fault in faults}


KINDS: Final[Mapping[str, Fault]] = by_name(
    Fault("kill", _kill, 6.0),
    Fault("stop", partial(_stop, (0.2, 3.0)), 2.0),
    Fault("stop-long", partial(_stop, (6.0, 12.0)), 0.3),
    Fault("segfault", partial(_end_from_inside, "segfault")),
    Fault("abort", partial(_end_from_inside, "abort")),
    Fault("os-exit", partial(_end_from_inside, "leave")),
    Fault("hold-gil", _hold_interpreter),
    Fault("raise", _raise_inside),
    Fault("clock", _jump_clock),
    Fault("full-disk", _fill_disk),
    Fault("few-descriptors", _few_descriptors),
    Fault("cut", _cut_links),
    Fault("narrow", _narrow_links, 0.5),
    Fault("signal", _signal_script, 2.0),
    Fault("stop-script", _stop_script, 0.5),
)
"""All kinds, with the times that suit a storm of a few minutes."""
