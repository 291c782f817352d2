"""What is sent and given next."""

from typing import Any

from corps.parallel.feeder import Chunk, Feeder, Result
from corps.parallel.pacing import Pace


def feeder(window: int = 4, size: int = 2, **options: Any) -> Feeder:
    return Feeder(Pace(size, 2), window=window, **options)


def draw(feeder: Feeder, *items: Any) -> Chunk:
    assert feeder.wanted()
    chunk = feeder.drawn(items)
    assert chunk is not None
    return chunk


def test_no_more_is_drawn_than_the_window_allows() -> None:
    it = feeder(window=2)
    first, _ = draw(it, 1, 2), draw(it, 3, 4)
    assert it.wanted() == 0
    it.done(first, Result([1, 2]))
    assert it.wanted() == 0  # it holds what was not given yet
    assert it.ready() == [Result([1, 2])]
    assert it.wanted() == 2


def test_results_are_given_in_the_order_of_the_items() -> None:
    it = feeder()
    first, second, third = draw(it, 1), draw(it, 2), draw(it, 3)
    it.done(third, Result([3]))
    it.done(second, Result([2]))
    assert it.ready() == []
    it.done(first, Result([1]))
    assert it.ready() == [Result([1]), Result([2]), Result([3])]


def test_without_order_they_are_given_as_they_come() -> None:
    it = feeder(ordered=False)
    _, second = draw(it, 1), draw(it, 2)
    it.done(second, Result([2]))
    assert it.ready() == [Result([2])]


def test_it_is_over_when_all_that_was_drawn_is_given() -> None:
    it = feeder()
    chunk = draw(it, 1)
    assert it.drawn([]) is None
    assert not it.is_over
    it.done(chunk, Result([1]))
    assert not it.is_over
    it.ready()
    assert it.is_over


def test_nothing_is_drawn_after_an_error() -> None:
    it = feeder()
    it.done(draw(it, 1), Result([], ValueError()))
    it.ready()
    assert it.wanted() == 0
    assert it.is_over


def test_a_chunk_knows_where_its_items_stand_among_all() -> None:
    it = feeder()
    assert [draw(it, 1, 2).first, draw(it, 3, 4).first] == [0, 2]


def test_a_chunk_that_had_not_begun_is_sent_again() -> None:
    it = feeder()
    chunk = draw(it, 1)
    assert it.lost(chunk, "no")
    assert it.has_again
    assert it.again() is chunk
    assert not it.has_again


def test_a_chunk_that_may_have_run_is_sent_again_only_if_that_does_no_harm() -> None:
    assert not feeder().lost(Chunk(0, 0, [1]), "unknown")
    assert feeder(idempotent=True).lost(Chunk(0, 0, [1]), "unknown")


def test_a_chunk_that_killed_three_processes_is_sent_to_no_fourth() -> None:
    it = feeder(idempotent=True)
    chunk = draw(it, 1)
    for _ in range(2):
        chunk.tries += 1
        assert it.lost(chunk, "unknown")
    chunk.tries += 1
    assert not it.lost(chunk, "unknown")
