"""Timers: what it costs to set and cancel one among many, and how late ticks are; beside those of asyncio.

    python -m benchmarks.timers

It takes half a minute. On a machine that does other things, run it at real-time priority: ``chrt --fifo 20``.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from time import monotonic, perf_counter
from typing import Any, Final

import corps

N_ARMED: Final = 100_000
N_FIRING: Final = 10_000
SPREAD: Final = 5.0  # seconds over which they are due
ROUNDS: Final = 7
BATCH: Final = 2000
FAR: Final = 1e6  # seconds

chance = random.Random(7).random

Result = dict[str, list[float]]


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
    """Sets timers."""

    def costs(self, name: corps.Name[Late]) -> Result:
        """Return what it costs to set and to cancel one, among many."""
        for _ in range(N_ARMED):
            corps.after(FAR * (1 + chance()), name.nothing)
        return costs(lambda seconds: corps.after(seconds, name.nothing))


def costs(set_one: Callable[[float], Any]) -> Result:
    """Return the seconds that it takes to set and to cancel a timer, the mean of each batch."""
    found: Result = {"set": [], "cancel": []}
    for _ in range(ROUNDS):
        times = [FAR * (1 + chance()) for _ in range(BATCH)]
        begin = perf_counter()
        timers = [set_one(seconds) for seconds in times]
        middle = perf_counter()
        for timer in timers:
            timer.cancel()
        end = perf_counter()
        found["set"].append((middle - begin) / BATCH)
        found["cancel"].append((end - middle) / BATCH)
    return found


def spread(name: corps.Name[Late]) -> None:
    """Set timers that are due over some seconds."""
    begin = monotonic() + 1.0
    for number in range(N_FIRING):
        due = begin + SPREAD * number / N_FIRING
        corps.after(due - monotonic(), name.tick, due)
    time.sleep(SPREAD + 2.0)


def again(name: corps.Name[Late]) -> None:
    """Set timers of which each is due every second, in turn."""
    begin = monotonic()
    timers = []
    for number in range(N_FIRING):
        while monotonic() < begin + number / N_FIRING:
            time.sleep(0.0005)
        timers.append(corps.every(1.0, name.beat, monotonic(), 1.0))
    name.taken().result()
    time.sleep(SPREAD)
    for timer in timers:
        timer.cancel()


def at_once(name: corps.Name[Late]) -> None:
    """Set timers that are all due at the same moment."""
    due = monotonic() + 2.0
    for _ in range(N_FIRING):
        corps.after(due - monotonic(), name.tick, due)
    time.sleep(4.0)


def _note(late: list[float], due: float) -> None:
    late.append(monotonic() - due)


async def of_asyncio() -> tuple[Result, list[float]]:
    """Measure the same of an event loop."""
    loop = asyncio.get_running_loop()
    handles = [loop.call_later(FAR * (1 + chance()), print) for _ in range(N_ARMED)]
    found = costs(lambda seconds: loop.call_later(seconds, print))
    for handle in handles:
        handle.cancel()
    late: list[float] = []
    begin = monotonic() + 1.0
    for number in range(N_FIRING):
        due = begin + SPREAD * number / N_FIRING
        loop.call_later(due - monotonic(), partial(_note, late, due))
    await asyncio.sleep(SPREAD + 2.0)
    return found, late


def show_costs(what: str, found: Result) -> None:
    """Print the median of the means."""
    cells = [f"{name} {statistics.median(samples) * 1e6:.1f} µs" for name, samples in found.items()]
    print(f"{what}, among {N_ARMED} armed: {', '.join(cells)}", flush=True)


def show_late(what: str, late: list[float]) -> None:
    """Print how late ticks were."""
    late.sort()
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    cells = [f"{name} {late[int(share * len(late))] * 1e3:.2f} ms" for name, share in shares.items()]
    print(f"{what}: {len(late)} ticks, {', '.join(cells)}, at most {late[-1] * 1e3:.2f} ms", flush=True)


def main() -> None:
    """Measure, and print."""
    with corps.env() as env:
        name = env.create(Late)
        show_costs("corps", env.create(Setter).costs(name).ret)
    with corps.env() as env:
        name = env.create(Late)
        for load in (spread, again, at_once):
            load(name)
            show_late(f"corps, {load.__name__}", name.taken().result())
    found, late = asyncio.run(of_asyncio())
    show_costs("asyncio", found)
    show_late("asyncio, spread", late)


if __name__ == "__main__":
    main()
