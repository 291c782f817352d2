"""Bounded memory (I10): how large the processes of a Corps are, and what that says.

A short run shows bounds, a long one slopes: a line through samples of minutes says nothing about an hour. So
the slope is judged only over long spans, and only where it is clear of its own uncertainty.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import linear_regression
from threading import Event, Thread
from typing import Final

import psutil

from corps.addresses import env_label
from corps.clock import now
from corps.testing.chaos.census import Household
from corps.testing.chaos.judgement import Invariant, Violation

_MIB: Final = 1024 * 1024
_HOUR: Final = 3600.0
_PAUSE: Final = 1.0  # seconds between two samples
_ROOM: Final = 64 * _MIB  # bytes above the first sample
_SLOPE: Final = 1.0 * _MIB  # bytes per hour, over the last half
_SURE: Final = 3.0  # standard errors that a slope has to lie above its limit
LEAST_SPAN: Final = 1800.0  # seconds that the last half of the samples has to last for its slope to be judged

Sample = tuple[float, int]
"""Seconds, and bytes."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a process was, in bytes."""

    env: int  # 0 for the process that booted
    pid: int
    first: int
    most: int
    slope: float | None = None  # per hour, over the last half of the samples; None if nobody can say
    error: float = 0.0  # standard error of the slope
    span: float = 0.0  # seconds of the last half

    @classmethod
    def of(cls, env: int, pid: int, samples: Sequence[Sample]) -> "Size":
        """Return what samples say; the first of them was taken after the start of the process."""
        sizes = [size for _, size in samples]
        half = samples[len(samples) // 2 :]
        n, span = len(half), half[-1][0] - half[0][0]
        if n < 3 or span <= 0:
            return cls(env, pid, sizes[0], max(sizes))
        x, y = [at for at, _ in half], [float(size) for _, size in half]
        slope, intercept = linear_regression(x, y)
        middle = sum(x) / n
        spread = sum((at - middle) ** 2 for at in x)
        left = sum((size - intercept - slope * at) ** 2 for at, size in half)
        error = (left / (n - 2) / spread) ** 0.5
        return cls(env, pid, sizes[0], max(sizes), slope * _HOUR, error * _HOUR, span)

    def violations(self) -> Iterator[Violation]:
        """Judge the process."""
        what = f"{env_label(self.env)} (pid {self.pid})"
        if self.most > self.first + _ROOM:
            sizes = f"from {self.first / _MIB:.0f} to {self.most / _MIB:.0f} MiB"
            text = f"{what} grew {sizes}; it had room for {_ROOM / _MIB:.0f} more"
            yield Violation(Invariant.BOUNDED_MEMORY, text)
        if self.slope is not None and self.span >= LEAST_SPAN and self.slope - _SURE * self.error > _SLOPE:
            text = f"{what} grows by {self.slope / _MIB:.2f} ± {self.error / _MIB:.2f} MiB/h"
            yield Violation(Invariant.BOUNDED_MEMORY, text)

    def as_row(self) -> list[str]:
        """Return the process, its first and its largest size, and the slope, for people."""
        slope = "-"
        if self.slope is not None:
            slope = f"{self.slope / _MIB:+.1f} ± {self.error / _MIB:.1f} over {self.span:.0f} s"
        return [env_label(self.env), f"{self.first / _MIB:.1f}", f"{self.most / _MIB:.1f}", slope]


class Sampler:
    """A thread that takes samples from `start` until `stop`, through a Household that it alone uses."""

    def __init__(self, household: Household) -> None:
        self._household = household
        self._is_over = Event()
        self._thread = Thread(target=self._run, name="chaos-sampler", daemon=True)
        self._series: dict[tuple[int, int], list[Sample]] = defaultdict(list)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more."""
        self._is_over.set()
        self._thread.join()

    def sizes(self) -> list[Size]:
        """Return what became of each process. After `stop`."""
        return [Size.of(env, pid, samples) for (env, pid), samples in sorted(self._series.items())]

    def _run(self) -> None:
        me = psutil.Process()
        while not self._is_over.wait(_PAUSE):
            for env, process in {0: me, **self._household.envs()}.items():
                size = own_bytes(process)
                if size:
                    self._series[env, process.pid].append((now(), size))


def own_bytes(process: psutil.Process) -> int:
    """Return the bytes that a process holds for itself, without what others see too; 0 if it has gone."""
    try:
        memory = process.memory_info()
    except psutil.Error:
        return 0
    return int(memory.rss - memory.shared)
