"""A coroutine gives up its worker's turn for a while, so that other requests begin meanwhile.

It is still under way: the end of its worker waits for it. It has its turn again before all that waits, as
soon as nothing is under way beside which it may not run.
"""

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING

from corps.errors import ContextError, WorkerGone
from corps.messages.outcomes import Refused, Value
from corps.messages.requests import AWAY, BACK, BEGUN, WITHDRAWN, Request
from corps.runtime.calls.futures import Future
from corps.runtime.context import acting

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell


class Aside:
    """The block in which a coroutine has given up its turn. For one use."""

    def __init__(self, cell: "Cell") -> None:
        """Make it for the worker whose coroutine enters it."""
        self._cell = cell
        self._request: Request | None = None

    async def __aenter__(self) -> None:
        cell = self._cell
        request = _request_of_coroutine(cell)
        if request is None:
            raise ContextError(f"{cell} has a turn to give up only in an `async def` method that it runs")
        if request.stage == AWAY:
            raise ContextError(f"{request.method!r} of {cell} has given up its turn already")
        self._request = request
        _step_aside(cell, request)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cell, request, self._request = self._cell, self._request, None
        assert request is not None
        cancelled: asyncio.CancelledError | None = None
        # A worker that is ended by force may be stuck: then there is no turn to wait for.
        while request.stage == AWAY and not cell.performer.has_cancelled and cell.ended is None:
            try:
                await _ask_for_turn(cell, request)
            except asyncio.CancelledError as asked:  # what follows needs the turn all the same
                cancelled = asked
            except WorkerGone:  # the mailbox was emptied, and what is under way still ends in order
                continue
        if cancelled is not None:
            raise cancelled


def _request_of_coroutine(cell: "Cell") -> Request | None:
    """Return the request whose coroutine calls this; None if that is none, or a task that it has started."""
    here = acting()
    if here is None or here.cell is not cell or here.task is None or cell.main_thread is not None:
        return None
    request = here.request if here.task is asyncio.current_task() else None
    return request if request is not None and request.stage in (BEGUN, AWAY) else None


def _step_aside(cell: "Cell", request: Request) -> None:
    with cell.mailbox.lock:
        request.stage = AWAY
        cell.away += 1
        cell.counted(request, -1)
        wake = cell.let_go_on()
    if wake:
        cell.env.pool.submit(cell)


def _ask_for_turn(cell: "Cell", request: Request) -> Future[None]:
    """Return a Future that is done when the coroutine of a request has its turn again."""
    back: Future[None] = Future()
    order = Request(BACK, cell.addr, request.method, (request,), {}, back)
    order.route, back.request = cell, order
    with cell.mailbox.lock:
        is_over = cell.ended is not None
        if not is_over:
            cell.mailbox.put_back(order)
        wake = not is_over and cell.arrived()
    if is_over:
        order.settle(Refused(cell.gone("unknown")))
    elif wake:
        cell.env.pool.submit(cell)
    return back


def come_back(cell: "Cell", order: Request) -> None:
    """Give a coroutine its turn again. Owner of the cell only."""
    (request,) = order.args
    with cell.mailbox.lock:
        is_wanted = order.stage != WITHDRAWN and request.stage == AWAY
        if is_wanted:
            request.stage = BEGUN
            cell.away -= 1
            cell.counted(request, 1)
    if is_wanted:
        order.settle(Value(None))
