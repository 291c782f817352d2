"""Liveness (I12): whether the throughput comes back when the faults have stopped. Pure."""

from array import array
from typing import Final

from corps.testing.chaos.judgement import Invariant, Limits, Violation
from corps.testing.chaos.witness import Phase

_BIN: Final = 100_000_000
"""Nanoseconds in which answers are counted together."""
_WINDOW: Final = 10
"""Bins over which a throughput is taken: one second."""


class Liveness:
    """Counts answers over time. One thread."""

    def __init__(self) -> None:
        self._origin: int | None = None  # beginning of the calm
        self._bins = array("L")
        self._begins: dict[int, int] = {}
        self.base: float | None = None
        """Answers per second in the calm, once it is judged."""
        self.recovered: float | None = None
        """Seconds from the last fault until the throughput was back, once it is judged."""

    def enter(self, phase: int, time: int) -> None:
        """Note that a phase begins."""
        self._begins[phase] = time
        if phase == Phase.CALM:
            self._origin = time

    def count(self, time: int) -> None:
        """Count an answer of a worker."""
        if self._origin is None or time < self._origin:
            return
        index = (time - self._origin) // _BIN
        if index >= len(self._bins):
            self._bins.extend([0] * (index + 1 - len(self._bins)))
        self._bins[index] += 1

    def judge(self, limits: Limits) -> tuple[Violation | None, bool]:
        """Return a violation or None, and whether the return of the throughput needed the allowance."""
        storm, after = self._begins.get(Phase.STORM), self._begins.get(Phase.AFTER)
        if self._origin is None or storm is None or storm <= self._origin:
            return None, False
        calm = self._bins[: (storm - self._origin) // _BIN]
        if len(calm) == 0 or sum(calm) == 0:
            return None, False
        self.base = sum(calm) / (len(calm) * _BIN / 1e9)
        if after is None or limits.recovery_share <= 0:
            return None, False
        wanted = self.base * limits.recovery_share
        best = self._find(after, wanted)
        if self.recovered is not None and self.recovered <= limits.recovery:
            return None, False
        if self.recovered is not None and self.recovered <= limits.recovery + limits.allowance:
            return None, True
        when = "not before the load ended" if self.recovered is None else f"after {self.recovered:.1f} s"
        text = (
            f"the throughput was {self.base:.0f}/s and should reach {wanted:.0f}/s within "
            f"{limits.recovery:g} s of the last fault: it did {when}; the best second had {best:.0f}"
        )
        return Violation(Invariant.LIVENESS, text, time=after), False

    def _find(self, after: int, wanted: float) -> float:
        """Set `recovered`. Return the best throughput of a second."""
        assert self._origin is not None
        first = -(-(after - self._origin) // _BIN)
        per_window = _WINDOW * _BIN / 1e9
        best = 0.0
        over = self._begins.get(Phase.OVER)
        last = len(self._bins) if over is None else min(len(self._bins), (over - self._origin) // _BIN)
        for begin in range(first, last - _WINDOW + 1):
            rate = sum(self._bins[begin : begin + _WINDOW]) / per_window
            best = max(best, rate)
            if rate >= wanted:
                self.recovered = max(0.0, (begin * _BIN + self._origin - after) / 1e9)
                break
        return best
