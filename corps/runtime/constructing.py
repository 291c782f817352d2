"""Running the constructor of a new worker: its first request, in the calling thread or in one of the pool."""

from typing import Any

from corps.messages.requests import CREATE, Request
from corps.runtime.cell import Cell
from corps.runtime.context import acting
from corps.runtime.futures import Future


def construct_here(cell: Cell, cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Future[Any]:
    """Run the constructor in the calling thread.

    Args:
        cell: Of the new worker.
        cls: Its class.
        args: Positional arguments of the constructor.
        kwargs: Keyword arguments.

    Returns:
        A Future of the new worker's Name, done.
    """
    future, request = _first_request(cell, cls, args, kwargs)
    here = acting()
    waits = here is not None and here.cell is not None and here.task is None
    if waits and here is not None:
        here.cell.begin_wait((future,))
    try:
        cell.run_first(request)
    finally:
        if waits and here is not None:
            here.cell.end_wait()
    return future


def construct_soon(cell: Cell, cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Future[Any]:
    """Have a worker thread run the constructor; as `construct_here` else.

    Returns:
        A Future of the new worker's Name.
    """
    future, request = _first_request(cell, cls, args, kwargs)
    cell.deliver(request)
    return future


def _first_request(
    cell: Cell, cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Future[Any], Request]:
    future: Future[Any] = Future()
    request = Request(CREATE, cell.addr, "__init__", (cls, *args), kwargs, future, cell.mgr_addr)
    request.route = cell
    future.request = request
    return future, request
