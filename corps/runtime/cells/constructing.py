"""Running the constructor of a new worker: its first request, in the calling thread or in one of the pool."""

from typing import Any

from corps.messages.requests import CREATE, Request
from corps.runtime.calls.futures import Future
from corps.runtime.cells.cell import Cell
from corps.runtime.cells.records import Record, kept
from corps.runtime.context import acting
from corps.runtime.threads.lending import is_deep, may_lend


def construct_here(cell: Cell, record: Record, *, is_ours: bool = False) -> Future[Any]:
    """Run the constructor in the calling thread, or in one of the pool if this one may not be lent.

    Args:
        cell: Of the new worker.
        record: What to construct.
        is_ours: Its class is the runtime's own, so that no author's code runs.

    Returns:
        A Future of the new worker's Name.
    """
    if not is_ours and (is_deep() or not may_lend()):
        return construct_soon(cell, record)
    future, request = _first_request(cell, record)
    here = acting()
    waiter = here.cell if here is not None and here.task is None else None
    if waiter is not None:
        waiter.env.waits.begin(waiter, (future,))
    try:
        cell.run_first(request)
    finally:
        if waiter is not None:
            waiter.env.waits.end(waiter)
    return future


def construct_soon(cell: Cell, record: Record) -> Future[Any]:
    """Have a worker thread run the constructor; otherwise as `construct_here`.

    Returns:
        A Future of the new worker's Name.
    """
    future, request = _first_request(cell, record)
    cell.deliver(request)
    return future


def _first_request(cell: Cell, record: Record) -> tuple[Future[Any], Request]:
    """The request that constructs a worker.

    Args:
        cell: Of the worker.
        record: What to construct. The cell keeps it if the worker may be restarted.

    Returns:
        A Future of its Name, and the request.
    """
    cell.record = kept(record)
    future: Future[Any] = Future()
    args = (record.cls, *record.args)
    request = Request(CREATE, cell.addr, "__init__", args, record.kwargs, future, cell.mgr_addr)
    request.route = cell
    future.request = request
    return future, request
