"""The only place that reads the time.

Durations are seconds as float. A point in time is a *deadline*: seconds on the monotonic clock of this
process. Deadlines never travel: what goes over a wire is the time that remains.
"""

import time
from typing import Final

_LONGEST: Final = 1e9  # thirty years: the system refuses to wait for 292, and so for infinity

now = time.monotonic
"""Seconds on the monotonic clock of this process."""


wall_time = time.time
"""Seconds since 1970, for people to read. It may jump: no duration is ever taken from it."""


def deadline_after(seconds: float | None) -> float | None:
    """The deadline that lies `seconds` ahead; None stands for no deadline.

    Args:
        seconds: The time from now, or None.

    Returns:
        The deadline, or None.
    """
    return None if seconds is None else now() + seconds


def remaining(deadline: float | None) -> float | None:
    """The seconds left until a deadline, as something that can be waited for; None stands for no deadline.

    Args:
        deadline: A point on the monotonic clock, or None.

    Returns:
        Seconds, never negative and never more than the system can wait for; or None.
    """
    return None if deadline is None else min(max(0.0, deadline - now()), _LONGEST)


def earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two deadlines, where None stands for none at all.

    Args:
        one: A deadline or None.
        other: A deadline or None.

    Returns:
        The one that comes first, or None where both are None.
    """
    if one is None:
        return other
    return one if other is None or one < other else other


def give_way() -> None:
    """Let another thread run that wants to, in the middle of work that does not let go of the interpreter."""
    time.sleep(0)
