"""Claims about schedules: when ticks are due, and how many were missed. No clock runs here."""

from corps.services.timers.schedules import MOST_COUNTED, FixedDelay, FixedRate, Once, OnceAt, Recurring


def hourly(wall: float) -> float:
    return (wall // 3600 + 1) * 3600


def test_once_is_due_once() -> None:
    once = Once(5.0)
    assert once.begin(100.0) == 105.0
    assert once.follow(105.0, 106.0) == (None, 0)
    assert not once.repeats


def test_a_fixed_rate_is_not_made_late_by_a_late_tick() -> None:
    rate = FixedRate(10.0)
    assert rate.begin(100.0) == 110.0
    assert rate.follow(110.0, 113.0) == (120.0, 0)


def test_a_fixed_rate_counts_the_ticks_whose_time_is_past() -> None:
    assert FixedRate(10.0).follow(110.0, 145.0) == (150.0, 3)
    assert FixedRate(10.0).follow(110.0, 140.0) == (150.0, 3)


def test_a_fixed_rate_takes_a_clock_that_stands() -> None:
    assert FixedRate(10.0).follow(110.0, 110.0) == (120.0, 0)


def test_a_fixed_delay_counts_from_the_end_of_the_tick_before() -> None:
    delay = FixedDelay(10.0)
    assert delay.begin(100.0) == 110.0
    assert delay.follow(110.0, 133.0) == (143.0, 0)
    assert delay.after_end


def test_a_time_that_is_past_is_due_at_once() -> None:
    once = OnceAt(50.0)
    assert once.begin(100.0) == 50.0
    assert once.follow(50.0, 100.0) == (None, 0)


def test_recurring_times_are_each_found_from_the_one_before() -> None:
    times = Recurring(hourly)
    assert times.begin(1800.0) == 3600.0
    assert times.follow(3600.0, 3601.0) == (7200.0, 0)


def test_recurring_times_that_were_slept_through_are_counted() -> None:
    assert Recurring(hourly).follow(3600.0, 5 * 3600.0 + 1) == (6 * 3600.0, 4)


def test_no_time_comes_twice_when_the_clock_is_set_back() -> None:
    assert Recurring(hourly).follow(7200.0, 7200.0 - 600) == (10800.0, 0)


def test_a_clock_that_was_wrong_begins_anew() -> None:
    assert Recurring(hourly).set_back(360_000.0, 1800.0) == 3600.0
    assert OnceAt(50.0).set_back(50.0, 1.0) == 50.0


def test_missed_times_are_counted_up_to_a_limit() -> None:
    minutely = Recurring(lambda wall: (wall // 60 + 1) * 60)
    year = 365 * 86400.0
    assert minutely.follow(60.0, 60.0 + year) == (120.0 + year, MOST_COUNTED)


def test_recurring_times_may_end() -> None:
    times = Recurring(lambda wall: None if wall >= 100 else 100.0)
    assert times.follow(100.0, 100.0) == (None, 0)
    assert times.begin(200.0) is None
