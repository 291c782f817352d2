"""A Mgr brings back its children: it does what `corps.supervision` decides.

Every decision comes to a plan, which a worker thread carries out when its delay is over; in a plan with an
order each step waits for the one before it. A child whose cell has gone is constructed anew at its address.
While a start is under way only its answer counts: if the Env of the child dies meanwhile, the Mgr cannot know
in which of its processes the child was started.
"""

import logging
import random
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from corps.addresses import ConcAddr
from corps.clock import now
from corps.errors import CorpsError, WorkerGone
from corps.messages.endings import Failure
from corps.messages.outcomes import Refused, Value
from corps.messages.requests import EXIT_DOWN
from corps.runtime.calls.futures import Future
from corps.runtime.cells.records import Record
from corps.runtime.context import Activity, current
from corps.supervision.supervisor import Dropped, GivenUp, Plan, Steps, Supervisor

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_log = logging.getLogger("corps.supervision")

_CHANCE: Final = random.SystemRandom().random  # the generator of the module is the same in all forked Envs


class Supervising:
    """What one Mgr does about its children. Thread-safe, but for `run`, which is for the pool."""

    def __init__(self, cell: "Cell", disown: Callable[[ConcAddr, Failure | None], None]) -> None:
        """Make one without any child. `disown` is called with a child that has ended for good, and why."""
        self._cell = cell
        self._env = cell.env
        self._disown = disown
        self._lock = Lock()  # protects everything below; only the rules are called under it
        self._supervisor: Supervisor[ConcAddr] = Supervisor(cell.strategy, _CHANCE)
        self._records: dict[ConcAddr, Record] = {}
        self._bare: set[ConcAddr] = set()  # children without a cell
        self._starting: dict[ConcAddr, int] = {}  # whose start was not answered yet, and the incarnation
        self._due: deque[Plan[ConcAddr]] = deque()
        self._failed_at: dict[ConcAddr, float] = {}  # of those whose next start has not begun
        self._is_running = False
        self._is_closed = False

    def add(self, child: ConcAddr, record: Record | None) -> None:
        """Count a child that was created. Without a record it is not restarted."""
        with self._lock:
            if record is not None:
                self._records[child] = record
            self._supervisor.add(child, record.options.restart if record is not None else None)

    def remove(self, child: ConcAddr) -> None:
        """Forget a child that has ended for good."""
        with self._lock:
            self._supervisor.remove(child)
            self._records.pop(child, None)
            self._bare.discard(child)
            self._starting.pop(child, None)
            self._failed_at.pop(child, None)

    def away(self) -> list[ConcAddr]:
        """Return the children that are to be started again, and those whose start is under way."""
        with self._lock:
            return [] if self._is_closed else [*self._supervisor.down(), *self._starting]

    def close(self) -> None:
        """Start no child any more, because the Mgr ends."""
        with self._lock:
            self._is_closed = True
            self._due.clear()

    def lost(self, child: ConcAddr, failure: Failure) -> None:
        """Decide what follows for a child whose process has died."""
        with self._lock:
            if self._supervisor.is_down(child):
                self._bare.add(child)
            if child in self._starting:
                return
            incarnation = self._supervisor.incarnation_of(child)
        self.failed(child, incarnation, failure, is_halted=False, failed_at=now())

    def failed(
        self, child: ConcAddr, incarnation: int, failure: Failure, *, is_halted: bool, failed_at: float
    ) -> None:
        """Decide what follows on the failure of a child. `is_halted`: its cell waits for the next start."""
        # `failed_at` is on the clock of this process.
        with self._lock:
            if self._env.closed:  # a start would fail at once, again and again
                return
            if not is_halted and child in self._records:
                self._bare.add(child)
            decision = self._supervisor.failed(child, incarnation, failure, now())
            if self._is_closed and not isinstance(decision, GivenUp):
                return
            if isinstance(decision, Plan):
                self._failed_at.setdefault(child, failed_at)
        if decision is not None:  # else it was known already
            self._env.worker_counters.detected(now() - failed_at)
        match decision:
            case Plan(delay=delay) as plan if delay > 0:
                _log.debug("%s is started again in %.2f s", child, delay)
                self._env.alarms.at(now() + delay, lambda: self._carry_out(plan))
            case Plan() as plan:
                self._carry_out(plan)
            case Dropped(child=dropped):
                self._disown(dropped, failure)
                if is_halted:
                    self._env.exit(child)
            case GivenUp() as given_up:
                self._give_up(given_up)

    def _give_up(self, given_up: GivenUp[ConcAddr]) -> None:
        child, last = given_up.child, given_up.failure
        with self._lock:
            record = self._records.get(child)
        if last.is_final:
            failure = last
        else:
            restart = record.options.restart if record is not None else None
            who = f"{record.interface.short_name} {child}" if record is not None else str(child)
            text = (
                f"{who} has failed {given_up.failures} times within {given_up.seconds:.3g} s, more often "
                f"than its policy allows ({restart}); the last time: {last.text}"
            )
            failure = Failure("error", text, last.traceback, is_final=True)
        _log.error("%s", failure.text)
        self._env.lives.escalate(self._cell, failure)

    def _carry_out(self, plan: Plan[ConcAddr]) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._due.append(plan)
            submits, self._is_running = not self._is_running, True
        if submits:
            self._env.pool.submit(self)

    def run(self) -> None:
        """Carry out what is due. Called by a thread of the pool."""
        here = Activity(self._env, pooled=True)
        token = current.set(here)
        try:
            while (steps := self._next()) is not None:
                try:
                    self._do(steps)
                except Exception:  # the next one must be done all the same
                    _log.exception("a child of %s could not be started again; please report it", self._cell)
        finally:
            current.reset(token)

    def _next(self) -> Steps[ConcAddr] | None:
        with self._lock:
            while self._due:
                steps = self._supervisor.steps(self._due.popleft())
                if steps is not None:
                    return steps
            self._is_running = False
            return None

    def _do(self, steps: Steps[ConcAddr]) -> None:
        for child in steps.end:
            self._env.exit(child, EXIT_DOWN).failure()
        for child in steps.halt:
            try:
                is_there = self._env.ask_manager(child.env, "halt", child.conc).result()
            except CorpsError as error:  # it is started all the same; if that fails, it is tried again
                _log.warning("%s could not be halted: %s", child, error)
                continue
            if not is_there:
                with self._lock:  # whether or not its end was reported before
                    self._bare.add(child)
        for child, incarnation in steps.start:
            started = self._start(child, incarnation)
            if started is not None and steps.is_ordered:
                started.failure()

    def _start(self, child: ConcAddr, incarnation: int) -> Future[Any] | None:
        with self._lock:
            if self._is_closed or not self._supervisor.started(child, incarnation, now()):
                return None
            failed_at = self._failed_at.pop(child, None)
            if child not in self._records:
                return None
            self._starting[child] = incarnation
        return self._ask_start(child, incarnation, failed_at)

    def _ask_start(self, child: ConcAddr, incarnation: int, failed_at: float | None) -> Future[Any] | None:
        with self._lock:
            record = self._records.get(child)
            if self._is_closed or record is None:
                return None
            is_bare = child in self._bare
            self._bare.discard(child)
        create = (record, self._cell.name, self._cell.addr) if is_bare else None
        try:
            started: Future[Any] = self._env.ask_manager(child.env, "start", child.conc, incarnation, create)
        except CorpsError as error:  # what it was created with cannot be packed any more
            self._not_started(child, incarnation, error, failed_at)
            return None
        started.when_settled(lambda done: self._note(child, incarnation, done, failed_at))
        return started

    def _note(self, child: ConcAddr, incarnation: int, started: Future[Any], failed_at: float | None) -> None:
        """Take the answer to a start. The child itself has reported what its constructor raised."""
        outcome = started.outcome
        assert outcome is not None
        opened = outcome.opened()
        if isinstance(opened, Refused):
            self._not_started(child, incarnation, opened.error, failed_at)
        elif isinstance(opened, Value) and opened.value is None:
            self._start_anew(child, incarnation, failed_at)
        elif opened.failed:
            self._answered(child, incarnation)
            with self._lock:
                if failed_at is not None and self._supervisor.is_down(child):
                    self._failed_at[child] = failed_at  # its return ends that failure
        else:
            if failed_at is not None:
                self._env.worker_counters.recovered(now() - failed_at)
            if not self._answered(child, incarnation):  # it was to end, which may have come too early
                self._env.exit(child, EXIT_DOWN)

    def _start_anew(self, child: ConcAddr, incarnation: int, failed_at: float | None) -> None:
        """Construct a child whose process died at this moment: the next process does not know it."""
        with self._lock:
            if self._starting.get(child) != incarnation:
                return
            self._bare.add(child)
        self._ask_start(child, incarnation, failed_at)

    def _answered(self, child: ConcAddr, incarnation: int) -> bool:
        """Note that the start of a child was answered, and return whether it is a child still."""
        with self._lock:
            if self._starting.get(child) == incarnation:
                del self._starting[child]
            return child in self._records and not self._is_closed

    def _not_started(
        self, child: ConcAddr, incarnation: int, error: CorpsError, failed_at: float | None
    ) -> None:
        failure = Failure("lost", f"it could not be started again: {error}")
        self._answered(child, incarnation)
        if self._env.others.is_gone(child.env):  # to try again would use up its restarts within a moment
            self._disown(child, failure)
            return
        if isinstance(error, WorkerGone) and error.executed == "no":  # the EnvMgr there ends, and so its Env
            return
        with self._lock:
            if failed_at is not None and child in self._records:  # its return ends the former failure
                self._failed_at[child] = failed_at
        self.failed(child, incarnation, failure, is_halted=False, failed_at=now())
