"""Claims about ``async def`` methods and interleaving classes, over every path."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, ClassVar

import pytest

import corps
from tests.integration.behaviour.paths import Way, local
from tests.integration.behaviour.workers import Counter, Holder, Latch, Talker

LIMIT = 30.0


class Inn(corps.Conc):
    """Counts how many are inside at the same time."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.log: list[str] = []

    async def stay(self, latch: corps.Name[Latch]) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        latch.arrive.send()
        await latch.wait()
        self.inside -= 1
        return self.most

    def look(self) -> int:
        return self.inside

    async def look_softly(self) -> int:
        return self.inside

    async def create_inside(self, env: int) -> corps.Name[Counter]:
        return await corps.options(env=env).create_nowait(Counter, 4)

    async def spawn_task(self, other: corps.Name[Counter]) -> int:
        async def ask() -> int:
            result: int = await other.add(2)
            return result

        first, second = await asyncio.gather(asyncio.create_task(ask()), ask())
        return first + second

    async def set_wrongly(self, other: corps.Name[Counter]) -> None:
        other.value = 4


class Blocker(corps.Conc):
    async def block(self, entered: Event, gate: Event) -> None:
        entered.set()
        gate.wait()  # what no coroutine should do: nothing else begins on the loop meanwhile


class OpenInn(Inn):
    interleave: ClassVar[bool | int] = True


class SmallInn(Inn):
    interleave: ClassVar[bool | int] = 3


def test_async_methods_answer_like_others(way: Way) -> None:
    talker = way.create(Talker)
    assert talker.later("x").ret == "x"
    with pytest.raises(LookupError, match="later"):
        talker.fail_later().result()


def test_without_interleaving_one_coroutine_runs_at_a_time(way: Way) -> None:
    inn, latch = way.create(Inn), way.create(Latch)
    stays = [inn.stay(latch) for _ in range(5)]
    look = inn.look()
    latch.arrived(1).result()
    assert not look.done()
    latch.open().result()
    assert [stay.ret for stay in stays] == [1] * 5
    assert look.ret == 0


def test_with_interleaving_all_coroutines_run_together(way: Way) -> None:
    inn, latch = way.create(OpenInn), way.create(Latch)
    stays = [inn.stay(latch) for _ in range(20)]
    latch.arrived(20).result()
    assert inn.look_softly().ret == 20
    latch.open().result()
    assert max(stay.ret for stay in stays) == 20


def test_a_number_limits_how_many_interleave(way: Way) -> None:
    inn, latch = way.create(SmallInn), way.create(Latch)
    stays = [inn.stay(latch) for _ in range(10)]
    latch.arrived(3).result()
    fourth = latch.arrived(4)
    with pytest.raises(corps.WaitTimeout):
        fourth.result(timeout=0.05)
    latch.open().result()
    assert max(stay.ret for stay in stays) == 3


def test_plain_methods_of_an_interleaving_class_run_alone_and_in_turn(way: Way) -> None:
    inn, latch = way.create(OpenInn), way.create(Latch)
    first = inn.stay(latch)
    look = inn.look()
    behind = inn.stay(latch)
    latch.arrived(1).result()
    assert not look.done()
    assert not behind.done()
    latch.open().result()
    assert look.ret == 0
    assert (first.ret, behind.ret) == (1, 1)


def test_a_coroutine_creates_workers_without_blocking(way: Way) -> None:
    inn = way.create(Inn)
    assert inn.create_inside(way.near).ret.add(1).ret == 5
    assert inn.create_inside(way.far).ret.add(1).ret == 5


def test_tasks_that_a_coroutine_starts_may_ask_too(way: Way) -> None:
    inn, counter = way.create(Inn), way.create_far(Counter)
    assert inn.spawn_task(counter).ret == 6


def test_what_would_block_the_loop_is_refused(way: Way) -> None:
    inn, counter = way.create(Inn), way.create_far(Counter)
    with pytest.raises(corps.LoopBlocked):
        inn.set_wrongly(counter).result()
    assert inn.look().ret == 0


def test_a_coroutine_cancelled_before_its_first_step_gives_the_turn_to_the_next() -> None:
    with local({"threads.max": 1}) as way, way.entered():
        entered, gate = Event(), Event()
        talker, counter = way.create(Talker), way.create(Counter)
        blocked = way.create(Blocker).block(entered, gate)
        assert entered.wait(20)
        future = talker.later("never")
        counter.add().result(timeout=20)  # the only thread came by `talker` before
        assert future.cancel()
        gate.set()
        assert talker.later("next").result(timeout=20) == "next"
        assert blocked.result(timeout=20) is None
        with pytest.raises(corps.Cancelled) as caught:
            future.result()
        assert caught.value.executed == "unknown"


def test_many_coroutines_wait_at_once_without_threads(way: Way) -> None:
    inn, latch = way.create(OpenInn), way.create(Latch)
    stays = [inn.stay(latch) for _ in range(300)]
    latch.arrived(300).result()
    latch.open().result()
    assert corps.wait_all(stays)[-1].ret == 300


def test_a_coroutine_that_waits_holds_no_thread(way: Way) -> None:
    latch = way.create(Latch)
    holders = [way.create(Holder) for _ in range(50)]
    futures = [holder.hold_softly(latch) for holder in holders]
    latch.arrived(50).result()
    latch.open().result()
    assert {future.ret for future in futures} == {"held softly"}


def test_asynchronous_iteration_inside_asynchronous_methods(way: Way) -> None:
    talker, other = way.create(Talker), way.create_far(Talker)
    items: Any = other.acount(4).ret
    assert talker.atake(items).ret == [0, 1, 2, 3]


class Feed(corps.Conc):
    interleave: ClassVar[bool | int] = True

    def __init__(self) -> None:
        self._queues: list[asyncio.Queue[int]] = []

    async def items(self) -> AsyncIterator[int]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        self._queues.append(queue)
        yield -1
        while True:
            yield await queue.get()

    async def put(self, item: int) -> None:
        for queue in self._queues:
            queue.put_nowait(item)


def test_an_asynchronous_generator_begins_while_another_one_waits_for_its_next_item(way: Way) -> None:
    feed = way.create(Feed)
    with corps.call(feed, Feed.items).ret as first:
        assert next(first) == -1
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(next, first)
            with corps.call(feed.options(deadline=LIMIT), Feed.items).ret as second:
                assert next(second) == -1
                feed.put(7).result(LIMIT)
                assert (next(second), waiting.result(LIMIT)) == (7, 7)
