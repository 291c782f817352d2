"""Bounded memory (I10): what samples of the size of processes say. Pure, but for reading one size.

A short run shows bounds, a long one slopes: a line through samples of minutes says nothing about an hour. So
the slope is judged only over long spans, and only where it is clear of its own uncertainty.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from corps.testing.chaos.judgement import Invariant, Violation

_MIB: Final = 1024 * 1024
_HOUR: Final = 3600.0
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_SURE: Final = 3.0
"""Standard errors that a slope has to lie above its limit."""

Sample = tuple[float, int]
"""Seconds, and bytes."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large processes may become.

    Attributes:
        room: Bytes above the first sample.
        slope: Bytes per hour, over the last half.
        least_span: Seconds that the last half has to last for its slope to be judged.
    """

    room: int = 64 * _MIB
    slope: float = 1.0 * _MIB
    least_span: float = 1800.0


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through samples.

    Attributes:
        slope: Bytes per hour.
        error: Standard error of the slope, in bytes per hour.
        span: Seconds from the first sample to the last.
    """

    slope: float
    error: float
    span: float


def fitted(samples: Sequence[Sample]) -> Line | None:
    """Return the line of least squares; None for fewer than three samples, or samples of one moment."""
    n = len(samples)
    span = samples[-1][0] - samples[0][0] if n else 0.0
    if n < 3 or span <= 0:
        return None
    mean_x = sum(x for x, _ in samples) / n
    mean_y = sum(y for _, y in samples) / n
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread
    left = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in samples)
    error = (left / (n - 2) / spread) ** 0.5
    return Line(slope * _HOUR, error * _HOUR, span)


def judge_growth(what: str, samples: Sequence[Sample], bounds: Bounds) -> Iterable[Violation]:
    """Judge one process by its sizes, of which the first was taken after its start."""
    if not samples:
        return
    first, most = samples[0][1], max(size for _, size in samples)
    if most > first + bounds.room:
        sizes = f"from {first / _MIB:.0f} to {most / _MIB:.0f} MiB"
        text = f"{what} grew {sizes}; it had room for {bounds.room / _MIB:.0f} more"
        yield Violation(Invariant.BOUNDED_MEMORY, text)
    line = fitted(samples[len(samples) // 2 :])
    if line is None or line.span < bounds.least_span:
        return
    if line.slope - _SURE * line.error > bounds.slope:
        text = f"{what} grows by {line.slope / _MIB:.2f} ± {line.error / _MIB:.2f} MiB/h"
        yield Violation(Invariant.BOUNDED_MEMORY, text)


def own_bytes(pid: int) -> int | None:
    """Return the bytes that a process holds for itself, without what others see too; None if it has gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            fields = file.read().split()
            return (int(fields[1]) - int(fields[2])) * _PAGE
    except (OSError, IndexError):
        return None
