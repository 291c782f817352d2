"""The asyncio tasks that the coroutines of one incarnation have started for themselves.

They may outlive the request whose coroutine has started them, but not the incarnation: at its end they are
cancelled, and awaited for a while. The context of a task says to which incarnation it belongs: it is a copy
of its maker's, and has the maker's Activity.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

from corps.clock import deadline_after, remaining
from corps.runtime.context import current


class Background:
    """The tasks of one incarnation. Event loop only."""

    __slots__ = ("_tasks",)

    def __init__(self) -> None:
        # asyncio itself holds a task that waits by a weak reference alone: these are held here.
        self._tasks: set[asyncio.Task[Any]] = set()

    def add(self, task: "asyncio.Task[Any]") -> None:
        """Hold a task that a coroutine of the incarnation, or one of its tasks, has just made."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self, seconds: float) -> None:
        """Cancel the tasks, and those that they still make; wait until all have ended, or for `seconds`."""
        until = deadline_after(seconds)
        while self._tasks and (left := remaining(until)):
            ending = list(self._tasks)
            for task in ending:
                task.cancel()
            await asyncio.wait(ending, timeout=left)

    def names(self) -> list[str]:
        """Return the names of the tasks that have not ended."""
        return sorted(task.get_name() for task in self._tasks)


def make_task(
    loop: asyncio.AbstractEventLoop,
    coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **given: Any,
) -> "asyncio.Task[Any]":
    """Make a task of the incarnation in whose context it is made: the task factory of an Env's loop."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **given)
    context = given.get("context")
    maker = current.get() if context is None else context.get(current)
    if maker is not None and maker.background is not None:
        maker.background.add(task)
    return task
