"""How a worker ends: once, in order, and with every request settled.

1. Its mailbox takes nothing more, and what waited there fails with WorkerGone, executed "no".
2. The request that runs is finished.
3. The workers it created end, newest first.
4. `cleanup()` is called.
5. It leaves the Env's registry and its Mgr's list; everybody who asked for its end gets the answer.

Steps 2 and 4 have a time limit each. A coroutine that exceeds it is cancelled. A thread cannot be ended
from outside: the worker is then abandoned, which the answer says.
"""

import logging
from threading import Lock, current_thread, get_ident, main_thread
from typing import Any

from corps.clock import now
from corps.errors import CorpsError, WorkerGone
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.messages.requests import Request
from corps.runtime.alarms import Alarm
from corps.runtime.context import current

_log = logging.getLogger("corps.workers")


class Ending:
    """The end of one worker. Any thread may call `begin`; `finish` is for who has the cell."""

    __slots__ = ("_alarm", "_asked", "_cancelled", "_cell", "_finishing", "_lock", "_over")

    def __init__(self, cell: Any) -> None:
        self._cell = cell
        self._lock = Lock()  # protects everything below; nothing is called while it is held
        self._asked: list[Request] = []
        self._finishing = False
        self._over = False
        self._cancelled = False  # used by the alarm thread alone
        self._alarm: Alarm | None = None

    def begin(self, request: Request) -> None:
        """Somebody asks for the end. The first one starts it; all are answered when it is over.

        Args:
            request: An EXIT.
        """
        with self._lock:
            over = self._over
            if not over:
                self._asked.append(request)
        if over:
            request.settle(Value(None))
            return
        waiting = self._cell.close_mailbox(request)
        if waiting is None:
            return
        self._set_limit("the request it runs", finishing=False)
        for dropped in waiting:
            dropped.settle(Refused(self._cell.gone("no")))

    def finish(self) -> None:
        """Steps 3 to 5. By the thread that has the cell; also when the worker ends without being asked."""
        cell = self._cell
        with self._lock:
            if self._finishing:
                return
            self._finishing = True
        for dropped in cell.close_mailbox(None) or ():
            dropped.settle(Refused(cell.gone("no")))
        outcome: Outcome = Value(None)
        interrupt: KeyboardInterrupt | None = None
        cell.activity.thread = get_ident()
        token = current.set(cell.activity)
        try:
            self._clear_limit()
            self._end_children()
            if cell.performer.has_worker:
                self._set_limit("cleanup()", finishing=True)
                cell.performer.close_generators()
                cell.performer.worker.cleanup()
        except BaseException as error:  # the end goes on, whatever the author's cleanup did
            _log.exception("cleanup() of %s raised", cell)
            outcome = Raised.capture(error, str(cell))
            if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
                interrupt = error
        finally:
            current.reset(token)
            self._clear_limit()
        self._leave(outcome)
        if interrupt is not None:  # meant for the program that ends it
            raise interrupt

    def _end_children(self) -> None:
        cell = self._cell
        children = list(cell.family.close())
        while children:
            child = children.pop(0)
            try:
                cell.env.exit(child).result()
            except KeyboardInterrupt:  # all of them end, though nobody waits for it
                for other in children:
                    cell.env.exit(other)
                raise
            except CorpsError as error:  # one that cannot end must not keep its siblings from it
                _log.warning(
                    "while %s ended, %s, which it created, did not end in order: %s", cell, child, error
                )

    def _set_limit(self, what: str, *, finishing: bool) -> None:
        env = self._cell.env
        alarm = env.alarms.at(now() + env.options.exit_timeout, lambda: self._overdue(what, finishing))
        with self._lock:
            # The worker may have been faster: a limit for its last request must not count while its
            # children end, for which there is none.
            is_late = self._finishing is not finishing
            if not is_late:
                self._alarm = alarm
        if is_late:
            alarm.cancel()

    def _clear_limit(self) -> None:
        with self._lock:
            alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.cancel()

    def _overdue(self, what: str, finishing: bool) -> None:
        """A step takes too long. In the alarm thread."""
        cell = self._cell
        with self._lock:
            if self._over or self._finishing is not finishing:  # it went on at this very moment
                return
        if cell.has_coroutines and not self._cancelled:
            self._cancelled = True
            cell.performer.cancel_coroutines()
            self._set_limit(what, finishing=finishing)
            return
        text = f"{cell} was abandoned: {what} did not end within {cell.env.options.exit_timeout} s"
        _log.error("%s", text)
        error = WorkerGone(text, executed="unknown", target=str(cell))
        running = cell.activity.request
        if running is not None:
            running.settle(Refused(error))
        cell.performer.abandon_coroutines(error)
        if cell.main_thread is not None:
            cell.main_thread.abandon(error)
        for child in cell.family.close():
            cell.env.exit(child)
        self._leave(Refused(error))

    def _leave(self, outcome: Outcome) -> None:
        with self._lock:
            if self._over:
                return
            self._over = True
            asked, self._asked = self._asked, []
        try:
            self._cell.env.forget(self._cell)
        except CorpsError as error:  # whoever asked for the end hears of it all the same
            _log.warning("the Mgr of %s could not be told of its end: %s", self._cell, error)
        for request in asked:
            request.settle(outcome)
