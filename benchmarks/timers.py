"""Timers: what it costs to set and cancel one among many, and how late they call; beside those of asyncio."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic, perf_counter
from typing import Any, Final

import corps
from benchmarks.cases import CANCEL_TIMER, LATE, LATE_AGAIN, SET_TIMER, TIMERS, Subject
from benchmarks.timing import Effort, Measure, Works

N_ARMED: Final = 100_000
SPREAD: Final = 5.0  # seconds over which the timers of a full round are due
FULL: Final = 10_000  # timers of a full round
BATCH: Final = 2000
FAR: Final = 1e6  # seconds
SOON: Final = 0.5  # seconds until the first one is due

ASYNCIO: Final = "asyncio"

_chance = random.Random(7).random


class Late(corps.Conc):
    """Notes how late it is called."""

    def __init__(self) -> None:
        self.late: list[float] = []

    def tick(self, due: float) -> None:
        """Be called at a point of the monotonic clock."""
        self.late.append(monotonic() - due)

    def beat(self, begin: float, seconds: float) -> None:
        """Be called at each multiple of some seconds after a beginning."""
        self.late.append((monotonic() - begin) % seconds)

    def taken(self) -> list[float]:
        """Give what was noted, and forget it."""
        late, self.late = self.late, []
        return late

    def nothing(self) -> None:
        """Do nothing."""


class Setter(corps.Conc):
    """Sets timers, which are its own."""

    def arm(self, name: corps.Name[Late], count: int) -> None:
        """Have so many timers armed for good."""
        for _ in range(count):
            corps.after(FAR * (1 + _chance()), name.nothing)

    def costs(self, name: corps.Name[Late], effort: Effort, *, of_cancel: bool) -> list[float]:
        """Measure the setting of timers, or their cancelling."""
        return costs(lambda seconds: corps.after(seconds, name.nothing), effort, of_cancel=of_cancel)


def costs(set_one: Callable[[float], Any], effort: Effort, *, of_cancel: bool) -> list[float]:
    """Set and cancel timers, a batch at a time.

    Args:
        set_one: Sets one that is due after some seconds.
        effort: How many.
        of_cancel: Whether to time the cancelling.

    Returns:
        Seconds per timer, one mean for each batch.
    """
    size = min(BATCH, effort.operations)
    samples: list[float] = []
    until = perf_counter() + effort.seconds
    while not samples or (len(samples) * size < effort.operations and perf_counter() < until):
        times = [FAR * (1 + _chance()) for _ in range(size)]
        begin = perf_counter()
        timers = [set_one(seconds) for seconds in times]
        middle = perf_counter()
        for timer in timers:
            timer.cancel()
        samples.append((perf_counter() - middle if of_cancel else middle - begin) / size)
    return samples


def dues(count: int) -> list[float]:
    """When so many timers are due, by the monotonic clock: as many in a second as in a full round."""
    begin = monotonic() + SOON
    return [begin + SPREAD * number / FULL for number in range(count)]


@contextmanager
def ours(share: float) -> Iterator[Works]:
    """Timers of one Env, and of a worker in it."""
    with corps.env() as env:
        late, setter = env.create(Late), env.create(Setter)
        setter.arm(late, int(N_ARMED * share)).result()

        def cost(*, of_cancel: bool) -> Measure:
            return lambda effort: setter.costs(late, effort, of_cancel=of_cancel).result()

        def spread(effort: Effort) -> list[float]:
            due = 0.0
            for due in dues(effort.operations):
                corps.after(due - monotonic(), late.tick, due)
            time.sleep(due - monotonic() + SOON)
            found: list[float] = late.taken().result()
            return found

        def again(effort: Effort) -> list[float]:
            """Set timers of which each is due every second, in turn, and let them call for some seconds."""
            begin, timers = monotonic(), []
            for number in range(effort.operations):
                time.sleep(max(0.0, begin + number / effort.operations - monotonic()))
                timers.append(corps.every(1.0, late.beat, monotonic(), 1.0))
            late.taken().result()
            time.sleep(min(SPREAD, effort.seconds) + 1.0)
            for timer in timers:
                timer.cancel()
            found: list[float] = late.taken().result()
            return found

        yield {
            SET_TIMER: cost(of_cancel=False),
            CANCEL_TIMER: cost(of_cancel=True),
            LATE: spread,
            LATE_AGAIN: again,
        }


@contextmanager
def of_asyncio(share: float) -> Iterator[Works]:
    """Timers of an event loop."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        for _ in range(int(N_ARMED * share)):
            loop.call_later(FAR * (1 + _chance()), print)

        def cost(*, of_cancel: bool) -> Measure:
            set_one = partial(_later, loop)
            return lambda effort: costs(set_one, effort, of_cancel=of_cancel)

        yield {
            SET_TIMER: cost(of_cancel=False),
            CANCEL_TIMER: cost(of_cancel=True),
            LATE: lambda effort: runner.run(_spread(effort)),
        }


def _later(loop: asyncio.AbstractEventLoop, seconds: float) -> asyncio.TimerHandle:
    return loop.call_later(seconds, print)


async def _spread(effort: Effort) -> list[float]:
    loop, late, due = asyncio.get_running_loop(), list[float](), 0.0

    def note(due: float) -> None:
        late.append(monotonic() - due)

    for due in dues(effort.operations):
        loop.call_later(due - monotonic(), note, due)
    await asyncio.sleep(due - monotonic() + SOON)
    return late


SUBJECTS: Final = (
    Subject(TIMERS, ASYNCIO, "floor", of_asyncio),
    Subject(TIMERS, "corps", "corps", ours),
)
