"""Calling a hook of a worker, which may be a coroutine function. The worker runs nothing else meanwhile."""

from collections.abc import Coroutine
from threading import Event
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from corps.messages.requests import CREATE, Request
from corps.runtime.calls.futures import Future
from corps.runtime.cells.hooks import hook

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell


def call_hook(cell: "Cell", worker: Any, name: str, *args: Any) -> None:
    """Call a hook of the author's object, and wait for its end. Owner of the cell only, not on the loop."""
    given = hook(worker, name)(*args)
    if type(given) is CoroutineType:
        _await(cell, name, given)


def _await(cell: "Cell", name: str, coroutine: Coroutine[Any, Any, Any]) -> None:
    # It runs as the coroutine of a request, so the limits of the end of a worker hold for it too.
    ended: Future[Exception | None] = Future()
    request = Request(CREATE, cell.addr, name, (), {}, ended)
    over = Event()
    ended.when_settled(lambda _: over.set())
    cell.performer.start(request, _raised_by(coroutine))
    cell.env.enter_blocked()
    try:
        over.wait()
    finally:
        cell.env.leave_blocked()
    if (failure := ended.failure()) is not None:
        coroutine.close()  # it was cancelled, perhaps before its first step
        raise failure
    if (error := ended.result()) is not None:
        raise error


async def _raised_by(coroutine: Coroutine[Any, Any, Any]) -> Exception | None:
    """Return what a hook raises: the object itself, and no copy."""
    try:
        await coroutine
    except Exception as error:
        return error
    return None
