from random import Random

import psutil
import pytest

from corps.testing.chaos.judgement import Invariant, Violation
from corps.testing.chaos.sizes import Sample, Size, own_bytes

MIB = 1024 * 1024


def grown(per_hour: float, noise: float = 0.2, hours: float = 2.0) -> list[tuple[float, int]]:
    rng = Random(1)
    at = [60.0 * minute for minute in range(int(60 * hours))]
    return [(x, int((50 + per_hour * x / 3600 + rng.gauss(0, noise)) * MIB)) for x in at]


def judged(samples: list[Sample]) -> list[Violation]:
    return list(Size.of(1, 42, samples).violations())


def test_a_line_is_fitted() -> None:
    size = Size.of(1, 42, [(0.0, 9 * MIB), (1.0, 0), (1.0, 0), (3601.0, MIB), (7201.0, 2 * MIB)])
    assert (size.first, size.most) == (9 * MIB, 9 * MIB)
    assert size.slope == pytest.approx(MIB)
    assert size.error == pytest.approx(0, abs=1e-6)
    assert size.span == 7200.0
    assert Size.of(1, 42, [(0.0, 1), (1.0, 2)]).slope is None
    assert Size.of(1, 42, [(0.0, 1), (0.0, 2), (0.0, 3), (0.0, 4), (0.0, 5)]).slope is None


def test_a_process_that_keeps_its_size_is_in_order() -> None:
    assert judged(grown(0.0)) == []


def test_a_slope_is_a_violation_once_it_is_certain() -> None:
    (violation,) = judged(grown(10.0))
    assert violation.invariant == Invariant.BOUNDED_MEMORY
    assert "env1 (pid 42) grows by" in violation.text
    assert judged(grown(10.0, noise=30.0)) == []


def test_a_slope_of_minutes_says_nothing() -> None:
    assert judged(grown(100.0, hours=0.5)) == []


def test_a_process_that_outgrows_its_room_is_a_violation() -> None:
    (violation,) = judged([(0.0, 10 * MIB), (1.0, 80 * MIB), (2.0, 10 * MIB)])
    assert "from 10 to 80 MiB" in violation.text


def test_the_size_of_a_process_is_read() -> None:
    assert own_bytes(psutil.Process()) > MIB
