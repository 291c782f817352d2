"""Claims about times of the wall clock: cron expressions, daylight saving, leap years. No clock runs here."""

import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from corps.errors import ConfigError
from corps.services.timers.schedules import Recurring
from corps.services.timers.wall_times import CronTimes, wall_of, zone_of

BERLIN = ZoneInfo("Europe/Berlin")  # forward on 28 March 2027 at 2:00, back on 31 October 2027 at 3:00
NEW_YORK = ZoneInfo("America/New_York")  # forward on 14 March 2027, back on 7 November 2027


def at(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, *, zone: Any = UTC, fold: int = 0
) -> float:
    return datetime(year, month, day, hour, minute, tzinfo=zone, fold=fold).timestamp()


def times(expression: str, begin: float, count: int, zone: Any = UTC) -> list[str]:
    """The next times, as texts of their zone, each found from the one before."""
    cron, found = CronTimes(expression, zone), begin
    texts = []
    for _ in range(count):
        following = cron.next_after(found)
        assert following is not None
        assert following > found
        found = following
        texts.append(datetime.fromtimestamp(found, zone).isoformat(" ", "minutes"))
    return texts


def test_working_days() -> None:
    friday = at(2027, 1, 1, 12)
    assert times("0 3 * * mon-fri", friday, 2) == ["2027-01-04 03:00+00:00", "2027-01-05 03:00+00:00"]


def test_what_is_asked_for_is_not_given() -> None:
    assert times("0 3 * * *", at(2027, 1, 1, 3), 1) == ["2027-01-02 03:00+00:00"]
    assert times("0 3 * * *", at(2027, 1, 1, 3) - 0.25, 1) == ["2027-01-01 03:00+00:00"]
    assert times("0 3 * * *", at(2027, 1, 1, 3) + 0.25, 1) == ["2027-01-02 03:00+00:00"]


def test_it_may_be_asked_for_other_times_between() -> None:
    cron = CronTimes("0 3 * * *", UTC)
    assert cron.next_after(at(2027, 1, 1)) == at(2027, 1, 1, 3)
    assert cron.next_after(at(2026, 1, 1)) == at(2026, 1, 1, 3)
    assert cron.next_after(at(2026, 1, 1, 3)) == at(2026, 1, 2, 3)


def test_the_29th_of_february_comes_in_leap_years_alone() -> None:
    assert times("0 0 29 2 *", at(2027, 1, 1), 2) == ["2028-02-29 00:00+00:00", "2032-02-29 00:00+00:00"]
    assert times("0 0 29 2 *", at(2096, 3, 1), 1) == ["2104-02-29 00:00+00:00"]  # 2100 is none


def test_the_last_day_of_february() -> None:
    assert times("0 0 L 2 *", at(2027, 1, 1), 2) == ["2027-02-28 00:00+00:00", "2028-02-29 00:00+00:00"]


def test_the_31st_comes_in_long_months_alone() -> None:
    assert times("0 0 31 * *", at(2027, 2, 1), 2) == ["2027-03-31 00:00+00:00", "2027-05-31 00:00+00:00"]


def test_a_time_that_is_skipped_in_spring_comes_when_the_hour_is_over() -> None:
    saturday = at(2027, 3, 27, 12, zone=BERLIN)
    assert times("30 2 * * *", saturday, 2, BERLIN) == ["2027-03-28 03:00+02:00", "2027-03-29 02:30+02:00"]


def test_several_times_that_are_skipped_in_spring_come_once() -> None:
    saturday = at(2027, 3, 27, 12, zone=BERLIN)
    assert times("0,20,40 2 * * *", saturday, 2, BERLIN) == [
        "2027-03-28 03:00+02:00",
        "2027-03-29 02:00+02:00",
    ]


def test_a_time_that_comes_twice_in_autumn_counts_once() -> None:
    saturday = at(2027, 10, 30, 12, zone=BERLIN)
    assert times("30 2 * * *", saturday, 2, BERLIN) == ["2027-10-31 02:30+02:00", "2027-11-01 02:30+01:00"]


def test_a_timer_that_is_set_in_the_second_of_two_equal_hours_begins_the_next_day() -> None:
    second = at(2027, 10, 31, 2, 15, zone=BERLIN, fold=1)
    assert times("30 2 * * *", second, 1, BERLIN) == ["2027-11-01 02:30+01:00"]


def test_what_comes_every_half_hour_comes_in_both_of_two_equal_hours() -> None:
    before = at(2027, 10, 31, 1, 45, zone=BERLIN)
    assert times("*/30 * * * *", before, 5, BERLIN) == [
        "2027-10-31 02:00+02:00",
        "2027-10-31 02:30+02:00",
        "2027-10-31 02:00+01:00",
        "2027-10-31 02:30+01:00",
        "2027-10-31 03:00+01:00",
    ]


def test_what_comes_every_half_hour_keeps_its_distance_in_spring() -> None:
    before = at(2027, 3, 28, 1, 15, zone=BERLIN)
    assert times("*/30 * * * *", before, 3, BERLIN) == [
        "2027-03-28 01:30+01:00",
        "2027-03-28 03:00+02:00",
        "2027-03-28 03:30+02:00",
    ]


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK])
def test_a_daily_time_comes_on_each_day_of_a_year_once(zone: ZoneInfo) -> None:
    days = [text[:10] for text in times("30 2 * * *", at(2027, 1, 1, zone=zone), 365, zone)]
    assert len(set(days)) == 365


def test_a_night_that_was_slept_through_is_counted_in_days() -> None:
    cron = Recurring(CronTimes("0 3 * * *", BERLIN).next_after)
    due, later = at(2027, 3, 27, 3, zone=BERLIN), at(2027, 3, 30, 12, zone=BERLIN)
    assert cron.follow(due, later) == (at(2027, 3, 31, 3, zone=BERLIN), 3)


def test_what_never_comes_is_refused_or_has_no_time() -> None:
    with pytest.raises(ConfigError, match="is no cron expression"):
        CronTimes("0 0 30 2 *", UTC)
    assert CronTimes("0 0 1 1 *", UTC).next_after(at(9999, 6, 1)) is None


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "61 * * * *",
        "* * * * xyz",
        "a b c d e",
        "MON#5/2 * * * *",
        "* * * * mon#5/2",
        "1/0 * * * *",
    ],
)
def test_nonsense_is_refused(expression: str) -> None:
    with pytest.raises(ConfigError, match=r"is no cron expression .*wants minute, hour, day of the month"):
        CronTimes(expression, UTC)


def test_without_cronsim_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cronsim", None)
    with pytest.raises(ConfigError, match=r"pip install 'corps\[cron\]'"):
        CronTimes("* * * * *", UTC)


def test_a_datetime_with_a_zone_is_one_moment() -> None:
    assert wall_of(datetime(2027, 1, 1, tzinfo=UTC), None) == at(2027, 1, 1)
    east = timezone(timedelta(hours=1))
    assert wall_of(datetime(2027, 1, 1, 1, tzinfo=east), None) == at(2027, 1, 1)


def test_a_datetime_without_a_zone_takes_the_given_one() -> None:
    assert wall_of(datetime(2027, 7, 1), "Europe/Berlin") == at(2027, 6, 30, 22)
    assert wall_of(datetime(2027, 7, 1), BERLIN) == at(2027, 6, 30, 22)


def test_a_datetime_that_is_skipped_or_comes_twice() -> None:
    assert wall_of(datetime(2027, 3, 28, 2, 30), BERLIN) == at(2027, 3, 28, 1, 30)  # half past three there
    assert wall_of(datetime(2027, 10, 31, 2, 30), BERLIN) == at(2027, 10, 31, 0, 30)
    assert wall_of(datetime(2027, 10, 31, 2, 30, fold=1), BERLIN) == at(2027, 10, 31, 1, 30)


def test_what_says_no_zone_or_two_is_refused() -> None:
    with pytest.raises(ConfigError, match="says no time zone"):
        wall_of(datetime(2027, 1, 1), None)
    with pytest.raises(ConfigError, match="has a time zone already"):
        wall_of(datetime(2027, 1, 1, tzinfo=UTC), "Europe/Berlin")


@pytest.mark.parametrize("zone", ["Europe/Berlinn", "", "../etc/passwd", "/etc/passwd", 3, "\0"])
def test_a_zone_that_there_is_not_is_refused(zone: Any) -> None:
    with pytest.raises(ConfigError, match="this system knows no such time zone"):
        zone_of(zone)


def test_no_zone_is_utc() -> None:
    assert zone_of(None) is UTC
