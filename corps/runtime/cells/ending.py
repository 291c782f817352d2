"""How a worker ends: once, in order, and with every request settled.

1. Its mailbox takes nothing more. What waits there fails with WorkerGone, executed "no". If the worker is
   drained, that is run first.
2. The request that runs is finished, and the tasks that its coroutines have started are cancelled.
3. The workers it created end. Those of one class end at once; the class that came last ends first.
4. `cleanup()` is called.
5. It leaves the Env's registry and its Mgr's list. Its watchers get the news, and each EXIT gets its answer.

Steps 2 and 4 have a time limit each. A coroutine that exceeds it is cancelled. A thread cannot be ended from
outside: the worker is then abandoned, and the answer says so. A worker that is killed is abandoned at once.
"""

import logging
from threading import Lock
from typing import TYPE_CHECKING, Any

from corps.clock import deadline_after, now, remaining
from corps.errors import CorpsError, WorkerGone
from corps.messages.dead_letters import DeadReason
from corps.messages.endings import End, Failure, Reason
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.messages.requests import EXIT, EXIT_DOWN, EXIT_LAST, EXIT_NOW, HALT, STILL, Request
from corps.runtime.cells.awaited_hooks import call_hook
from corps.runtime.cells.family import ChildEnd
from corps.runtime.cells.life import LIVING, Stage
from corps.runtime.cells.records import comes_back
from corps.runtime.context import current
from corps.runtime.threads.alarms import Alarm

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_log = logging.getLogger("corps.workers")


class Ending:
    """The end of one worker, whose stages are in `life`. `begin` is thread-safe; `finish` is not."""

    __slots__ = ("_alarm", "_asked", "_cell", "_failure", "_lock", "_reason", "_stage", "ended", "step")

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell
        self._lock = Lock()  # protects everything below; nothing is called while it is held
        self._asked: list[Request] = []
        self._stage: Stage = LIVING
        self._reason: Reason | None = None  # why it ends; None until the end begins
        self._failure: Failure | None = None  # the same, if it has failed
        self._alarm: Alarm | None = None
        self.step: tuple[str, float] | None = None
        """The author's code that its end runs, and since when. For others to read."""
        self.ended: End | None = None  # how it ended; None if it has not

    @property
    def is_over(self) -> bool:
        """Whether the worker has ended, or was abandoned."""
        return self._stage.is_over

    def begin(self, request: Request) -> None:
        """Take an EXIT. The first one begins the end; all are answered when it is over. Thread-safe."""
        if request.method == EXIT_NOW:
            self._begin_now(request)
            return
        failure = request.args[0] if request.args else None
        drains = request.method == EXIT_LAST
        with self._lock:
            stage = self._stage.asked
            if stage is not None:
                self._stage = stage
                self._asked.append(request)
                self._note(failure, "shutdown" if request.method == EXIT_DOWN else "normal")
        if stage is None:
            request.settle(Value(None))
            return
        letter = _letter(self._cell, failure)
        waiting = self._cell.close_mailbox(request, drains=drains)
        if waiting is None:
            return
        if not drains:
            self._set_limit("the request it runs", finishing=False)
        self._drop(waiting, letter)

    def still(self, request: Request) -> None:
        """Let nothing more begin, and answer a STILL when what runs has ended. Thread-safe."""
        with self._lock:
            self._stage = self._stage.stilled
        waiting, is_busy = self._cell.still(request)
        if waiting is None or not is_busy:  # it ends already, or does nothing
            request.settle(Value(None))
        else:
            self._set_limit("the request it runs", finishing=False)
            if request.promise.done():  # faster than that
                self._clear_limit()
        self._drop(waiting or (), "dropped")

    def stands_still(self, request: Request) -> None:
        """Answer a STILL, because what ran has ended. Owner of the cell only."""
        self._clear_limit()
        request.settle(Value(None))

    def _begin_now(self, request: Request) -> None:
        with self._lock:
            stage = self._stage.asked
            if stage is not None:
                self._stage = stage
                self._asked.append(request)
                self._reason, self._failure = "killed", None
        if stage is None:
            request.settle(Value(None))
        else:
            self._abandon("it was killed", Value(None))

    def answer_when_over(self, request: Request) -> None:
        """Settle a HALT that came too late: when the worker has ended, or else at once."""
        with self._lock:
            stage = self._stage.asked if self._reason is not None else None
            if stage is not None:
                self._stage = stage
                self._asked.append(request)
        if stage is None:
            request.settle(Value(None))

    def _note(self, failure: Failure | None, otherwise: Reason) -> None:
        """Record why the worker ends. Caller holds the lock."""
        # The first reason wins unless a restart limit was exceeded.
        is_heard = failure is not None and failure.is_final and not comes_back(self._cell.record, failure)
        if self._reason is None or is_heard:
            self._failure = failure
            self._reason = otherwise if failure is None else failure.reason

    def finish(self, failure: Failure | None = None) -> None:
        """Take steps 3 to 5, after an EXIT or of itself, because of `failure`. Owner of the cell only."""
        cell = self._cell
        with self._lock:
            stage = self._stage.finished
            if stage is None:
                return
            self._stage = stage
            self._note(failure, "normal")
        letter = _letter(cell, failure)
        self._drop(cell.close_mailbox(None) or (), letter)
        outcome: Outcome = Value(None)
        try:
            cell.within(self._finish)
        except BaseException as error:  # the end goes on, whatever the author's cleanup did
            _log.exception("cleanup() of %s raised", cell)
            outcome = Raised.capture(error, str(cell), cell.incarnation)
        finally:
            self.step = None
            self._clear_limit()
        self._leave(outcome)

    def _finish(self) -> None:
        """Take steps 2 to 4, from the tasks on."""
        cell = self._cell
        self._clear_limit()
        cell.activity.deadline = None  # of a constructor that failed: its children end without
        cell.performer.end_background(cell.env.options.exit_timeout)
        end_children(cell)
        if cell.performer.has_worker:
            self._set_limit("cleanup()", finishing=True)
            cell.performer.close_generators()
            self.step = "cleanup()", now()
            call_hook(cell, cell.performer.worker, "cleanup")

    def _drop(self, waiting: Any, letter: DeadReason) -> None:
        for dropped in waiting:
            if dropped.kind in (HALT, STILL):
                dropped.settle(Value(None))
            elif dropped.kind is not EXIT:  # those are answered when it is over
                self._cell.env.letters.settle(dropped, Refused(self._cell.gone("no"), letter))

    def _set_limit(self, what: str, *, finishing: bool) -> None:
        env = self._cell.env
        alarm = env.alarms.at(now() + env.options.exit_timeout, lambda: self._overdue(what, finishing))
        with self._lock:
            # The worker may have been faster: a limit for its last request must not count while its
            # children end, for which there is none.
            is_late = self._stage.is_finishing is not finishing
            if not is_late:
                former, self._alarm = self._alarm, alarm
        if is_late:
            former = alarm
        if former is not None:
            former.cancel()

    def _clear_limit(self) -> None:
        with self._lock:
            alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.cancel()

    def _overdue(self, what: str, finishing: bool) -> None:
        """Cancel what runs, because a step takes too long; the second time abandon the worker. One thread."""
        cell = self._cell
        with self._lock:
            if (
                self._stage.is_over or self._stage.is_finishing is not finishing
            ):  # it went on at this very moment
                return
        if cell.has_coroutines and not cell.performer.has_cancelled:
            cell.performer.cancel_coroutines()
            self._set_limit(what, finishing=finishing)
            return
        self.abandon(what)

    def abandon(self, what: str) -> None:
        """End the worker without its thread, because the step `what` takes too long. Thread-safe."""
        text = f"it was abandoned: {what} did not end within {self._cell.env.options.exit_timeout} s"
        with self._lock:
            # One that was asked to end does not come back, though it could not do so in order.
            was_asked = self._stage.is_wanted and self._failure is None
            self._reason, self._failure = "hung", None if was_asked else Failure("hung", text)
        _log.error("%s: %s", self._cell, text)
        self._cell.env.lives.abandoned.append(f"{self._cell} in {what}")
        self._abandon(text, None)

    def _abandon(self, text: str, outcome: Outcome | None) -> None:
        """End the worker now, whatever it runs. `outcome` answers each EXIT; None: it was abandoned."""
        cell = self._cell
        letter = _letter(cell, self._failure)
        cell.env.lives.will_leave(cell, self._failure)
        waiting = cell.close_mailbox(None) or ()
        incarnation = cell.incarnation
        error = WorkerGone(f"{cell}: {text}", executed="unknown", target=str(cell), incarnation=incarnation)
        cell.give_up(error)
        cell.performer.cancel_background()
        if cell.has_coroutines:
            cell.performer.cancel_coroutines()
        token = current.set(cell.activity)  # it is the worker that ends its children
        try:
            for child in cell.family.close():
                if outcome is not None:
                    cell.env.exit(child, EXIT_NOW)
                cell.env.exit(child, EXIT_DOWN)  # also one that is not there, and would be started again
                cell.family.disown(child)
        finally:
            current.reset(token)
        self._leave(Refused(error) if outcome is None else outcome, waiting, letter, text)

    def _leave(
        self, outcome: Outcome, waiting: Any = (), letter: DeadReason = "dropped", text: str = ""
    ) -> None:
        cell = self._cell
        with self._lock:
            was_over, self._stage = self._stage.is_over, self._stage.left
            asked, self._asked = self._asked, []
            # An EXIT with arguments reports a failure, and orders nothing.
            is_ordered = any(request.kind is EXIT and not request.args for request in asked)
            if not was_over and self._reason == "hung" and is_ordered:
                self._failure = None  # an EXIT came while it was being abandoned
            failure, reason = self._failure, self._reason or "normal"
        halts = [request for request in waiting if request.kind in (HALT, STILL)]
        if was_over:
            self._drop(waiting, letter)
            for request in (*asked, *halts):
                request.settle(Value(None))
            return
        asked += halts  # their askers go on when the Mgr knows
        text = text if failure is None else failure.text
        ended = self.ended = End(cell.incarnation, reason, text)
        unbegun = [request for request in waiting if request.kind not in (EXIT, HALT, STILL)]
        if not cell.env.lives.forget(cell, ended, failure, unbegun):
            self._drop(unbegun, letter)
        if cell.watchers is not None:
            cell.watchers.tell(ended)
        cell.env.lives.tell_mgr(cell, ChildEnd(cell.incarnation, failure, is_halted=False))
        cell.performer.worker = None  # callers may still hold its cell
        for request in asked:
            request.settle(outcome if request.kind is EXIT else Value(None))


def _letter(cell: "Cell", failure: Failure | None) -> DeadReason:
    """Return why the requests in the mailbox will reach no worker, if it ends now."""
    gives_up = failure is not None and failure.is_final
    return "not_restarted" if gives_up or cell.is_halted else "dropped"


def end_children(cell: "Cell") -> None:
    """End the workers that a worker has created, and wait for them. Owner of the cell only."""
    # The workers of one class end at once. A class whose first worker was created later ends before the
    # others: so a worker can count on those that were there before it, until it has ended.
    env = cell.env
    until = deadline_after(env.options.shutdown_timeout)
    for turn in cell.family.close_in_turns():
        for child, ended in [(child, env.exit(child, EXIT_DOWN)) for child in turn]:
            try:
                ended.result(remaining(until))
            except CorpsError as error:  # one that cannot end must not keep its siblings from it
                text = "while %s ended, %s, which it created, did not end in order: %s"
                _log.warning(text, cell, child, error)
            cell.family.disown(child)  # one whose process has died cannot report its end
