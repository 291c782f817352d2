"""Times of the wall clock: a datetime, or the times that a cron expression means in a time zone."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from importlib import import_module
from typing import Any

from corps.errors import ConfigError


def wall_of(when: datetime, zone: str | tzinfo | None) -> float:
    """Return a datetime as seconds since 1970.

    Raises:
        ConfigError: It has no time zone and none is given, or it has one and another one is given, or it is
            out of range.
    """
    if when.tzinfo is not None and zone is not None:
        raise ConfigError(f"corps.at({when!r}, zone={zone!r:.80}): has a time zone already; leave out `zone`")
    if when.tzinfo is None:
        if zone is None:
            raise ConfigError(
                f"corps.at({when!r}): says no time zone; give tzinfo=UTC, or zone='Europe/Berlin' here"
            )
        when = when.replace(tzinfo=zone_of(zone))
    try:
        return when.timestamp()
    except (OverflowError, ValueError) as error:
        raise ConfigError(f"corps.at({when!r}): {error}") from error


def zone_of(zone: str | tzinfo | None) -> tzinfo:
    """Return a time zone by its name; None means UTC, which knows no daylight saving.

    Raises:
        ConfigError: There is none of this name.
    """
    if zone is None:
        return UTC
    if isinstance(zone, tzinfo):
        return zone
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(zone)
    except (ValueError, TypeError, OSError, LookupError) as error:
        raise ConfigError(
            f"corps.at(zone={zone!r:.80}): this system knows no such time zone; give a name such as "
            "'Europe/Berlin' (the package tzdata has them all), or a tzinfo"
        ) from error


class CronTimes:
    """The times that a cron expression means in one time zone. One thread at a time."""

    def __init__(self, expression: str, zone: tzinfo) -> None:
        """Read an expression.

        Raises:
            ConfigError: It is none, or nothing that can read it is installed.
        """
        self._expression = expression
        self._zone = zone
        self._read = _reader()
        self._last: float | None = None  # what the iterator gave last
        try:
            self._times = self._from(datetime(2027, 1, 1, tzinfo=zone))
        except Exception as error:
            raise ConfigError(
                f"corps.at({expression!r:.80}): is no cron expression ({error}); wants minute, hour, day of "
                "the month, month and day of the week, as in '0 3 * * mon-fri'"
            ) from error

    def _from(self, moment: datetime) -> Any:
        return self._read(self._expression, moment)

    def next_after(self, wall: float) -> float | None:
        """Return the first time after this one, or None; both as seconds since 1970."""
        # What is asked for is most often what follows the last answer: to begin anew takes longer.
        try:
            if wall != self._last:
                self._times = self._from(datetime.fromtimestamp(wall, self._zone))
            # Where clocks are set forward, several times may mean one moment. Where they are set back, a time
            # of the first of two equal hours may be asked for in the second one.
            found: float = next(self._times).timestamp()
            while found <= wall:
                found = next(self._times).timestamp()
        except (StopIteration, OverflowError, ValueError, OSError):
            self._last = None
            return None
        self._last = found
        return found


def _reader() -> Callable[[str, datetime], Any]:
    try:
        read: Callable[[str, datetime], Any] = import_module("cronsim").CronSim
    except ImportError as error:
        raise ConfigError(
            "corps.at() with a cron expression needs the package cronsim: pip install 'corps[cron]'"
        ) from error
    return read


def as_utc(wall: float) -> datetime:
    """Return a time of the wall clock as a datetime, or the last one that there is."""
    try:
        return datetime.fromtimestamp(wall, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC)
