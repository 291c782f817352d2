"""Claims about what belongs to the run of one request, and is gone after it, over every path."""

import asyncio
from typing import Any, ClassVar

import pytest

import corps
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Counter, Holder, Latch


def has_deadline() -> bool:
    from corps.runtime.context import current

    here = current.get()
    return here is not None and here.deadline is not None


class Tasks(corps.Conc):
    """Starts a task of its own in a request, and tells another worker of what becomes of it."""

    interleave: ClassVar[bool | int] = True
    restart: ClassVar[corps.Restart | None] = corps.Restart()

    def __init__(self, witness: corps.Name[Holder]) -> None:
        self._witness = witness
        self._task: asyncio.Task[Any] | None = None
        self._go_on = asyncio.Event()

    async def start(self) -> bool:
        self._task = asyncio.create_task(self._run())
        await asyncio.sleep(0)
        return has_deadline()

    async def _run(self) -> None:
        try:
            await self._go_on.wait()
            await self._witness.note(f"deadline: {has_deadline()}")
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self._witness.note.send("cancelled")
            raise

    async def go_on(self) -> None:
        self._go_on.set()
        assert self._task is not None
        await self._task

    def fail(self) -> None:
        raise corps.Fail("on purpose")

    def before_restart(self, error: BaseException | None) -> None:
        self._witness.note("before_restart").result()

    def cleanup(self) -> None:
        self._witness.note("cleanup").result()


class Saving(corps.Conc):
    """Saves what it has at its end, and when it fails."""

    restart: ClassVar[corps.Restart | None] = corps.Restart()

    def __init__(self, witness: corps.Name[Holder]) -> None:
        self._witness = witness

    def work(self) -> bool:
        return has_deadline()

    def fail(self) -> None:
        raise corps.Fail("on purpose")

    def before_restart(self, error: BaseException | None) -> None:
        self._witness.note(("before_restart", has_deadline())).result()

    def cleanup(self) -> None:
        self._witness.note(("cleanup", has_deadline())).result()


class SavingInMain(Saving):
    def main(self) -> None:
        while (request := self.receive()) is not None:
            self.handle(request)
            self._witness.note(("main", has_deadline())).result()


@pytest.fixture
def witness(way: Way) -> corps.Name[Holder]:
    return way.create_far(Holder)


def test_a_task_outlives_its_request_and_not_its_deadline(way: Way, witness: corps.Name[Holder]) -> None:
    worker = way.create(Tasks, witness)
    assert worker.options(deadline=60).start().ret is True
    worker.go_on().result(20)
    assert witness.log.ret == ["deadline: False"]


def test_a_task_ends_before_its_worker_does(way: Way, witness: corps.Name[Holder]) -> None:
    worker = way.create(Tasks, witness)
    worker.start().result()
    worker.exit().result(20)
    assert witness.log.ret == ["cancelled", "cleanup"]


def test_a_task_does_not_survive_a_restart(way: Way, witness: corps.Name[Holder]) -> None:
    worker = way.create(Tasks, witness)
    worker.start().result()
    with pytest.raises(corps.Fail):
        worker.fail().result(20)
    worker.start().result(20)
    assert witness.log.ret == ["cancelled", "before_restart"]


def test_a_worker_that_is_killed_takes_its_tasks_with_it(way: Way, latch: corps.Name[Latch]) -> None:
    class Tells(corps.Conc):
        async def start(self, latch: corps.Name[Latch]) -> None:
            self._task = asyncio.create_task(self._run(latch))
            await asyncio.sleep(0)

        async def _run(self, latch: corps.Name[Latch]) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                latch.open.send()

    worker = way.create(Tells)
    worker.start(latch).result()
    worker.kill().result()
    assert latch.wait().result(20) == "opened"


@pytest.fixture
def latch(way: Way) -> corps.Name[Latch]:
    return way.create(Latch)


@pytest.mark.parametrize("cls", [Saving, SavingInMain])
def test_no_hook_runs_under_the_deadline_of_the_last_request(
    way: Way, witness: corps.Name[Holder], cls: type[Saving]
) -> None:
    worker = way.create(cls, witness)
    limited = worker.options(deadline=60)
    assert limited.work().ret is True
    if cls is Saving:
        with pytest.raises(corps.Fail):
            limited.fail().result()
        assert limited.work().ret is True
    worker.exit().result(20)
    log = witness.log.ret
    assert {what for what, _ in log} == {"cleanup", "before_restart" if cls is Saving else "main"}
    assert not any(limit for _, limit in log)


def test_the_children_of_a_constructor_that_fails_end_without_its_deadline(
    way: Way, witness: corps.Name[Holder]
) -> None:
    class Parent(corps.Conc):
        def __init__(self, witness: corps.Name[Holder]) -> None:
            corps.options(env="here").create(Saving, witness)
            raise LookupError("on purpose")

    with pytest.raises(LookupError):
        way.options(deadline=60).create(Parent, witness)
    assert witness.log.ret == [("cleanup", False)]
    assert way.create(Counter).add().ret == 1
