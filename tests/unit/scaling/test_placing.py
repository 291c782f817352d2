"""In which Env an instance is begun."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from corps.scaling.placing import FRESH, EnvReport, fresh, place

NOTHING: dict[str, float] = {}


def report(env: int, **given: Any) -> EnvReport:
    plain = {"labels": frozenset(), "busy": 0.1, "workers": 1, "free": {}, "memory_used": 0.1, "at": 0.0}
    return EnvReport(env, **{**plain, **given})


def placed(reports: list[EnvReport], label: str | None = None, needs: dict[str, float] = NOTHING) -> set[Any]:
    """All Envs that chance can lead to."""
    return {place(reports, label, needs, random.Random(seed).randrange) for seed in range(60)}


def test_old_reports_do_not_count() -> None:
    assert [each.env for each in fresh([report(1, at=0.0), report(2, at=4.0)], 4.0 + FRESH)] == [2]


def test_what_has_not_the_label_or_too_little_free_is_left_out() -> None:
    some = [
        report(1, labels=frozenset({"gpu"}), free={"memory": 100.0}),
        report(2, labels=frozenset({"gpu"}), free={"memory": 10.0}),
        report(3, free={"memory": 100.0}),
    ]
    assert placed(some, "gpu", {"memory": 50.0}) == {1}
    assert placed(some, "gpu", {"memory": 101.0}) == {None}
    assert placed(some, None, {"cpu": 1.0}) == {None}  # a report that does not say it has none
    assert placed([]) == {None}


def test_the_better_of_two_is_taken() -> None:
    assert placed([report(1, busy=0.8), report(2)]) == {2}
    assert placed([report(1, workers=9), report(2)]) == {2}
    assert placed([report(1, memory_used=0.9), report(2)]) == {2}
    assert placed([report(1), report(2), report(3, busy=0.5)]) == {1, 2}  # the worst of all never wins


def test_an_overloaded_one_is_taken_only_if_all_are() -> None:
    assert placed([report(1, busy=0.95), report(2, memory_used=0.99), report(3, busy=0.89)]) == {3}
    assert placed([report(1, busy=0.95), report(2, busy=0.99)]) == {1}


@given(
    st.lists(
        st.builds(
            report,
            st.integers(1, 20),
            busy=st.floats(0, 4),
            workers=st.integers(0, 100),
            memory_used=st.floats(0, 1),
            free=st.fixed_dictionaries({"cpu": st.floats(0, 8)}),
        ),
        max_size=8,
    ),
    st.integers(),
)
def test_what_is_chosen_fits_and_is_overloaded_only_if_all_are(reports: list[EnvReport], seed: int) -> None:
    by_env = {each.env: each for each in reports}
    some = list(by_env.values())
    chosen = place(some, None, {"cpu": 1.0}, random.Random(seed).randrange)
    fitting = [each for each in some if each.free["cpu"] >= 1.0]
    assert (chosen is None) == (not fitting)
    if chosen is not None:
        assert by_env[chosen] in fitting
        assert not by_env[chosen].is_overloaded or all(each.is_overloaded for each in fitting)
