"""What runs in the calling thread: the one ContextVar of corps.

It is set for good in the Context of each worker, in which all of the author's code runs. It is set, too,
inside ``with corps.env()`` and ``with corps.boot(...)``. Threads that an author starts have none; what they
mean then is in `this_process`.
"""

from contextvars import ContextVar
from threading import get_ident
from typing import TYPE_CHECKING, Any

from corps.core import native

if TYPE_CHECKING:
    import asyncio

    from corps.messages.requests import Request
    from corps.runtime.cells.cell import Cell
    from corps.runtime.env import Env
    from corps.runtime.threads.background import Background


@native
class Activity:
    """One piece of author's code that runs in an Env. Only the thread or coroutine that runs it uses it."""

    __slots__ = (
        "background",
        "cell",
        "deadline",
        "depth",
        "env",
        "pooled",
        "reading",
        "request",
        "task",
        "thread",
    )

    def __init__(self, env: "Env", cell: "Cell | None" = None, *, pooled: bool = False) -> None:
        self.env = env
        self.cell = cell  # of the worker that runs; None for a plain thread inside `with corps.env()`
        self.request: Request | None = None  # that is being answered; None in constructors and plain threads
        self.deadline: float | None = None  # that requests made from here inherit
        self.task: asyncio.Task[Any] | None = None  # that runs it; None on a worker thread
        self.depth = 0  # how many calls deep this thread runs what it waits for itself; see `Cell.help`
        self.pooled = pooled  # it runs on a thread of the Env's worker pool
        self.reading = False  # in the thread that reads from the links: what it waits for would never arrive
        self.thread = get_ident()  # that runs it; a copy of the context may come to another one
        self.background: Background | None = None  # of a coroutine's own tasks; None where it can make none

    def end_request(self) -> None:
        """Note that the request is over: what runs from now on, such as a task of it, has no deadline."""
        self.request = self.deadline = None


current: ContextVar[Activity | None] = ContextVar("corps_activity", default=None)


class Block(Activity):
    """A ``with`` block that means an Env. It may be left in any order, thread, task or context."""

    __slots__ = ("is_left", "outer")

    def __init__(self, env: "Env") -> None:
        super().__init__(env)
        self.outer = current.get()  # where it was entered
        self.is_left = False  # perhaps elsewhere
        current.set(self)

    def leave(self) -> None:
        """Go back to the innermost block around it that was not left. Where it is not current, do nothing."""
        self.is_left = True
        if current.get() is self:
            outer = self.outer
            while isinstance(outer, Block) and outer.is_left:
                outer = outer.outer
            current.set(outer)


def acting() -> Activity | None:
    """Return what the calling thread does for an Env; None if nothing."""
    # A thread that has only got a copy of a worker's context, as from `asyncio.to_thread`, is not the worker:
    # it may block while the worker goes on, and the worker does not wait when it waits.
    here = current.get()
    if here is None or here.env is None:
        return None
    return here if here.cell is None or here.thread == get_ident() else None
