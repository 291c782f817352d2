"""A worker answers with what another one gives: its method returns a Future.

The worker goes on with its next request; the caller gets what that Future gives, when it comes. Until then
the request remains under way: its caller may cancel it, which cancels what it waits for, and the search for
circles of waits follows it.
"""

import concurrent.futures
from typing import TYPE_CHECKING, Any

from corps.errors import Cancelled
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.messages.requests import Request
from corps.runtime.calls.futures import Future

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell


def relay(cell: "Cell", request: Request, answer: "concurrent.futures.Future[Any]") -> None:
    """Settle a request, which the worker of `cell` was asked, with what a Future of any executor gives."""
    if isinstance(answer, Future):
        if not answer.is_authors:  # otherwise the request would hold what its author may have let go of
            request.relayed = answer
            request.cancel_run = answer.stop_waiting
        answer.when_settled(lambda done: _passed_on(cell, request, done))
    else:
        request.cancel_run = answer.cancel
        answer.add_done_callback(lambda done: _answer(cell, request, _outcome_of(cell, done)))
    if request.promise.done() and request.cancel_run is not None:  # it was given up in the meantime
        request.cancel_run()


def _passed_on(cell: "Cell", request: Request, answer: Future[Any]) -> None:
    answer.hear()  # the caller will look at it, or will not
    _answer(cell, request, answer.outcome)


def _answer(cell: "Cell", request: Request, outcome: Outcome | None) -> None:
    """Pass on the answer. In the thread that settles: it may be the one that reads."""
    assert outcome is not None
    request.relayed = request.cancel_run = None
    if isinstance(request.promise, Future):
        request.settle(outcome)
    else:  # it may have to be unpacked and packed, which may run an author's code, and take long
        cell.env.pool.submit(_Settling(request, outcome))


def _outcome_of(cell: "Cell", done: "concurrent.futures.Future[Any]") -> Outcome:
    if done.cancelled():
        return Refused(Cancelled(f"what {cell} answers with was cancelled", target=str(cell)))
    error = done.exception()
    return Value(done.result()) if error is None else Raised.capture(error, str(cell), cell.incarnation)


class _Settling:
    """A `pool.Runnable` that settles one request."""

    __slots__ = ("_outcome", "_request")

    def __init__(self, request: Request, outcome: Outcome) -> None:
        self._request = request
        self._outcome = outcome

    def run(self) -> None:
        """Settle the request."""
        self._request.settle(self._outcome)
