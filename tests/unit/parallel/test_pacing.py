"""The size of chunks: by what was measured, within bounds."""

import numpy as np

from corps.parallel.pacing import GROWTH, LEAST, MOST, MOST_BYTES, MOST_ITEMS, Pace


def after(pace: Pace, each: float, rounds: int = 10) -> int:
    for _ in range(rounds):
        size = pace.next_size()
        pace.drawn([0] * size)
        pace.measured(size, size * each)
    return pace.next_size()


def test_the_first_chunk_has_one_item() -> None:
    assert Pace(None, 2).next_size() == 1


def test_a_size_that_was_chosen_stays() -> None:
    pace = Pace(7, 2)
    pace.measured(7, 100.0)
    assert pace.next_size() == 7


def test_the_work_on_a_chunk_takes_10_to_50_ms_after_some_chunks() -> None:
    for each in (1e-5, 1e-4, 1e-3, 5e-3):
        assert LEAST <= after(Pace(None, 2), each) * each <= MOST


def test_slow_calls_go_one_by_one() -> None:
    assert after(Pace(None, 2), 1.0) == 1


def test_no_chunk_holds_more_than_so_many_items() -> None:
    assert after(Pace(None, 2), 0.0) == MOST_ITEMS


def test_chunks_grow_step_by_step_because_later_items_may_be_unlike() -> None:
    pace = Pace(None, 2)
    pace.measured(1, 0.0)
    assert pace.next_size() == GROWTH


def test_an_early_small_chunk_that_answers_late_shrinks_nothing() -> None:
    pace = Pace(None, 2)
    after(pace, 1e-6)
    size = pace.next_size()
    pace.measured(1, 1e-6)
    assert pace.next_size() == size


def test_a_chunk_shrinks_at_once_when_calls_get_slower() -> None:
    pace = Pace(None, 2)
    after(pace, 1e-6)
    pace.measured(1000, 10.0)
    assert pace.next_size() == 2


def test_where_the_end_is_known_the_last_chunks_are_small_so_that_all_workers_end_together() -> None:
    pace = Pace(None, 2, 1000)
    sizes = []
    left = 1000
    while left:
        size = min(pace.next_size(), left)
        left -= size
        pace.drawn([0] * size)
        pace.measured(size, 0.0)
        sizes.append(size)
    assert max(sizes) > 100
    assert sizes[-1] == 1


def test_large_items_make_small_chunks() -> None:
    pace = Pace(None, 2)
    after(pace, 0.0)
    pace.drawn([np.zeros(1 << 20, "uint8")])
    assert pace.next_size() == MOST_BYTES >> 20
