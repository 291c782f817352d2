"""Claims about what is counted of failures and recoveries."""

from contextlib import nullcontext

from hypothesis import given
from hypothesis import strategies as st

import corps.observing.counters as counters_module
from corps.observing.counters import Counters, Durations


@given(st.lists(st.floats(-1, 1e6, allow_nan=False)))
def test_durations_give_how_many_how_long_and_the_longest(given_ones: list[float]) -> None:
    durations = Durations()
    for seconds in given_ones:
        durations.add(seconds)
    real = [max(0.0, seconds) for seconds in given_ones]
    assert durations.as_dict()["count"] == len(real)
    assert durations.as_dict()["max"] == max(real, default=0.0)
    assert abs(durations.as_dict()["total"] - sum(real)) <= 1e-6 * max(1.0, sum(real))


@given(st.lists(st.tuples(st.sampled_from(["ended", "failed", "restarted"]), st.sampled_from("abc"))))
def test_every_event_is_counted_once_in_all_and_once_by_name(events: list[tuple[str, str]]) -> None:
    counters = Counters(nullcontext())
    for what, name in events:
        if what == "restarted":
            counters.restarted(name)
        else:
            counters.ended(name, "done", has_failed=what == "failed")
    counts = counters.as_dict()
    assert sum(counts["ends"].values()) == sum(what != "restarted" for what, _ in events)
    for one, many in (("failed", "failures"), ("restarted", "restarts")):
        assert counts[many] == sum(what == one for what, _ in events)
        assert counts[many] == sum(each[many] for each in counts["by_name"].values())


def test_only_the_last_names_are_kept_and_the_sums_stay() -> None:
    counters = Counters(nullcontext())
    most = counters_module._NAMED
    for name in [*map(str, range(most)), "0", "new"]:  # 0 fails again, so it is none of the oldest
        counters.ended(name, "error", has_failed=True)
    counts = counters.as_dict()
    assert len(counts["by_name"]) == most
    assert counts["by_name"]["0"] == {"failures": 2, "restarts": 0}
    assert "1" not in counts["by_name"]
    assert counts["failures"] == most + 2


def test_counts_that_were_given_out_do_not_change_afterwards() -> None:
    counters = Counters(nullcontext())
    counters.ended("a", "error", has_failed=True)
    counts = counters.as_dict()
    counters.ended("a", "killed", has_failed=True)
    counters.recovered(1.0)
    assert counts["by_name"] == {"a": {"failures": 1, "restarts": 0}}
    assert counts["ends"] == {"error": 1}
    assert counts["recovery"]["count"] == 0
