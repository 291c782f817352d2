"""The only place that reads the time.

Durations are seconds as float. A point in time is a *deadline*: seconds on the monotonic clock of this
process. A deadline never travels; the time that remains goes over the wire.
"""

import time
from typing import Final

_LONGEST: Final = 1e9  # thirty years: the system refuses to wait for 292, and so for infinity

now = time.monotonic  # seconds on the monotonic clock of this process

wall_time = time.time
"""Seconds since 1970, for people to read. It may jump, so no duration is computed from it."""


def deadline_after(seconds: float | None) -> float | None:
    """Return the deadline that lies `seconds` ahead; None stands for no deadline."""
    return None if seconds is None else now() + seconds


def remaining(deadline: float | None) -> float | None:
    """Return the seconds until a deadline, as a time to wait; None stands for no deadline."""
    return None if deadline is None else min(max(0.0, deadline - now()), _LONGEST)


def earlier(one: float | None, other: float | None) -> float | None:
    """Return the earlier of two deadlines; None stands for no deadline."""
    if one is None:
        return other
    return one if other is None or one < other else other


def give_way() -> None:
    """Let another thread run, in the middle of work that keeps the interpreter."""
    time.sleep(0)
