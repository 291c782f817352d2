from itertools import islice
from random import Random

import pytest

from corps.testing.chaos.plan import plan

WEIGHTS = {"kill": 3.0, "stop": 1.0, "never": 0.0}


def test_the_same_seed_gives_the_same_plan() -> None:
    one, other = (list(plan(7, WEIGHTS, count=50)) for _ in range(2))
    assert one == other
    assert [Random(each.seed).random() for each in one] == [Random(each.seed).random() for each in other]
    assert one != list(plan(8, WEIGHTS, count=50))


def test_faults_draw_from_seeds_of_their_own() -> None:
    drawn = {Random(each.seed).random() for each in plan(7, WEIGHTS, count=50)}
    assert len(drawn) == 50


def test_faults_come_in_the_order_of_time_at_the_mean_gap_and_by_weight() -> None:
    planned = list(plan(1, WEIGHTS, mean_gap=0.5, count=4000))
    times = [each.at for each in planned]
    assert times == sorted(times)
    assert times[-1] / len(times) == pytest.approx(0.5, rel=0.1)
    assert sum(each.fault == "kill" for each in planned) / len(planned) == pytest.approx(0.75, abs=0.05)
    assert {each.fault for each in planned} == {"kill", "stop"}


def test_a_plan_ends_by_time_or_by_number_or_not_at_all() -> None:
    assert all(each.at <= 10 for each in plan(1, WEIGHTS, seconds=10))
    assert len(list(plan(1, WEIGHTS, seconds=1000, count=3))) == 3
    assert [each.number for each in islice(plan(1, WEIGHTS), 3)] == [1, 2, 3]


@pytest.mark.parametrize(("weights", "gap"), [({}, 1.0), ({"kill": 0.0}, 1.0), (WEIGHTS, 0.0)])
def test_a_plan_of_nothing_is_refused(weights: dict[str, float], gap: float) -> None:
    with pytest.raises(ValueError, match="a plan wants"):
        list(plan(1, weights, mean_gap=gap, count=1))
