"""Claims about what an author declares about failures."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.errors import ConfigError
from corps.messages.endings import ORDERLY, Reason
from corps.supervision.restarts import Restart

REASONS = list(get_args(Reason))
FAILURES = [reason for reason in REASONS if reason not in ORDERLY]


@pytest.mark.parametrize(
    "wrong",
    [
        {"policy": "always"},
        {"policy": None},
        {"policy": ["permanent"]},
        {"within": "x"},
        {"within": None},
        {"backoff": 5},
        {"backoff": (1,)},
        {"backoff": (1, 2, 3)},
        {"backoff": ("a", "b")},
        {"max": -1},
        {"max": 1.0},
        {"max": True},
        {"within": 0},
        {"within": -1.0},
        {"within": float("nan")},
        {"backoff": (-0.1, 1.0)},
        {"backoff": (2.0, 1.0)},
        {"backoff": (float("nan"), 1.0)},
        {"backoff": (0.0, float("nan"))},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"Restart\("):
        Restart(**wrong)


@pytest.mark.parametrize("reason", REASONS)
def test_the_permanent_always_come_back_and_the_temporary_never(reason: Reason) -> None:
    assert Restart("permanent").brings_back(reason)
    assert not Restart("temporary").brings_back(reason)


def test_the_transient_come_back_after_a_failure_only() -> None:
    back = [reason for reason in REASONS if Restart("transient").brings_back(reason)]
    assert back == FAILURES


def test_the_first_restart_comes_at_once_and_then_the_delay_doubles() -> None:
    restart = Restart(backoff=(0.1, 1.0))
    assert [restart.delay_before(nth) for nth in range(1, 8)] == [0.0, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


@given(st.floats(0, 100), st.floats(0, 1000), st.integers(1, 10**6))
def test_a_delay_never_shrinks_and_stays_in_its_bounds(shortest: float, more: float, nth: int) -> None:
    restart = Restart(backoff=(shortest, shortest + more))
    first, second = restart.delay_before(nth), restart.delay_before(nth + 1)
    assert 0 <= first <= second <= shortest + more
    assert second >= shortest
