"""Claims about the generators of one worker: what is made ahead, and when each is closed."""

import asyncio
import types
from collections.abc import AsyncIterator, Iterator
from contextvars import Context
from typing import Any, cast

import pytest

from corps.messages.interfaces import Interface
from corps.messages.streams import NOBODY, WHOLE, part_of
from corps.runtime.cells.generators import Generators

HERE, FAR, FARTHER = 0, 1, 2


class Cell:
    """Does the turns that were asked for when the test says so."""

    def __init__(self) -> None:
        self.incarnation = 1
        self.name = "a name"
        self.interface = Interface("m:C", frozenset())
        self.context = Context()
        upper = types.SimpleNamespace(make_iterator=lambda name, number, *_, **__: number)
        self.env = types.SimpleNamespace(upper=upper)
        self.due: list[int] = []

    def go_ahead(self, number: int, *, is_async: bool) -> None:
        self.due.append(number)


class Source:
    """Its generators write down what becomes of them."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def items(self, n: int) -> Iterator[int]:
        try:
            for item in range(n):
                self.log.append(item)
                yield item
        finally:
            self.log.append("closed")

    async def aitems(self, n: int) -> AsyncIterator[int]:
        try:
            for item in range(n):
                await asyncio.sleep(0)
                self.log.append(item)
                yield item
        finally:
            self.log.append("closed")

    def fail_at(self, n: int) -> Iterator[int]:
        yield from range(n)
        raise LookupError("used up")


@pytest.fixture
def cell() -> Cell:
    return Cell()


@pytest.fixture
def generators(cell: Cell) -> Generators:
    return Generators(cast("Any", cell))


def run_turns(cell: Cell, generators: Generators) -> None:
    while cell.due:
        generators.go_ahead(cell.due.pop(0))


@pytest.mark.parametrize("allowed", range(4))
def test_no_more_is_made_ahead_than_the_consumer_allows(
    cell: Cell, generators: Generators, allowed: int
) -> None:
    source = Source()
    number = generators.keep(source.items(20), HERE)
    assert source.log == []
    for taken in range(5):
        assert generators.pull(number, allowed) == (True, taken)
        run_turns(cell, generators)
        assert source.log == list(range(taken + 1 + allowed))


def test_one_turn_makes_one_item(cell: Cell, generators: Generators) -> None:
    source = Source()
    number = generators.keep(source.items(20), HERE)
    generators.pull(number, 3)
    assert cell.due == [number]
    generators.go_ahead(cell.due.pop())
    assert source.log == [0, 1]
    assert generators.pull(number, 3) == (True, 1)
    assert cell.due == [number], "it is asked for once, not by each pull"


def test_cheap_items_are_not_made_ahead_unless_that_is_asked_for(cell: Cell, generators: Generators) -> None:
    number = generators.keep(Source().items(20), HERE)
    generators._streams[number].took = 0.0
    for taken in range(3):
        assert generators.pull(number, None) == (True, taken)
        generators._streams[number].took = 0.0
    costly = generators.keep(iter(()), HERE)
    generators._streams[costly].took = 1.0
    assert generators._streams[costly].wants_more


def test_the_end_and_an_error_come_after_what_was_made_ahead(cell: Cell, generators: Generators) -> None:
    number = generators.keep(Source().fail_at(2), HERE)
    assert generators.pull(number, 5) == (True, 0)
    run_turns(cell, generators)
    assert generators.pull(number, 5) == (True, 1)
    with pytest.raises(LookupError, match="used up"):
        generators.pull(number, 5)
    assert generators.pull(number, 5) is None
    assert not generators.are_open


def test_an_asynchronous_generator_is_stepped_by_one_coroutine_at_a_time(
    cell: Cell, generators: Generators
) -> None:
    source = Source()

    async def pull_all() -> list[Any]:
        number = generators.keep(source.aitems(4), HERE)
        first = await generators.pull(number, 2)
        turn = asyncio.ensure_future(generators.go_ahead(cell.due.pop(0)))
        rest = await asyncio.gather(*[_awaited(generators.pull(number, 2)) for _ in range(4)])
        await turn
        return [first, *rest]

    answers = asyncio.run(pull_all())
    assert sorted(answers, key=str) == sorted([(True, n) for n in range(4)] + [(False, None)], key=str)
    assert source.log == [0, 1, 2, 3, "closed"]


async def _awaited(answer: Any) -> Any:
    return await answer if asyncio.iscoroutine(answer) else answer


def test_a_generator_is_closed_when_all_shares_are_back(generators: Generators) -> None:
    source = Source()
    number = generators.keep(source.items(9), FAR)
    generators.pull(number, 0)
    part = part_of(WHOLE)
    further = part_of(part)
    assert 0 < further < part < WHOLE
    generators.note(number, further, FARTHER, -1)  # overtakes the news that it has come there
    generators.note(number, 0, FARTHER, 1)
    generators.note(number, WHOLE - part, FAR, -1)
    assert source.log == [0]
    generators.note(number, part - further, NOBODY, -1)
    assert source.log == [0, "closed"]
    assert generators.pull(number, 0) is None
    assert generators.note(number, 1, FAR, -1) is None


def test_a_generator_is_closed_when_those_who_held_it_have_died(generators: Generators) -> None:
    source = Source()
    alone, shared = generators.keep(source.items(9), FAR), generators.keep(source.items(9), FAR)
    for number in (alone, shared):
        generators.pull(number, 0)
    generators.note(shared, 0, FARTHER, 1)
    generators.lose(FAR)
    assert source.log == [0, 0, "closed"]
    assert generators.is_forsaken(alone)
    assert not generators.is_forsaken(shared)
    assert generators.pull(shared, 0) == (True, 1)
    generators.lose(FARTHER)
    assert generators.is_forsaken(shared)


def test_what_a_finally_raises_keeps_no_other_generator_open(
    generators: Generators, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks() -> Iterator[int]:
        try:
            yield 1
        finally:
            raise LookupError("in finally")

    source = Source()
    for number in (generators.keep(breaks(), FAR), generators.keep(source.items(2), FAR)):
        generators.pull(number, 0)
    generators.lose(FAR)
    assert source.log == [0, "closed"]
    assert "closing a generator" in caplog.text


@pytest.mark.parametrize("other", [None, LookupError("in finally")])
def test_a_task_group_around_a_yield_fails_no_worker_when_it_is_closed(
    generators: Generators, caplog: pytest.LogCaptureFixture, other: Exception | None
) -> None:
    async def grouped() -> AsyncIterator[int]:
        async def work() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                if other is not None:
                    raise other

        async with asyncio.TaskGroup() as group:
            group.create_task(work())
            await asyncio.sleep(0)
            yield 1

    async def pull_and_close() -> None:
        number = generators.keep(grouped(), HERE)
        assert await generators.pull(number, 0) == (True, 1)
        await generators.note(number, WHOLE, HERE, -1)

    asyncio.run(pull_and_close())
    assert ("closing a generator" in caplog.text) == (other is not None)
    assert "GeneratorExit" not in caplog.text
