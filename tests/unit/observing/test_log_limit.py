"""Claims about how often something may be said."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from corps.observing.log_limit import LogLimit

STEPS = st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 3, allow_nan=False)), max_size=60)


def test_the_first_of_a_kind_passes_and_the_next_after_a_while() -> None:
    limit: LogLimit[str] = LogLimit()
    assert limit.passes("a", 10.0) == 0
    assert limit.passes("b", 10.0) == 0
    assert limit.passes("a", 10.5) is None
    assert limit.passes("a", 10.9) is None
    assert limit.passes("a", 11.0) == 2
    assert limit.passes("a", 12.0) == 0


@given(STEPS)
def test_no_two_of_a_kind_within_a_second_and_every_one_is_shown_or_counted(
    steps: list[tuple[str, float]],
) -> None:
    limit: LogLimit[str] = LogLimit()
    at = 0.0
    last: dict[str, float] = {}
    asked: Counter[str] = Counter()
    told: Counter[str] = Counter()
    for kind, pause in steps:
        at += pause
        asked[kind] += 1
        hidden = limit.passes(kind, at)
        if hidden is None:
            assert at < last[kind] + 1.0
            continue
        assert kind not in last or at >= last[kind] + 1.0
        told[kind] += 1 + hidden
        assert told[kind] == asked[kind]
        last[kind] = at
