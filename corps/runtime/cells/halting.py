"""How a worker that failed comes back: its incarnation is halted, its Mgr decides, the next one is started.

1. What it ran has been answered; coroutines under way are cancelled. What waits in its mailbox goes on
   waiting.
2. The tasks that its coroutines have started are cancelled, and the workers it created end, as in `ending`.
3. `before_restart(error)` is called on it if it has failed; `cleanup()` if it is halted because another one
   has failed.
4. Its watchers get the news, and its Mgr.
5. When its Mgr says so, `constructing` runs its constructor again with the same arguments, then
   `after_restart(state)`.

Steps 1 and 3 have a time limit each. A thread cannot be ended from outside: a worker that exceeds it is
abandoned, and its next incarnation is another cell at the same address.

All functions are about one cell of this Env.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from corps.addresses import ENV_MGR
from corps.clock import now
from corps.errors import NotPermitted
from corps.messages.endings import BY_ITSELF, End, Failure, Reason
from corps.messages.outcomes import Raised, Refused, Value
from corps.messages.promises import NoAnswer, Promise
from corps.messages.requests import EXIT, HALT, WAITING, Request
from corps.runtime.calls.futures import Future
from corps.runtime.cells.awaited_hooks import call_hook
from corps.runtime.cells.ending import end_children
from corps.runtime.cells.family import ChildEnd
from corps.runtime.cells.records import comes_back
from corps.runtime.threads.alarms import Alarm

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_log = logging.getLogger("corps.workers")


def failure_of(what: str, error: BaseException) -> Failure:
    """Make what a Mgr hears of an exception that came out of `what`, a part of the author's code."""
    shown = Raised.capture(error, None).remote
    reason: Reason = "memory" if isinstance(error, MemoryError) else "error"
    return Failure(reason, f"{what} raised {shown.summary}", shown.traceback)


def fail(
    cell: "Cell", failure: Failure, error: BaseException | None = None, promise: Promise | None = None
) -> None:
    """Finish what the worker runs, then halt or end it, which settles `promise` with None. Thread-safe."""
    promise = promise or _unanswered(cell)
    if comes_back(cell.record, failure):
        asked = order(cell, failure, error, promise)
        is_halting = cell.put_first(asked)
        if is_halting:
            _limit_wait(cell, asked)
        elif cell.is_halted:  # it has failed already, and what waits there waits for its return
            promise.settle(Value(None))
            return
    else:
        is_halting = False
    if not is_halting:  # also if it ends already: drained, it must not go on after a failure
        cell.deliver(Request(EXIT, cell.addr, "exit", (failure,), {}, promise))
    if cell.has_coroutines:
        cell.performer.cancel_coroutines()


def take_exit(cell: "Cell", request: Request) -> None:
    """Begin the end of a worker by an EXIT, or refuse one whose sender may not send it. Thread-safe."""
    sender = request.sender
    if sender is not None and sender not in (cell.addr, cell.mgr_addr) and sender.conc != ENV_MGR:
        text = f"{cell} can be ended by its Mgr, by itself and by the operator, but not by {sender}"
        request.settle(Refused(NotPermitted(text, target=str(cell), incarnation=cell.incarnation)))
    elif sender == cell.addr and comes_back(cell.record, BY_ITSELF):
        fail(cell, BY_ITSELF, promise=request.promise)
    else:
        cell.ending.begin(request)


def order(
    cell: "Cell", failure: Failure | None, error: BaseException | None, promise: Promise | None = None
) -> Request:
    """Make the HALT for the present incarnation. `failure` is None if another worker has failed."""
    args = (cell.incarnation, failure, error, now())
    return Request(HALT, cell.addr, "halt", args, {}, promise or _unanswered(cell))


def _unanswered(cell: "Cell") -> NoAnswer:
    return NoAnswer(f"the end of {cell}, which has failed")


def halt(cell: "Cell") -> Future[None]:
    """Halt a worker that is to be started again together with others; done when it has ended. Thread-safe."""
    future: Future[None] = Future()
    asked = order(cell, None, None, future)
    if cell.put_first(asked):
        _limit_wait(cell, asked)
        if cell.has_coroutines:
            cell.performer.cancel_coroutines()
    else:
        cell.ending.answer_when_over(asked)
    return future


def stop(cell: "Cell", request: Request) -> bool:
    """Run a HALT; return whether the worker goes on, or else is given up. Owner of the cell only."""
    incarnation, failure, error, failed_at = request.args
    if incarnation != cell.incarnation or not cell.performer.has_worker:
        request.settle(Value(None))
        return True
    cell.within(_end_incarnation, cell, failure, error)
    _rest(cell, failure, failed_at)
    request.settle(Value(None))
    return False


def _end_incarnation(cell: "Cell", failure: Failure | None, error: BaseException | None) -> None:
    """Take steps 2 and 3."""
    cell.performer.end_background(cell.env.options.exit_timeout)
    end_children(cell)
    _call_last_hook(cell, failure, error)


def constructor_failed(cell: "Cell", error: BaseException) -> None:
    """Halt a worker whose further constructor has raised, and give the cell up. Owner of the cell only."""
    end_children(cell)
    _rest(cell, failure_of("its constructor", error), now())


def _rest(cell: "Cell", failure: Failure | None, failed_at: float) -> None:
    """Report that the incarnation has ended, and give the cell up."""
    number = cell.incarnation
    end = failure or Failure("shutdown", "it is started again, together with others")
    if cell.ending.is_over:  # it was abandoned meanwhile
        return
    cell.env.worker_counters.ended(str(cell), end.reason, has_failed=failure is not None)
    cell.forget_worker()
    cell.env.parts.tell(lambda part: part.worker_ended(cell.addr, returns=True))
    if cell.watchers is not None:
        cell.watchers.tell(End(number, end.reason, end.text))
    cell.halted(number + 1)
    if failure is not None:
        _log.warning("%s, incarnation %d, has failed: %s", cell, number, end.text)
        cell.env.lives.tell_mgr(cell, ChildEnd(number, failure, is_halted=True, ago=now() - failed_at))


def _call_last_hook(cell: "Cell", failure: Failure | None, error: BaseException | None) -> None:
    worker = cell.performer.worker
    what = "cleanup()" if failure is None else "before_restart()"
    limit = _at_limit(cell, lambda: cell.ending.abandon(what))
    try:
        cell.performer.close_generators()
        if failure is None:
            call_hook(cell, worker, "cleanup")
        else:
            call_hook(cell, worker, "before_restart", error)
    except BaseException:  # it comes back, whatever the author's hook did
        _log.exception("%s of %s raised", what, cell)
    finally:
        limit.cancel()


def _limit_wait(cell: "Cell", asked: Request) -> None:
    """Abandon the worker if what it runs does not end in time."""

    def late() -> None:
        if asked.stage == WAITING and not asked.promise.done():
            cell.ending.abandon("the request it runs")

    _at_limit(cell, late)


def _at_limit(cell: "Cell", ring: Callable[[], object]) -> Alarm:
    return cell.env.alarms.at(now() + cell.env.options.exit_timeout, ring)
