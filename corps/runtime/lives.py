"""The lives of the workers of one Env: how they begin, and who is told when they end."""

import logging
from collections.abc import Callable, Iterable
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Final

from corps.addresses import BOOT_ENV, CORPS_MGR, FRONT, ConcAddr, env_label, generation_of
from corps.errors import ClosedError, CorpsError
from corps.messages.endings import Ended, Failure
from corps.messages.members import Member
from corps.messages.outcomes import Refused, Value
from corps.messages.requests import CALL, EXIT_DOWN, Request
from corps.runtime.calls.futures import Future
from corps.runtime.cells import halting
from corps.runtime.cells.cell import Cell
from corps.runtime.cells.family import ChildEnd, ChildGroup
from corps.runtime.cells.keeping import KeptStates, forget_state, keeps_state
from corps.runtime.cells.records import Record, comes_back

if TYPE_CHECKING:
    from corps.runtime.env import Env

_log = logging.getLogger("corps.env")

_LAST_WORDS: Final = 0.25  # seconds to read what a process had sent before it died


def in_turn(env_ids: Iterable[int], first: int) -> list[int]:
    """Ids of Envs in the order in which workers are created in them.

    Args:
        env_ids: The ids.
        first: Where to begin, if it is one of them: so the first worker lives with who creates it.
    """
    ids = sorted(env_ids)
    at = ids.index(first) if first in ids else 0
    return ids[at:] + ids[:at]


class Lives:
    """The beginnings and ends of the workers of one Env. Any thread may call."""

    def __init__(self, env: "Env") -> None:
        """Nobody lives there yet.

        Args:
            env: The Env.
        """
        self._env = env
        self._registry = env.registry
        self.kept: Final = KeptStates()
        """States of workers: those of this Env, if it is alone; in the booting process, of all Envs."""
        self._lock = Lock()  # protects _curious and the Env's worker_envs
        self._curious: list[tuple[int, bool, Future[None]]] = []  # who wants to know of which Env
        self.on_unreachable: Callable[[int, int, str], object] | None = None
        """What to do about an Env that cannot be reached: its id, the generation of its process, and why."""
        self._generations: dict[int, int] = {}  # of the processes of other Envs; without an entry: 0
        self._losses: dict[
            int, tuple[int, Failure, bool]
        ] = {}  # of each Env the last one, with its generation
        self.is_winding_down = False
        """Nothing begins any more; see `winding_down`."""
        self.stands_since = 0.0
        """When that began."""
        self.hears_last_words = False
        """But for what workers that end ask of others."""
        self.abandoned: list[str] = []
        """Which workers did not end in time, and in what; only appended to."""
        self.on_limit: Callable[[Failure], object] | None = None
        """Called when a restart limit was passed that no worker of this Env can heal."""

    def new_cell(self, record: Record, mgr: Any = None, mgr_addr: ConcAddr | None = None) -> Cell:
        """Make the cell of a new worker, with an address of its own.

        Args:
            record: What will be constructed.
            mgr: Name of the worker that creates it.
            mgr_addr: Address of that worker.

        Returns:
            The cell, registered and empty.

        Raises:
            ClosedError: The Env has closed.
        """
        cell = self._cell(self._registry.next_number(), record, mgr, mgr_addr)
        self._registry.add(cell.addr.conc, cell)
        return cell

    def start(
        self, number: int, incarnation: int, create: tuple[Record, Any, ConcAddr] | None
    ) -> Future[Any] | None:
        """Start the next incarnation of a worker.

        Args:
            number: Of its address.
            incarnation: Which it will be.
            create: If its cell may not be there any more: how it was created, and Name and address of its
                Mgr.

        Returns:
            A Future of its Name; None if it is not there, or not halted.
        """
        cell = self._registry.find(number)
        if cell is None and create is not None:
            record, mgr, mgr_addr = create
            cell = self._cell(number, record, mgr, mgr_addr)
            cell.record = record
            cell.halted(incarnation)
            self._registry.add(number, cell)
        return None if cell is None else halting.start(cell, incarnation)

    def _cell(self, number: int, record: Record, mgr: Any, mgr_addr: ConcAddr | None) -> Cell:
        env, options, interface = self._env, record.options, record.interface
        if env.closed or self.is_winding_down:
            state = "has closed" if env.closed else "ends"
            raise ClosedError(f"{env.label} {state}: no worker can be created there any more")
        addr = ConcAddr(env.corps_id, env.id, number)
        mailbox = options.mailbox if options.mailbox is not None else env.options.mailbox
        cell = Cell(
            env,
            addr,
            interface,
            options.tag,
            mailbox,
            mgr,
            mgr_addr,
            record.corps_name,
        )
        cell.name = env.make_name(addr, interface, 1)
        return cell

    # --- ends ---

    def forget(self, cell: Cell, ended: Ended, failure: Failure | None, waiting: list[Request]) -> bool:
        """A worker has ended: its number is free of it.

        Args:
            cell: Of this Env.
            ended: How it ended.
            failure: Why, if it failed.
            waiting: Requests that it has not begun.

        Returns:
            Whether it may come back as another cell: then they wait for that. Else they are the caller's.
        """
        self._env.worker_counters.ended(str(cell), ended.reason, has_failed=failure is not None)
        mgr = cell.mgr_addr
        may_return = mgr is not None and failure is not None and comes_back(cell.record, failure)
        may_return = may_return and not self.is_winding_down
        mgr_env = mgr.env if may_return and mgr is not None else None
        self.refuse(self._registry.remove(cell.addr.conc, ended, mgr_env, waiting))
        if not may_return and cell.record is not None and keeps_state(cell.record.cls):
            forget_state(cell)
        return may_return

    def will_leave(self, cell: Cell, failure: Failure | None) -> None:
        """A worker is about to be abandoned: what comes for it from now on may be for its next cell.

        Args:
            cell: Of this Env; it takes requests still.
            failure: Why, if it failed.
        """
        if failure is not None and cell.mgr_addr is not None and comes_back(cell.record, failure):
            self._registry.will_leave(cell.addr.conc, cell)

    def pass_on(self, cell: Cell, request: Request) -> None:
        """A request has come for a cell that takes nothing more: its worker may come back as another one.

        Args:
            cell: Of this Env.
            request: The cell does not own it.
        """
        if self.hears_last_words and request.sender is not None and cell.deliver_late(request):
            return
        follower = self._registry.find(cell.addr.conc)
        if follower is not None and follower is not cell:
            follower.deliver(request)
        elif not self._registry.hold(request):
            self._env.letters.settle(request, Refused(cell.gone("no"), "ended"))

    def tell_mgr(self, cell: Cell, end: ChildEnd) -> None:
        """Tell the Mgr of a worker that an incarnation of it has ended.

        Args:
            cell: Of this Env.
            end: How.
        """
        env, mgr, child = self._env, cell.mgr_addr, cell.addr
        if mgr is None:
            return
        if mgr.env == env.id:
            self.child_ended(mgr, child, end)
        elif not env.closed and (cell.performer.has_worker or cell.incarnation > 1 or end.is_halted):
            # Else its creator never heard of it. Asked, not told: if the Mgr's Env is ending too, its refusal
            # is nothing to log.
            try:
                told = env.ask_manager(mgr.env, "child_ended", mgr, child, end)
            except CorpsError as error:  # whoever asked for the end hears of it all the same
                _log.warning("the Mgr of %s could not be told of its end: %s", cell, error)
                return
            if end.failure is not None:  # it may wait to be started again
                told.when_settled(lambda done: self._end_if_unknown(child, done))

    def child_ended(self, mgr: ConcAddr, child: ConcAddr, end: ChildEnd) -> bool:
        """A worker of this Env is told about a child.

        Args:
            mgr: The worker.
            child: The child.
            end: How it ended.

        Returns:
            False if the worker is not there any more. Then a child that waits for it ends.
        """
        cell = self._registry.find(mgr.conc)
        if cell is not None:
            cell.family.child_ended(child, end)
        elif end.failure is not None and child.env == self._env.id:
            self._env.exit(child, EXIT_DOWN)
        return cell is not None

    def _end_if_unknown(self, child: ConcAddr, told: Future[bool]) -> None:
        """If the Mgr of a worker that has failed has gone, nobody will start it again."""
        if told.failure() is not None or not told.result():
            self._env.exit(child, EXIT_DOWN)

    def escalate(self, cell: Cell, failure: Failure) -> None:
        """A restart limit was passed: the Mgr itself fails.

        Args:
            cell: Of the Mgr.
            failure: Of its child.
        """
        if cell.mgr_addr is not None:
            halting.fail(cell, failure)
        elif self.on_limit is not None:
            self.on_limit(failure)

    # --- other Envs ---

    def unreachable(self, env_id: int, reason: str) -> None:
        """A link to another Env is broken for good: whoever can ends its process, and it gets another one.

        Args:
            env_id: The other Env.
            reason: Why.
        """
        env = self._env
        _log.warning("%s cannot reach %s: %s", env.label, env_label(env_id), reason)
        if self.on_unreachable is not None:
            self.on_unreachable(env_id, self._generations.get(env_id, 0), reason)

    def report_unreachable(self, env_id: int, generation: int, reason: str) -> None:
        """Have the CorpsMgr do something about an Env that cannot be reached from here.

        Args:
            env_id: The other Env.
            generation: Of its process.
            reason: Why.
        """
        env = self._env
        if not env.closed:
            corps_mgr = ConcAddr(env.corps_id, BOOT_ENV, CORPS_MGR)
            pair = (env_id, generation), (env.id, env.generation)
            env.ask(CALL, corps_mgr, "cannot_reach", (*pair, reason), {})

    def env_lost(self, env_id: int, failure: Failure, *, returns: bool) -> None:
        """The process of another Env has died: children that lived there have failed, and orphans here end.

        Runs callbacks of Futures. Not for the thread that reads.

        Args:
            env_id: Its id.
            failure: How it died.
            returns: It will have another process.
        """
        env = self._env
        if not returns:
            self.retire(env_id)
        if env.peers is not None:
            # What it has answered is read first: only what is certainly unanswered fails.
            all_read = Event()
            if env.peers.when_read(env_id, all_read.set):
                all_read.wait(_LAST_WORDS)
            env.peers.lose(env_id, failure.text, failure.reason, has_died=True, returns=returns)
        self._losses[env_id] = self._generations.get(env_id, 0), failure, returns
        self.refuse(self._registry.mgr_env_lost(env_id))
        for cell in self._registry.cells():
            if cell.mgr_addr is not None and cell.mgr_addr.env == env_id:
                env.exit(cell.addr, EXIT_DOWN)
            elif cell.has_family:
                cell.family.env_lost(env_id, failure, returns=returns)

    def env_joined(self, member: Member) -> None:
        """Another Env has a process, or another one.

        Args:
            member: The Env.
        """
        env = self._env
        if env.peers is None:
            return
        self.meet(member)
        if member.env != FRONT and self._change_worker_envs(
            lambda known: in_turn({*known, member.env}, env.id)
        ):
            for group in self._groups():
                group.env_came(member.env)
        expected = self.expected_in(member.env)
        env.ask_manager(member.env, "expect", env.id, expected)

    def retire(self, env_id: int) -> None:
        """No worker is created in an Env any more: it is about to be removed, or will not come back.

        Args:
            env_id: Its id.
        """
        self._change_worker_envs(lambda known: [env for env in known if env != env_id])
        for group in self._groups():
            group.env_left(env_id)

    def _change_worker_envs(self, change: Callable[[list[int]], list[int]]) -> bool:
        """Change the list, and tell those who wait for that; whether it was changed."""
        with self._lock:
            before: list[int] = self._env.worker_envs
            after = self._env.worker_envs = change(before)
            told = [each for each in self._curious if (each[0] in after) is each[1]]
            self._curious = [each for each in self._curious if each not in told]
        for _, _, future in told:
            future.settle(Value(None))
        return after != before

    def when_known(self, env_id: int, *, is_there: bool) -> Future[None]:
        """A Future that is done when this Env knows that workers can, or cannot, be created in another one.

        Args:
            env_id: The other one.
            is_there: Whether they can.
        """
        future: Future[None] = Future()
        with self._lock:
            self._curious.append((env_id, is_there, future))
        self._change_worker_envs(lambda known: known)  # it may know already
        return future

    def _groups(self) -> list[ChildGroup]:
        families = [cell.family for cell in self._registry.cells() if cell.has_family]
        return [group for family in families for group in family.groups]

    def meet(self, member: Member) -> None:
        """Learn of another Env that has a process.

        Args:
            member: The Env.
        """
        self._generations[member.env] = member.generation
        if self._env.peers is not None:
            self._env.peers.learn(member)

    def is_gone(self, env_id: int) -> bool:
        """Whether an Env has died, and gets no other process.

        Args:
            env_id: The Env.
        """
        loss = self._losses.get(env_id)
        return loss is not None and not loss[2]

    def adopted(self, family: Any, child: ConcAddr) -> None:
        """A worker in another Env was adopted: if its process has died meanwhile, nobody has told its Mgr.

        Args:
            family: Of its Mgr.
            child: The worker.
        """
        generation, failure, returns = self._losses.get(child.env, (-1, None, False))
        if failure is not None and generation_of(child.conc) <= generation:
            family.child_lost(child, failure, returns=returns)

    def expected_in(self, env_id: int) -> list[int]:
        """Numbers of the workers that Mgrs of this Env will start again in another one.

        Args:
            env_id: That Env.
        """
        families = [cell.family for cell in self._registry.cells() if cell.has_family]
        return [child.conc for family in families for child in family.away() if child.env == env_id]

    def refuse(self, requests: list[Request]) -> None:
        """Settle requests whose workers will not come back."""
        for request in requests:
            outcome = self._registry.outcome_without_cell(request)
            if isinstance(outcome, Refused):
                outcome.letter = "not_restarted"
            self._env.letters.settle(request, outcome)
