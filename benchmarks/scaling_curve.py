"""Draws how a pool follows its load: ``python -m benchmarks.scaling_curve docs/assets/scaling.svg``.

It boots a Corps, sends requests at a rate that rises and falls, looks at the pool meanwhile, and draws what
it saw. Needs matplotlib, which the group `bench` installs.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import corps
from benchmarks.plots import STYLE

SCALE: Final = corps.Scale(min=1, max=6, target_queue=4, up_after=1, down_after=4, cooldown=2)
WORK: Final = 0.05  # seconds that a request takes
# Each phase: how many seconds, and how many requests a second.
PHASES: Final = (
    (8.0, 10.0),
    (12.0, 50.0),
    (14.0, 90.0),
    (10.0, 40.0),
    (26.0, 5.0),
)
LOOKS: Final = 0.25  # seconds between two looks


class Clerk(corps.Conc):
    """One instance of the pool."""

    def work(self) -> None:
        """Take as long as a request takes."""
        time.sleep(WORK)


class Office(corps.Corps):
    """Has the pool."""

    def __init__(self) -> None:
        self._pool = corps.options(scale=SCALE).create_scaled(Clerk)

    def pool(self) -> corps.Name[Clerk]:
        """Return its Name."""
        return self._pool


@dataclass(frozen=True)
class Look:
    """What was seen at one moment."""

    at: float
    rate: float
    queue: int
    instances: int
    leaving: int


def measure() -> list[Look]:
    """Run the load, and return what was seen. No request may fail."""
    looks: list[Look] = []
    asked: list[corps.Future[None]] = []
    with corps.boot(Office, envs=3) as office:
        pool = office.pool().ret
        began = time.monotonic()
        ends = began
        for seconds, rate in PHASES:
            start, ends = ends, ends + seconds
            sent = 0
            while (now := time.monotonic()) < ends:
                while sent < (now - start) * rate:
                    asked.append(pool.work())
                    sent += 1
                if not looks or now - began - looks[-1].at >= LOOKS:
                    state = corps.pool_state(pool).ret
                    waiting = sum(not future.done() for future in asked)
                    looks.append(Look(now - began, rate, waiting, state.up, state.leaving))
                time.sleep(0.002)
        for future in asked:
            future.result()
    return looks


def draw(looks: list[Look], path: Path) -> None:
    """Draw the rate of requests, those without an answer, and the instances, over time."""
    import matplotlib.pyplot as plt

    at = [look.at for look in looks]
    with plt.rc_context(STYLE):
        figure, (above, middle, below) = plt.subplots(3, 1, sharex=True, figsize=(8, 6))
        above.step(at, [look.rate for look in looks], where="post", color="0.4")
        above.set_ylabel("requests a second")
        middle.plot(at, [look.queue for look in looks], color="tab:blue")
        middle.set_ylabel("without an answer")
        below.step(at, [look.instances for look in looks], where="post", color="tab:red", label="in use")
        below.step(at, [look.leaving for look in looks], where="post", color="0.6", label="leave")
        below.set_ylabel("instances")
        below.set_xlabel("seconds")
        below.legend()
        for axis in (above, middle, below):
            axis.set_ylim(bottom=0)
            axis.grid(alpha=0.3)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw(measure(), Path(sys.argv[1]))
