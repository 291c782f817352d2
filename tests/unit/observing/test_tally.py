"""Claims about what is counted of failures and recoveries."""

from hypothesis import given
from hypothesis import strategies as st

import corps.observing.tally as tally_module
from corps.observing.tally import Durations, Tally


@given(st.lists(st.floats(-1, 1e6, allow_nan=False)))
def test_durations_tell_how_many_how_long_and_the_longest(given_ones: list[float]) -> None:
    durations = Durations()
    for seconds in given_ones:
        durations.add(seconds)
    real = [max(0.0, seconds) for seconds in given_ones]
    assert durations.as_dict()["count"] == len(real)
    assert durations.as_dict()["max"] == max(real, default=0.0)
    assert abs(durations.as_dict()["total"] - sum(real)) <= 1e-6 * max(1.0, sum(real))


@given(st.lists(st.tuples(st.sampled_from(["ended", "failed", "restarted"]), st.sampled_from("abc"))))
def test_every_event_is_counted_once_in_all_and_once_by_name(events: list[tuple[str, str]]) -> None:
    tally = Tally()
    for what, name in events:
        getattr(tally, what)(name)
    told = tally.as_dict()
    assert sum(told["ends"].values()) == sum(what == "ended" for what, _ in events)
    for one, many in (("failed", "failures"), ("restarted", "restarts")):
        assert told[many] == sum(what == one for what, _ in events)
        assert told[many] == sum(counts[many] for counts in told["by_name"].values())


def test_only_the_last_names_are_kept_and_the_sums_stay() -> None:
    tally = Tally()
    most = tally_module._NAMED
    for number in range(most):
        tally.failed(str(number))
    tally.failed("0")  # again, so it is none of the oldest
    tally.failed("new")
    told = tally.as_dict()
    assert len(told["by_name"]) == most
    assert told["by_name"]["0"] == {"failures": 2, "restarts": 0}
    assert "1" not in told["by_name"]
    assert told["failures"] == most + 2


def test_what_was_told_does_not_change_afterwards() -> None:
    tally = Tally()
    tally.failed("a")
    told = tally.as_dict()
    tally.failed("a")
    tally.ended("error")
    tally.recovered(1.0)
    assert told["by_name"] == {"a": {"failures": 1, "restarts": 0}}
    assert told["ends"] == {}
    assert told["recovery"]["count"] == 0
