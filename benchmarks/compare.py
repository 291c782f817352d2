"""What has become slower or faster since another run, by more than the noise of both. Pure.

Figures of two runs are not compared as they are: the machine may have been twice as slow. Each is taken as a
ratio to a floor of its own run, round by round, where both runs have one.
"""

import math
import statistics
from dataclasses import dataclass
from typing import Final, Literal

from benchmarks.results import Key, Result, Run, floor_of, ratios

LEAST: Final = 0.05
"""A change below this part is none, however quiet the runs were."""

Verdict = Literal["worse", "better", "same", "unclear"]


@dataclass(frozen=True, slots=True)
class Change:
    """How a result compares with an earlier one.

    Attributes:
        key: Which.
        floor: The name of the floor that both are ratios to; empty: they are compared as they are.
        factor: After over before: above 1 is worse.
        noise: By how much they would differ if nothing had changed; None if that is not known.
        verdict: What this means.
    """

    key: Key
    floor: str
    factor: float
    noise: float | None
    verdict: Verdict


def half_spread(values: list[float]) -> float | None:
    """How far values lie from their median, as a part of it; None for a single value, and around 0."""
    if len(values) < 2 or not statistics.median(values):
        return None
    return (max(values) - min(values)) / 2 / statistics.median(values)


def judge(before: list[float], after: list[float]) -> tuple[float, float | None, Verdict]:
    """Compare the rounds of one run with those of another.

    Args:
        before: One value for each round; less is better.
        after: One value for each round.

    Returns:
        The factor, the noise and the verdict of a `Change`.
    """
    earlier, later = statistics.median(before), statistics.median(after)
    factor = later / earlier if earlier else 1.0 if not later else math.inf
    parts = half_spread(before), half_spread(after)
    if parts[0] is None or parts[1] is None:
        return factor, None, "same" if 1 / (1 + LEAST) <= factor <= 1 + LEAST else "unclear"
    noise = max(LEAST, parts[0] + parts[1])
    if factor > 1 + noise:
        return factor, noise, "worse"
    return factor, noise, "better" if factor < 1 / (1 + noise) else "same"


def changes(before: Run, after: Run) -> list[Change]:
    """Compare what corps did in two runs.

    Args:
        before: The earlier run.
        after: The later run.

    Returns:
        A change for each result of corps that both have.
    """
    earlier = {
        result.key: (result, floor_of(result, beside))
        for _, _, beside in before.side_by_side()
        for result in beside
    }
    found = []
    for _, _, beside in after.side_by_side():
        for result in beside:
            if result.role != "corps" or result.key not in earlier:
                continue
            old, old_floor = earlier[result.key]
            floor = floor_of(result, beside)
            if floor is None or old_floor is None or floor.key != old_floor.key:
                floor = old_floor = None
            judged = judge(_values(old, old_floor), _values(result, floor))
            found.append(Change(result.key, floor.key.subject if floor else "", *judged))
    return found


def _values(result: Result, floor: Result | None) -> list[float]:
    if floor is None:
        return [one.p50 for one in result.rounds]
    return ratios(result, floor)
