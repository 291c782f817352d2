"""What is done when: a storm is planned from its seed alone. Pure.

The gaps between faults are exponential, as those of independent accidents are. Each fault has a seed of its
own, so what it draws does not depend on what those before it have drawn: a storm can be replayed from any
fault on, and dropping one leaves the others as they were.
"""

from collections.abc import Iterator, Mapping
from itertools import count as counting
from random import Random
from typing import NamedTuple


class Planned(NamedTuple):
    """One fault to come."""

    number: int  # from 1, in the order of time
    at: float  # seconds after the beginning of the storm
    fault: str  # which kind
    seed: str  # for what it draws itself


def plan(
    seed: int,
    weights: Mapping[str, float],
    *,
    mean_gap: float = 2.0,
    count: int | None = None,
    seconds: float | None = None,
) -> Iterator[Planned]:
    """Plan a storm, or raise ValueError if there are no kinds, or the gap is not above 0."""
    kinds = sorted(kind for kind, weight in weights.items() if weight > 0)
    if not kinds or mean_gap <= 0:
        raise ValueError(
            f"a plan wants kinds of faults and a gap above 0, not {dict(weights)} and {mean_gap}"
        )
    rng = Random(seed)
    at = 0.0
    for number in counting(1):
        at += rng.expovariate(1.0 / mean_gap)
        fault = rng.choices(kinds, [weights[kind] for kind in kinds])[0]
        if (count is not None and number > count) or (seconds is not None and at > seconds):
            return
        yield Planned(number, at, fault, f"{seed}/{number}")
