import os
from random import Random

import pytest

from corps.testing.chaos.growth import Bounds, fitted, judge_growth, own_bytes
from corps.testing.chaos.judgement import Invariant

MIB = 1024 * 1024
BOUNDS = Bounds()


def grown(per_hour: float, noise: float = 0.2, hours: float = 2.0) -> list[tuple[float, int]]:
    rng = Random(1)
    at = [60.0 * minute for minute in range(int(60 * hours))]
    return [(x, int((50 + per_hour * x / 3600 + rng.gauss(0, noise)) * MIB)) for x in at]


def test_a_line_is_fitted() -> None:
    line = fitted([(0.0, 0), (3600.0, MIB), (7200.0, 2 * MIB)])
    assert line is not None
    assert line.slope == pytest.approx(MIB)
    assert line.error == pytest.approx(0)
    assert line.span == 7200.0
    assert fitted([(0.0, 1), (1.0, 2)]) is None
    assert fitted([(0.0, 1), (0.0, 2), (0.0, 3)]) is None


def test_a_process_that_keeps_its_size_is_in_order() -> None:
    assert list(judge_growth("env1", grown(0.0), BOUNDS)) == []
    assert list(judge_growth("env1", [], BOUNDS)) == []


def test_a_slope_is_a_violation_once_it_is_certain() -> None:
    (violation,) = judge_growth("env1", grown(10.0), BOUNDS)
    assert violation.invariant == Invariant.BOUNDED_MEMORY
    assert "env1 grows by" in violation.text
    assert list(judge_growth("env1", grown(10.0, noise=30.0), BOUNDS)) == []


def test_a_slope_of_minutes_says_nothing() -> None:
    assert list(judge_growth("env1", grown(100.0, hours=0.5), BOUNDS)) == []


def test_a_process_that_outgrows_its_room_is_a_violation() -> None:
    (violation,) = judge_growth("env1", [(0.0, 10 * MIB), (1.0, 80 * MIB), (2.0, 10 * MIB)], BOUNDS)
    assert "from 10 to 80 MiB" in violation.text


def test_the_size_of_a_process_is_read() -> None:
    size = own_bytes(os.getpid())
    assert size is not None
    assert size > MIB
    assert own_bytes(2**22 + 1) is None
