"""The lives of the workers of one Env: how they begin and end.

When a worker ends, what becomes of its requests is decided here, and its Mgr learns of it from here.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from corps.addresses import ConcAddr, is_service
from corps.errors import ClosedError, CorpsError
from corps.messages.endings import End, Failure
from corps.messages.outcomes import Refused
from corps.messages.requests import EXIT_DOWN, Request
from corps.runtime.calls.futures import Future
from corps.runtime.cells import halting
from corps.runtime.cells.cell import Cell
from corps.runtime.cells.constructing import construct_again
from corps.runtime.cells.family import ChildEnd
from corps.runtime.cells.keeping import KeptStates, forget_state, keeps_state
from corps.runtime.cells.records import Record, comes_back
from corps.runtime.cells.shared import SharedCell

if TYPE_CHECKING:
    from corps.messages.interfaces import WorkerName
    from corps.runtime.env import Env

_log = logging.getLogger("corps.env")


class Lives:
    """The beginnings and ends of the workers of one Env. Thread-safe."""

    def __init__(self, env: "Env") -> None:
        self._env = env
        self._registry = env.registry
        self.kept: Final = KeptStates()
        """States of workers: those of this Env, if it is alone; in the booting process, of all Envs."""
        self.is_winding_down = False  # nothing begins any more; see `winding_down`
        self.stands_since = 0.0  # when that began
        self.hears_last_words = False  # but for what workers that end ask of others
        self.abandoned: list[str] = []  # which workers did not end in time, and in what; only appended to
        self.on_limit: Callable[[Failure], object] | None = None
        """Called when a restart limit was passed that no worker of this Env can heal."""

    # --- beginnings ---

    def new_cell(
        self,
        record: Record,
        mgr: "WorkerName | None" = None,
        mgr_addr: ConcAddr | None = None,
        number: int | None = None,
    ) -> Cell:
        """Make the cell of a new worker, with an address of its own, and register it."""
        # `number` is that of a service; None for the next free one.
        number = self._registry.next_number() if number is None else number
        cell = self._cell(number, record, mgr, mgr_addr)
        self._registry.add(number, cell)
        return cell

    def start(
        self, number: int, incarnation: int, create: "tuple[Record, WorkerName, ConcAddr] | None"
    ) -> Future[Any] | None:
        """Start the next incarnation; return a Future of its Name. `create` makes the cell if it has gone."""
        cell = self._registry.find(number)
        if cell is None and create is not None:
            record, mgr, mgr_addr = create
            cell = self._cell(number, record, mgr, mgr_addr)
            cell.record = record
            cell.halted(incarnation)
            self._registry.add(number, cell)
        if cell is None:
            return None
        assert cell.record is not None  # a Mgr starts only what has one
        return construct_again(cell, cell.record, incarnation)

    def _cell(self, number: int, record: Record, mgr: "WorkerName | None", mgr_addr: ConcAddr | None) -> Cell:
        env = self._env
        if env.closed or (self.is_winding_down and not is_service(number)):  # a cleanup() may need a service
            state = "has closed" if env.closed else "ends"
            raise ClosedError(f"{env.label} {state}: no worker can be created there any more")
        interface = record.interface
        kind = SharedCell if interface.is_shared else Cell
        return kind(env, ConcAddr(env.corps_id, env.id, number), record, interface, mgr, mgr_addr)

    # --- ends ---

    def will_leave(self, cell: Cell, failure: Failure | None) -> None:
        """Hold what comes for a worker that is about to be abandoned, if its next cell may run it."""
        if failure is not None and cell.mgr_addr is not None and comes_back(cell.record, failure):
            self._registry.will_leave(cell.addr.conc, cell)

    def forget(self, cell: Cell, ended: End, failure: Failure | None, waiting: list[Request]) -> bool:
        """Free the number of a worker that has ended; return whether it may come back as another cell."""
        # If so, what it has not begun waits for that. Otherwise those requests are the caller's.
        self._env.worker_counters.ended(str(cell), ended.reason, has_failed=failure is not None)
        mgr_env: int | None = None
        if cell.mgr_addr is not None and failure is not None and not self.is_winding_down:
            mgr_env = cell.mgr_addr.env if comes_back(cell.record, failure) else None
        may_return = mgr_env is not None
        self.refuse(self._registry.remove(cell.addr.conc, ended, mgr_env, waiting))
        if not may_return and cell.record is not None and keeps_state(cell.record.cls):
            forget_state(cell)
        self._env.parts.tell(lambda part: part.worker_ended(cell.addr, returns=may_return))
        return may_return

    def pass_on(self, cell: Cell, request: Request) -> None:
        """Find another holder for a request whose cell takes nothing more: its worker may come back."""
        if self.hears_last_words and request.sender is not None and cell.deliver_late(request):
            return
        follower = self._registry.find(cell.addr.conc)
        if follower is not None and follower is not cell:
            follower.deliver(request)
        elif not self._registry.hold(request):
            self._env.letters.settle(request, Refused(cell.gone("no"), "ended"))

    def refuse(self, requests: list[Request]) -> None:
        """Settle requests whose workers will not come back."""
        for request in requests:
            outcome = self._registry.outcome_without_cell(request)
            if isinstance(outcome, Refused):
                outcome.letter = "not_restarted"
            self._env.letters.settle(request, outcome)

    # --- what Mgrs learn ---

    def tell_mgr(self, cell: Cell, end: ChildEnd) -> None:
        """Tell the Mgr of a worker how an incarnation of it has ended."""
        env, mgr, child = self._env, cell.mgr_addr, cell.addr
        if mgr is None:
            return
        if mgr.env == env.id:
            self.child_ended(mgr, child, end)
        elif not env.closed and (cell.performer.has_worker or cell.incarnation > 1 or end.is_halted):
            # Else its creator never heard of it. This is a request with an answer: if the Mgr's Env is ending
            # too, its refusal is nothing to log.
            try:
                answer = env.ask_manager(mgr.env, "child_ended", mgr, child, end)
            except CorpsError as error:  # the caller that has asked for the end hears of it all the same
                _log.warning("the Mgr of %s could not hear of its end: %s", cell, error)
                return
            if end.failure is not None:  # it may wait to be started again
                answer.when_settled(lambda done: self._end_if_unknown(child, done))

    def child_ended(self, mgr: ConcAddr, child: ConcAddr, end: ChildEnd) -> bool:
        """Tell a worker of this Env how a child of it has ended; False if that worker is gone."""
        cell = self._registry.find(mgr.conc)
        if cell is not None:
            cell.family.child_ended(child, end)
        elif end.failure is not None and child.env == self._env.id:
            self._env.exit(child, EXIT_DOWN)
        return cell is not None

    def _end_if_unknown(self, child: ConcAddr, answer: Future[bool]) -> None:
        """End a worker that has failed if its Mgr has gone, because then nothing starts it again."""
        if answer.failure() is not None or not answer.result():
            self._env.exit(child, EXIT_DOWN)

    def escalate(self, cell: Cell, failure: Failure) -> None:
        """Have a Mgr, whose cell this is, fail because a restart limit was passed for its child."""
        if cell.mgr_addr is not None:
            halting.fail(cell, failure)
        elif self.on_limit is not None:
            self.on_limit(failure)
