"""When a timer is due: decided on values alone, so that a fake clock tests it.

The times of a schedule are seconds: on the monotonic clock of a process, or since 1970 if it goes `by_wall`.
"""

from collections.abc import Callable
from math import floor
from typing import ClassVar, Final, NamedTuple

MOST_COUNTED: Final = 10_000  # missed ticks of a cron expression: counting more would take long

SET_BACK: Final = 3 * 3600.0
"""Seconds by which a clock that is set back means that it was wrong. Cron daemons take the same number."""


class Following(NamedTuple):
    """What follows a tick."""

    due: float | None  # the next one; None if there is none
    missed: int  # ticks between the two whose time is past


class Schedule:
    """The times of one timer. Immutable."""

    # No dataclasses: to make the five of them would take 2 ms of each import of corps.
    __slots__ = ()

    by_wall: ClassVar[bool] = False
    after_end: ClassVar[bool] = False  # whether `follow` wants the time at which the tick before was over
    repeats: ClassVar[bool] = True

    def begin(self, moment: float) -> float | None:
        """Return when the first tick is due if the timer is set at a moment; None if never."""
        raise NotImplementedError

    def follow(self, due: float, moment: float) -> Following:
        """Return what follows a tick that was due at `due`, if it is `moment` now."""
        raise NotImplementedError

    def set_back(self, due: float, moment: float) -> float | None:
        """Return when what waits for `due` is due if the wall clock was set back by more than `SET_BACK`."""
        return due


class Once(Schedule):
    """One tick, so many seconds ahead."""

    __slots__ = ("_seconds",)

    repeats: ClassVar[bool] = False

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def begin(self, moment: float) -> float:
        """See `Schedule.begin`."""
        return moment + self._seconds

    def follow(self, due: float, moment: float) -> Following:
        """See `Schedule.follow`."""
        return Following(None, 0)


class FixedRate(Schedule):
    """A tick each so many seconds, counted from the beginning: a late tick makes no other one late."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def begin(self, moment: float) -> float:
        """See `Schedule.begin`."""
        return moment + self._seconds

    def follow(self, due: float, moment: float) -> Following:
        """See `Schedule.follow`."""
        missed = max(0, floor((moment - due) / self._seconds))
        return Following(due + (missed + 1) * self._seconds, missed)


class FixedDelay(Schedule):
    """A tick so many seconds after the one before was over."""

    __slots__ = ("_seconds",)

    after_end: ClassVar[bool] = True

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def begin(self, moment: float) -> float:
        """See `Schedule.begin`."""
        return moment + self._seconds

    def follow(self, due: float, moment: float) -> Following:
        """See `Schedule.follow`."""
        return Following(moment + self._seconds, 0)


class OnceAt(Schedule):
    """One tick at a time of the wall clock; at once if that is past."""

    __slots__ = ("_wall",)

    by_wall: ClassVar[bool] = True
    repeats: ClassVar[bool] = False

    def __init__(self, wall: float) -> None:
        self._wall = wall

    def begin(self, moment: float) -> float:
        """See `Schedule.begin`."""
        return self._wall

    def follow(self, due: float, moment: float) -> Following:
        """See `Schedule.follow`."""
        return Following(None, 0)


class Recurring(Schedule):
    """Ticks at times of the wall clock, each found from the one before."""

    __slots__ = ("_next_after",)

    by_wall: ClassVar[bool] = True

    def __init__(self, next_after: Callable[[float], float | None]) -> None:
        self._next_after = next_after  # the first time after this one; None if there is none

    def begin(self, moment: float) -> float | None:
        """See `Schedule.begin`."""
        return self._next_after(moment)

    def follow(self, due: float, moment: float) -> Following:
        """See `Schedule.follow`. It counts from `due`, so no time comes twice if the clock is set back."""
        missed = 0
        following = self._next_after(due)
        while following is not None and following <= moment:
            missed += 1
            following = self._next_after(following if missed < MOST_COUNTED else moment)
        return Following(following, missed)

    def set_back(self, due: float, moment: float) -> float | None:
        """See `Schedule.set_back`."""
        return self._next_after(moment)
