"""Claims about generator methods: pulled, never run ahead of, and closed, over every path."""

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any, ClassVar

import pytest

import corps
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Latch, Talker


@pytest.fixture
def latch(way: Way) -> corps.Name[Latch]:
    return way.create(Latch)


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.001)
    return True


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


class Ender(corps.Conc):
    """Its generators take a while to end."""

    interleave: ClassVar[bool | int] = True

    def __init__(self) -> None:
        self.log: list[str] = []

    def items(self) -> Iterator[int]:
        try:
            yield from range(9)
        finally:
            time.sleep(0.01)
            self.log.append("closed")

    async def aitems(self) -> AsyncIterator[int]:
        try:
            for i in range(9):
                yield i
        finally:
            await asyncio.sleep(0.01)
            self.log.append("closed")

    def hold(self, latch: corps.Name[Latch]) -> None:
        latch.arrive().result()
        latch.wait().result()

    async def close_own(self, items: Any) -> None:
        await items.aclose()

    async def take_own(self, items: Any) -> list[int]:
        return [item async for item in items]


@pytest.mark.parametrize("method", ["items", "aitems"])
def test_aclose_waits_until_the_generator_has_ended(way: Way, method: str) -> None:
    ender = way.create(Ender)

    async def script() -> list[str]:
        async with contextlib.aclosing(await getattr(ender, method)()) as items:
            assert await anext(items) == 0
        seen: list[str] = await ender.log
        await items.aclose()
        assert [item async for item in items] == []
        return seen

    assert asyncio.run(script()) == ["closed"]


@pytest.mark.parametrize("method", ["items", "aitems"])
def test_a_generator_ends_also_if_the_wait_for_that_is_cancelled(
    way: Way, method: str, latch: corps.Name[Latch]
) -> None:
    ender = way.create(Ender)

    async def script() -> None:
        items = await getattr(ender, method)()
        assert await anext(items) == 0
        busy = ender.hold(latch)
        await latch.arrived()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(items.aclose(), 0.01)
        await latch.open()
        await busy

    asyncio.run(script())
    assert eventually(lambda: ender.log.ret == ["closed"])


def test_aclose_is_done_at_once_if_the_worker_has_gone(way: Way) -> None:
    ender = way.create(Ender)

    async def script() -> None:
        items = await ender.aitems()
        assert await anext(items) == 0
        await ender.exit()
        await items.aclose()

    asyncio.run(script())


def test_a_worker_that_interleaves_takes_the_items_of_its_own_generator(way: Way) -> None:
    """Was a defect: the note that the iterator had come waited for the coroutine that waited behind it."""
    ender = way.create(Ender)
    assert ender.take_own(ender.aitems().ret).result(20) == list(range(9))


def test_a_worker_closes_its_own_generator_or_hears_that_it_would_wait_for_itself(way: Way) -> None:
    for method, is_circle in (("aitems", False), ("items", True)):
        ender = way.create(Ender)
        items = getattr(ender, method)().ret
        assert next(items) == 0
        error = ender.close_own(items).exception(20)
        assert isinstance(error, corps.DeadlockError) is is_circle
        assert eventually(lambda ender=ender: ender.log.ret == ["closed"])  # type: ignore[misc]


@pytest.mark.parametrize("method", ["count", "acount"])
def test_an_iterator_that_is_dropped_closes_the_generator(way: Way, method: str) -> None:
    talker = way.create(Talker).options(prefetch=0)
    items = getattr(talker, method)(100).ret
    assert next(items) == 0
    del items
    gc.collect()
    assert eventually(lambda: talker.log.ret == [0, "closed"])


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


# --- what is kept, and what is closed ---


class Streams(corps.Conc):
    """Counts which of its generators are open. Its asynchronous ones wait for a word."""

    interleave: ClassVar[bool | int] = True

    def __init__(self) -> None:
        self._open = 0
        self._changed = asyncio.Condition()
        self._words = asyncio.Semaphore(0)

    def items(self, n: int) -> Iterator[int]:
        self._open += 1
        return self._items(n)

    def _items(self, n: int) -> Iterator[int]:
        try:
            yield from range(n)
        finally:
            self._open -= 1

    async def slow_items(self, n: int) -> AsyncIterator[int]:
        for item in range(n):
            await self._words.acquire()
            yield item

    async def say(self) -> None:
        self._words.release()

    def begun(self, latch: corps.Name[Latch], n: int) -> Iterator[int]:
        latch.arrive.send()
        latch.wait().result()
        items = self.items(n)
        next(iter(items))  # only what has begun runs its `finally` when it is closed
        return items

    def begun_at_once(self, n: int) -> Iterator[int]:
        items = self.items(n)
        next(iter(items))
        return items

    def open_now(self) -> int:
        return self._open


class Keeper(corps.Conc):
    def __init__(self) -> None:
        self._kept: list[Any] = []

    def keep(self, items: Any) -> int:
        self._kept.append(items)
        return int(next(items))

    def take_one(self, items: Any) -> int:
        return int(next(items))

    def give_back(self) -> Any:
        return self._kept.pop()

    def forget(self) -> None:
        self._kept.clear()

    def consume(self, streams: corps.Name[Streams]) -> int:
        items = streams.begun_at_once(9).ret
        self._kept.append(items)
        return int(next(items))

    def pid(self) -> int:
        return os.getpid()


def closed(streams: corps.Name[Streams], count: int = 0) -> bool:
    """Whether so many are open, in a moment: what is garbage is told of by a thread of its own."""
    gc.collect()
    return eventually(lambda: streams.open_now().result(20) == count)


def begun(streams: corps.Name[Streams], n: int = 9) -> Any:
    items = streams.items(n).ret
    assert next(items) == 0
    return items


def test_a_wait_for_an_item_that_is_given_up_loses_none(way: Way) -> None:
    streams = way.create(Streams)

    async def script() -> list[int]:
        items = await streams.slow_items(4)
        taken: list[int] = []
        for _ in range(4):
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(items), 0.001)
            await streams.say()
            taken.append(await anext(items))
        return taken

    assert asyncio.run(script()) == [0, 1, 2, 3]


def test_the_deadline_of_a_name_is_one_for_each_item(way: Way) -> None:
    streams = way.create(Streams)
    items = streams.options(deadline=1.0).slow_items(4).ret
    with pytest.raises(corps.DeadlineExceeded):
        next(items)
    assert list(items) == [], "it was closed"
    limited = streams.options(deadline=20.0).slow_items(4).ret
    streams.say().result()
    assert next(limited) == 0


def test_an_asynchronous_generator_is_pulled_beside_other_coroutines(way: Way) -> None:
    streams = way.create(Streams)
    waiting, items = streams.slow_items(1).ret, streams.slow_items(1).ret

    async def script() -> list[int]:
        first = asyncio.ensure_future(anext(waiting))
        second = asyncio.ensure_future(anext(items))
        await streams.say()
        await streams.say()
        return [await first, await second]

    assert asyncio.run(script()) == [0, 0]


class Feed(corps.Conc):
    """Its second item never comes."""

    async def items(self) -> AsyncIterator[int]:
        yield 0
        await asyncio.Event().wait()

    def present(self) -> str:
        return "present"


def test_an_item_that_is_made_ahead_for_nobody_does_not_hold_the_worker(way: Way) -> None:
    feed = way.create(Feed)
    items = feed.options(prefetch=1).items().ret
    assert next(items) == 0
    items.close()
    assert feed.present().result(20) == "present"
    again = feed.options(prefetch=1).items().ret
    assert next(again) == 0
    del again
    gc.collect()
    assert feed.present().result(20) == "present"


def test_generators_that_nobody_looks_at_are_closed(way: Way) -> None:
    streams = way.create(Streams)
    for _ in range(3):
        streams.begun_at_once(9)
        streams.begun_at_once.send(9)
    assert closed(streams)


def test_generators_whose_caller_gave_up_are_closed(way: Way, latch: corps.Name[Latch]) -> None:
    streams = way.create(Streams)
    cancelled = streams.begun(latch, 9)
    latch.arrived().result()
    assert cancelled.cancel()
    with pytest.raises(corps.DeadlineExceeded):
        streams.options(deadline=0.01).begun_at_once(9).result()
    latch.open().result()
    assert closed(streams)


def test_an_iterator_that_was_handed_on_is_closed_where_it_is_dropped_last(way: Way) -> None:
    streams, keeper = way.create(Streams), way.create_far(Keeper)
    items = begun(streams)
    assert keeper.keep(items).ret == 1
    del items
    gc.collect()
    again = keeper.give_back().ret
    assert next(again) == 2
    assert streams.open_now().ret == 1
    assert keeper.keep(again).ret == 3
    del again
    keeper.forget().result()
    assert closed(streams)


def test_an_iterator_that_was_lent_goes_on_here(way: Way) -> None:
    streams, keeper = way.create(Streams), way.create_far(Keeper)
    items = begun(streams)
    assert [keeper.take_one(items).ret for _ in range(3)] == [1, 2, 3]
    gc.collect()
    keeper.forget().result()
    assert next(items) == 4
    del items
    assert closed(streams)


def test_an_item_that_had_come_goes_with_the_iterator(way: Way) -> None:
    streams, keeper = way.create(Streams), way.create_far(Keeper)
    items = streams.slow_items(3).ret

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(items), 0.001)

    asyncio.run(give_up())
    streams.say().result()
    (pull,) = items._kept()
    assert eventually(pull.done)
    assert keeper.keep(items).ret == 0


def test_dropping_the_iterator_of_a_worker_that_has_ended_is_no_error(
    way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    keeper, streams = way.create(Keeper), way.create(Streams)
    items = begun(streams)
    handed_on = begun(streams)
    assert keeper.keep(handed_on).ret == 1
    streams.exit().result()
    del items, handed_on
    keeper.forget().result()
    gc.collect()
    assert keeper.pid().ret
    assert not [record for record in caplog.records if record.name == "corps.dead_letters"]


def test_a_restart_in_mid_stream_is_an_error_and_not_the_end(way: Way) -> None:
    class Fails(Streams):
        restart: ClassVar[corps.Restart | None] = corps.Restart()

        def fail(self) -> None:
            raise corps.Fail("on purpose")

    streams = way.create(Fails)
    items = streams.items(9).ret
    assert next(items) == 0
    with pytest.raises(corps.Fail):
        streams.fail().result()
    with pytest.raises(corps.WorkerGone):
        next(items)
    assert next(streams.items(9).ret) == 0
