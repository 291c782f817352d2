"""Liveness (I12): whether the throughput comes back when the faults have stopped. Pure."""

from collections import Counter
from typing import Final

from corps.testing.chaos.judgement import Limits, Summary
from corps.testing.chaos.witness import Phase

_BIN: Final = 100_000_000
"""Nanoseconds in which answers are counted together."""
_PER_SECOND: Final = 10
"""Bins of one second, over which a throughput is taken."""


class Liveness:
    """Counts answers over time. One thread."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()  # numbered from the beginning of the calm
        self._begins: dict[int, int] = {}

    def enter(self, phase: int, time: int) -> None:
        """Note that a phase begins."""
        self._begins[phase] = time

    def count(self, time: int) -> None:
        """Count an answer of a worker."""
        calm = self._begins.get(Phase.CALM)
        if calm is not None and time >= calm:
            self._bins[(time - calm) // _BIN] += 1

    def judge(self, limits: Limits, summary: Summary) -> str | None:
        """Return what did not hold, or None. Set what the summary says of the throughput."""
        calm, storm = self._begins.get(Phase.CALM), self._begins.get(Phase.STORM)
        if calm is None or storm is None or storm - calm < _BIN:
            return None
        base = self._rate(0, (storm - calm) // _BIN)
        if not base:
            return None
        summary.base = base
        after, over = self._begins.get(Phase.AFTER), self._begins.get(Phase.OVER)
        if after is None or limits.recovery_share <= 0:
            return None
        wanted = base * limits.recovery_share
        first = -(-(after - calm) // _BIN)
        last = max(self._bins) + 1 if over is None else (over - calm) // _BIN
        rates = [self._rate(begin, begin + _PER_SECOND) for begin in range(first, last - _PER_SECOND + 1)]
        back = next((index for index, rate in enumerate(rates, first) if rate >= wanted), None)
        when = "not before the load ended"
        if back is not None:
            summary.recovered = max(0.0, (back * _BIN + calm - after) / 1e9)
            if summary.recovered <= limits.recovery + limits.allowance:
                summary.late += summary.recovered > limits.recovery
                return None
            when = f"after {summary.recovered:.1f} s"
        return (
            f"the throughput was {base:.0f}/s and should reach {wanted:.0f}/s within {limits.recovery:g} s "
            f"of the last fault: it did {when}; the best second had {max(rates, default=0.0):.0f}"
        )

    def _rate(self, first: int, last: int) -> float:
        """Return the answers per second from one bin up to another."""
        return sum(self._bins[index] for index in range(first, last)) * _PER_SECOND / (last - first)
