"""Claims about generator methods: pulled, never run ahead of, and closed, over every path."""

import asyncio
import gc
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

import corps
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Talker


@pytest.mark.parametrize("method", ["count", "acount"])
def test_a_generator_is_pulled_and_never_run_ahead_of(way: Way, method: str) -> None:
    talker = way.create(Talker).options(prefetch=0)
    items = getattr(talker, method)(4).ret
    assert isinstance(items, corps.RemoteIterator)
    assert talker.log.ret == []
    assert next(items) == 0
    assert talker.log.ret == [0]
    assert next(items) == 1
    assert talker.log.ret == [0, 1]
    assert list(items) == [2, 3]
    assert talker.log.ret == [0, 1, 2, 3, "closed"]
    assert list(items) == []
    with pytest.raises(StopIteration):
        next(items)


def test_other_requests_come_between_the_items(way: Way) -> None:
    talker = way.create(Talker)
    seen = [(item, talker.later(item).ret) for item in talker.count(3).ret]
    assert seen == [(0, 0), (1, 1), (2, 2)]


def test_several_generators_of_one_worker_live_side_by_side(way: Way) -> None:
    talker = way.create(Talker)
    one, other = talker.count(3).ret, talker.acount(3).ret
    assert list(zip(one, other, strict=True)) == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize("method", ["count", "acount"])
def test_closing_an_iterator_closes_the_generator(way: Way, method: str) -> None:
    talker = way.create(Talker).options(prefetch=0)
    items = getattr(talker, method)(100).ret
    assert next(items) == 0
    items.close()
    items.close()
    assert talker.later(1).ret == 1
    assert talker.log.ret == [0, "closed"]
    assert list(items) == []


@pytest.mark.parametrize("method", ["count", "acount"])
def test_leaving_a_with_block_closes_the_generator(way: Way, method: str) -> None:
    talker = way.create(Talker).options(prefetch=0)
    with getattr(talker, method)(100).ret as items:
        assert next(items) == 0
    assert talker.later(1).ret == 1
    assert talker.log.ret == [0, "closed"]


@pytest.mark.parametrize("method", ["count", "acount"])
def test_an_iterator_that_is_dropped_closes_the_generator(way: Way, method: str) -> None:
    talker = way.create(Talker).options(prefetch=0)
    items = getattr(talker, method)(100).ret
    assert next(items) == 0
    del items
    gc.collect()
    assert talker.later(1).ret == 1
    assert talker.log.ret == [0, "closed"]


@pytest.mark.parametrize("method", ["fail_at", "afail_at"])
def test_what_a_generator_raises_ends_the_iteration(way: Way, method: str) -> None:
    talker = way.create(Talker)
    items = getattr(talker, method)(2).ret
    assert next(items) == 0
    assert next(items) == 1
    with pytest.raises(LookupError, match="used up") as caught:
        next(items)
    assert isinstance(caught.value, corps.RemoteError)
    assert list(items) == []


def test_the_value_of_a_generator_is_that_of_stop_iteration(way: Way) -> None:
    talker = way.create(Talker)

    def delegate() -> Generator[int, None, Any]:
        return (yield from talker.count_and_return(2).ret)

    generator = delegate()
    assert [next(generator), next(generator)] == [0, 1]
    with pytest.raises(StopIteration) as caught:
        next(generator)
    assert caught.value.value == "the end"


@pytest.mark.parametrize("method", ["count", "acount"])
def test_async_for_iterates_on_a_loop_of_the_scripts_own(way: Way, method: str) -> None:
    talker = way.create(Talker)

    async def script() -> list[int]:
        return [item async for item in await getattr(talker, method)(4)]

    assert asyncio.run(script()) == [0, 1, 2, 3]


@pytest.mark.parametrize("method", ["count", "acount"])
@pytest.mark.parametrize("taker", ["take", "atake"])
def test_an_iterator_is_passed_on_to_another_worker(way: Way, method: str, taker: str) -> None:
    talker, other = way.create(Talker), way.create_far(Talker)
    items = getattr(talker, method)(5).ret
    assert next(items) == 0
    assert getattr(other, taker)(items).ret == [1, 2, 3, 4]
    assert talker.log.ret == [0, 1, 2, 3, 4, "closed"]


def test_a_worker_iterates_over_another_ones_items(way: Way) -> None:
    talker, other = way.create(Talker), way.create_far(Talker)
    assert other.take_from(talker, 4).ret == [0, 1, 2, 3]


def test_iterating_over_a_worker_that_has_ended_is_an_error(way: Way) -> None:
    talker = way.create(Talker)
    items = talker.count(5).ret
    assert next(items) == 0
    talker.exit().result()
    with pytest.raises(corps.WorkerGone):
        next(items)
    items.close()


def test_generators_left_open_are_closed_when_the_worker_ends(way: Way) -> None:
    keeper = way.create(Talker)
    talker = way.create_far(Closing, keeper)
    items, aitems = talker.items().ret, talker.aitems().ret
    assert (next(items), next(aitems)) == (1, 1)
    talker.exit().result()
    assert sorted(keeper.log.ret) == ["async closed", "closed"]
    del items, aitems


class Closing(corps.Conc):
    def __init__(self, keeper: corps.Name[Talker]) -> None:
        self._keeper = keeper

    def items(self) -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            self._keeper.note("closed").result()

    async def aitems(self) -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await self._keeper.note("async closed")
