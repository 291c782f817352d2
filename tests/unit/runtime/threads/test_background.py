"""The tasks that an incarnation has started belong to it, and end with it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, cast

from corps.runtime.context import Activity, current
from corps.runtime.threads.background import Background, make_task


def run(what: Callable[[Background], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine as one of a worker's, on a loop like that of an Env."""

    async def as_worker() -> None:
        asyncio.get_running_loop().set_task_factory(make_task)
        activity = Activity(cast("Any", object()), cast("Any", object()))
        activity.background = Background()
        current.set(activity)
        await what(activity.background)

    asyncio.run(as_worker())


async def refuse(times: int) -> None:
    for _ in range(times):
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            pass


def test_a_task_of_a_worker_is_cancelled_and_awaited_at_its_end() -> None:
    async def one(background: Background) -> None:
        tasks = [asyncio.create_task(refuse(0)), asyncio.create_task(asyncio.Event().wait())]
        await asyncio.sleep(0)
        await background.end(20.0)
        assert [task.cancelled() for task in tasks] == [False, True]
        assert background.names() == []

    run(one)


def test_the_tasks_of_tasks_end_too_be_they_made_at_the_end_itself() -> None:
    made: list[asyncio.Task[Any]] = []

    async def make_another() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            made.append(asyncio.create_task(asyncio.Event().wait()))

    async def one(background: Background) -> None:
        made.append(asyncio.create_task(make_another()))
        await asyncio.sleep(0)
        await background.end(20.0)
        assert [task.cancelled() for task in made] == [True, True]

    run(one)


def test_a_task_that_refuses_to_end_is_left_behind_and_named() -> None:
    async def one(background: Background) -> None:
        task = asyncio.create_task(refuse(2), name="stubborn")
        await asyncio.sleep(0)
        await background.end(0.01)
        assert background.names() == ["stubborn"]
        task.cancel()

    run(one)


def test_a_task_belongs_to_the_context_that_it_is_given() -> None:
    async def one(background: Background) -> None:
        made = [
            asyncio.create_task(asyncio.sleep(20), context=context, name=name)
            for context, name in [(Context(), "nobody's"), (copy_context(), "the worker's")]
        ]
        assert len(made) == 2
        assert background.names() == ["the worker's"]

    run(one)
