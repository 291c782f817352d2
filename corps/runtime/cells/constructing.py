"""Running the constructor of a worker: its first request, and that of each further incarnation."""

from typing import TYPE_CHECKING, Any

from corps.messages.requests import CREATE, Request
from corps.runtime.calls.futures import Future
from corps.runtime.cells.records import Record, if_needed
from corps.runtime.context import Activity, acting
from corps.runtime.threads.lending import is_deep, may_lend

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell


def construct_here(cell: "Cell", record: Record, *, is_ours: bool = False) -> Future[Any]:
    """Run the constructor in this thread, or in one of the pool if this one may not be lent."""
    here = acting()
    if not is_ours and (is_deep() or not may_lend() or _must_wait_elsewhere(record, here)):
        return construct_soon(cell, record)
    cell.record = if_needed(record)
    future, request = _creation(cell, record)
    waiter = here.cell if here is not None and here.task is None else None
    if waiter is not None:
        waiter.env.waits.begin(waiter, (future,))
    try:
        cell.run_first(request, here)
    finally:
        if waiter is not None:
            waiter.env.waits.end(waiter)
    return future


def _must_wait_elsewhere(record: Record, here: Activity | None) -> bool:
    """Return whether a coroutine creates the worker, and the worker has one of its own to be awaited."""
    may_not_wait = here is not None and (here.task is not None or here.reading)
    return may_not_wait and getattr(record.cls, "_corps_starts", False)


def construct_soon(cell: "Cell", record: Record) -> Future[Any]:
    """Have a worker thread run the constructor; otherwise as `construct_here`."""
    cell.record = if_needed(record)
    future, request = _creation(cell, record)
    cell.deliver(request)
    return future


def construct_again(cell: "Cell", record: Record, incarnation: int) -> Future[Any] | None:
    """Have a thread start the next incarnation; None if the worker is not halted. Thread-safe."""
    future, request = _creation(cell, record)
    name = cell.env.upper.make_name(cell.addr, cell.interface, incarnation)

    def started(done: Future[Any]) -> None:
        if done.outcome is not None and not done.outcome.failed:
            cell.env.parts.tell(lambda part: part.worker_came_back(cell.addr, incarnation))

    future.when_settled(started)  # before it begins, so that services hear it before any answer of it leaves
    return future if cell.begin(incarnation, name, request) else None


def _creation(cell: "Cell", record: Record) -> tuple[Future[Any], Request]:
    """Make the request that constructs a worker, and a Future of its Name."""
    future: Future[Any] = Future()
    args = (record.cls, *record.args)
    request = Request(CREATE, cell.addr, "__init__", args, record.kwargs, future, cell.mgr_addr)
    request.route = cell
    future.request = request
    return future, request
