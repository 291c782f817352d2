"""Claims about waiting for many Futures at once, over every path."""

import asyncio
import random
from typing import Any

import pytest

import corps
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Counter, Holder, Latch


@pytest.fixture
def latch(way: Way) -> corps.Name[Latch]:
    return way.create(Latch)


def test_wait_any_gives_the_first_that_is_done(way: Way, latch: corps.Name[Latch]) -> None:
    _, slow = way.busy(latch)
    quick = way.create(Counter).add(3)
    assert corps.wait_any([slow, quick]) is quick
    assert corps.wait_any([slow, quick, slow, quick], timeout=20) is quick
    latch.open().result()
    assert corps.wait_any([slow]) is slow


def test_wait_any_counts_failures_and_cancellations_as_done(way: Way, latch: corps.Name[Latch]) -> None:
    holder, slow = way.busy(latch)
    bad = way.create(Counter).add("x")
    assert corps.wait_any([slow, bad]) is bad
    queued = holder.note(1)
    queued.cancel()
    assert corps.wait_any([slow, queued]) is queued
    latch.open().result()


def test_waits_give_up_after_their_time_and_can_be_repeated(way: Way, latch: corps.Name[Latch]) -> None:
    _, slow = way.busy(latch)
    quick = way.create(Counter).add()
    for _ in range(3):
        with pytest.raises(corps.WaitTimeout, match=r"1 of 1 Futures were not done within 0\.001 s"):
            corps.wait_any([slow, slow], timeout=0.001)
        with pytest.raises(corps.WaitTimeout, match="1 of 2 Futures were not done"):
            corps.wait_all([slow, quick], timeout=0.03)
    iterator = corps.as_completed([slow, quick], timeout=0.05)
    assert next(iterator) is quick
    with pytest.raises(corps.WaitTimeout):
        next(iterator)
    latch.open().result()
    assert corps.wait_all([slow, quick], timeout=20) == [slow, quick]


def test_waits_given_up_leave_nothing_at_the_future(way: Way, latch: corps.Name[Latch]) -> None:
    _, slow = way.busy(latch)
    for wait in (corps.wait_any, corps.wait_all, lambda fs, timeout: fs[0].result(timeout)):
        with pytest.raises(corps.WaitTimeout):
            wait([slow], timeout=0.0)
    assert not slow._callbacks
    latch.open().result()


def test_waiting_for_nothing_is_over_at_once(way: Way) -> None:
    assert corps.wait_all([]) == []
    assert list(corps.as_completed([])) == []
    assert corps.gather().ret == []
    with pytest.raises(ValueError, match="at least one Future"):
        corps.wait_any([])


def test_wait_all_gives_back_what_it_was_given(way: Way) -> None:
    counter = way.create(Counter)
    one, other, bad = counter.add(), counter.add(), counter.add("x")
    assert corps.wait_all(iter([one, other, one, bad])) == [one, other, one, bad]
    assert all(future.done() for future in (one, other, bad))


def test_as_completed_gives_each_future_once_in_the_order_of_completion(way: Way) -> None:
    latches = [way.create(Latch) for _ in range(4)]
    held = [way.busy(latch)[1] for latch in latches]
    order = [2, 0, 3, 1]
    iterator = corps.as_completed([*held, *held])
    for place in order:
        latches[place].open().result()
        assert next(iterator) is held[place]
    assert list(iterator) == []


def test_an_iteration_that_is_left_early_leaves_nothing_behind(way: Way, latch: corps.Name[Latch]) -> None:
    _, slow = way.busy(latch)
    for future in corps.as_completed([slow, way.create(Counter).add()]):
        assert future is not slow
        break
    del future
    assert not slow._callbacks
    latch.open().result()
    assert slow.ret == "held"


def test_gather_joins_values_in_the_order_given(way: Way) -> None:
    counter = way.create(Counter)
    futures = [counter.add() for _ in range(5)]
    assert corps.gather(*reversed(futures), futures[0]).ret == [5, 4, 3, 2, 1, 1]


def test_gather_fails_with_the_first_error_that_comes(way: Way, latch: corps.Name[Latch]) -> None:
    _, slow = way.busy(latch)
    joined = corps.gather(slow, way.create(Counter).add("x"))
    with pytest.raises(TypeError):
        joined.result()
    assert not slow.done()
    latch.open().result()


def test_cancelling_a_gathered_future_cancels_those_that_are_not_done(
    way: Way, latch: corps.Name[Latch]
) -> None:
    _, slow = way.busy(latch)
    done = way.create(Counter).add()
    assert done.ret == 1
    joined = corps.gather(slow, done)
    assert joined.cancel()
    assert slow.cancelled()
    assert joined.cancelled()
    assert done.ret == 1
    latch.open().result()


def test_cancelling_a_shielded_future_leaves_the_request_alone(way: Way, latch: corps.Name[Latch]) -> None:
    _, slow = way.busy(latch)
    shielded = corps.shield(slow)
    assert shielded.cancel()
    latch.open().result()
    assert slow.ret == "held"
    assert corps.shield(slow).ret == "held"


def test_a_gathered_future_can_be_awaited(way: Way) -> None:
    counter = way.create(Counter)

    async def script() -> list[Any]:
        return await corps.gather(counter.add(), counter.add())

    assert asyncio.run(script()) == [1, 2]


def test_workers_wait_for_many_too(way: Way) -> None:
    counters = [way.create(Counter), way.create_far(Counter)] * 3
    crowd = way.create(Crowd)
    assert crowd.all_of(counters).ret == [1, 1, 2, 2, 3, 3]
    assert crowd.any_of(counters).ret == 4
    assert sorted(crowd.completed_of(counters).ret) == [4, 5, 5, 6, 6, 7]
    assert crowd.gather_of(counters).ret == [8, 7, 9, 8, 10, 9]
    assert crowd.gather_softly(counters).ret == [11, 10, 12, 11, 13, 12]


def test_ten_thousand_futures_are_waited_for_at_once(way: Way) -> None:
    seed = 20_240_607
    print("seed", seed)
    counter, holder = way.create(Counter), way.create(Holder)
    batch = 900 if not way.is_local else 10_000  # the window of a link bounds what may be unanswered
    seen = 0
    while seen < 10_000:
        latch = way.create(Latch)
        held = holder.hold(latch)
        futures = [counter.add() for _ in range(batch)]
        random.Random(seed).shuffle(futures)
        assert corps.wait_any([held, *futures]) is not held
        assert len(list(corps.as_completed(futures))) == batch
        assert corps.wait_all(futures) == futures
        assert len(corps.gather(*futures).ret) == batch
        latch.open().result()
        assert held.ret == "held"
        seen += batch
    assert counter.add(0).ret == seen


class Crowd(corps.Conc):
    def all_of(self, others: list[corps.Name[Counter]]) -> list[int]:
        return [future.ret for future in corps.wait_all([other.add() for other in others])]

    def any_of(self, others: list[corps.Name[Counter]]) -> int:
        result: int = corps.wait_any([other.add() for other in others[:1]]).ret
        return result

    def completed_of(self, others: list[corps.Name[Counter]]) -> list[int]:
        return [future.ret for future in corps.as_completed([other.add() for other in others])]

    def gather_of(self, others: list[corps.Name[Counter]]) -> list[int]:
        values: list[int] = corps.gather(*(other.add() for other in others)).ret
        return values

    async def gather_softly(self, others: list[corps.Name[Counter]]) -> list[int]:
        values: list[int] = await corps.gather(other.add() for other in others)
        return values
