"""The services of one Env, as its engine sees them.

The engine knows nothing of what a service does. The local side of a service is a `Part`: the engine says to
each Part what happens to workers and to Envs, and a Part overrides what it wants to hear. What answers the
requests of others is a worker of the runtime, at the same conc id in every Env. It begins with the first
request for it, so that a service which nobody uses costs nothing.
"""

import logging
from collections.abc import Callable, Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from corps.addresses import SERVICES_MGR, ConcAddr
from corps.errors import ClosedError, ContextError
from corps.messages.interfaces import Interface, WorkerName
from corps.messages.outcomes import Refused, Value
from corps.messages.requests import EXIT, WATCH, Request
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import gather
from corps.runtime.cells.cell import Cell
from corps.runtime.cells.constructing import construct_here
from corps.runtime.cells.records import Record, if_needed

if TYPE_CHECKING:
    from corps.runtime.env import Env

_log = logging.getLogger("corps.env")


class Part:
    """What one Env has once: a service, or its local side. Any thread calls these: return at once."""

    def worker_ended(self, worker: ConcAddr, *, returns: bool) -> None:
        """Hear that an incarnation of a worker of this Env has ended. `returns`: another may follow."""

    def worker_came_back(self, worker: ConcAddr, incarnation: int) -> None:
        """Hear that a worker of this Env that has failed is there again, as this incarnation."""

    def worker_gone(self, worker: ConcAddr) -> None:
        """Hear that a worker has ended for good: a worker here has created it, or has asked it to end."""

    def env_came(self, env_id: int) -> None:
        """Hear that another Env of the Corps has a process, a first one or another one."""

    def env_lost(self, env_id: int, *, returns: bool) -> None:
        """Hear that the process of another Env has died. `returns`: the Env gets another one."""

    def joins_late(self) -> None:
        """Hear that this Env joins a Corps that runs already, before workers can be created here."""

    def env_left(self, env_id: int) -> None:
        """Hear that no worker is created in an Env any more: it is removed, or does not come back."""

    def last_words(self) -> "Future[None] | None":
        """Say what is left to say, because the workers of this Env have ended; done when that has arrived."""
        return None

    def corps_runs(self) -> None:
        """Hear that the Corps has started, in the Env `Env.home`."""

    def close(self) -> None:
        """End: the Env closes, and its workers have ended."""


P = TypeVar("P", bound=Part)


class Parts:
    """The services of one Env. Thread-safe."""

    def __init__(self) -> None:
        self._all: tuple[Part, ...] = ()  # replaced as a whole, so that reading takes no lock
        self._found: dict[type, Any] = {}  # by the class that was asked for
        self.held: tuple[Future[None], ...] = ()
        """What workers wait for that other Envs create here."""

    def add(self, part: Part) -> None:
        """Take in a service. Before the Env runs anything."""
        self._all = (*self._all, part)

    def get(self, kind: type[P]) -> P:
        """Return the service of this class.

        Raises:
            ContextError: The Env has none.
        """
        found: P | None = self._found.get(kind)
        if found is not None:
            return found
        for part in self._all:
            if isinstance(part, kind):
                self._found[kind] = part
                return part
        raise ContextError(f"this Env has no {kind.__name__}")

    def hold(self, until: Future[None]) -> None:
        """Have no worker begin that another Env creates or starts here, until this is done."""
        self.held = (*self.held, until)

        def done(_: object) -> None:
            self.held = tuple(each for each in self.held if each is not until)

        until.when_settled(done)

    def last_words(self) -> list[Future[None]]:
        """Have each say what is left to say; return what has to be waited for."""
        said: list[Future[None]] = []

        def ask(part: Part) -> None:
            if (future := part.last_words()) is not None:
                said.append(future)

        self.tell(ask)
        return said

    def tell(self, hear: Callable[[Part], None]) -> None:
        """Say something to all of them. What one raises is logged, and the others hear it all the same."""
        for part in self._all:
            try:
                hear(part)
            except Exception:
                _log.exception("%s could not take in what it heard", type(part).__name__)


class Services:
    """The workers of the runtime that answer for Parts. Thread-safe.

    Their Mgr starts those again that fail. It is none of the application's workers, so that services end
    after all of these, and stand in no list of an author.
    """

    def __init__(self, env: "Env") -> None:
        """Offer none yet."""
        self._env = env
        # So that each begins once. The constructors run under it: they do next to nothing.
        self._lock = RLock()
        self._offered: Mapping[int, Record] = {}

    def offer(self, records: Mapping[int, Record]) -> None:
        """Say which services there are, by conc id, and their Mgr. Before the Env runs anything."""
        self._offered = records

    def __contains__(self, number: int) -> bool:
        return number in self._offered

    def interface_of(self, number: int) -> Interface | None:
        """Return what may be called of a service of this Env, begun or not; None if there is no such one."""
        offered = self._offered.get(number)
        return None if offered is None else offered.interface

    def name_of(self, number: int) -> WorkerName:
        """Return the Name of a service of this Env, with what authors may call of it."""
        addr = ConcAddr(self._env.corps_id, self._env.id, number)
        offered = self._offered[number]
        return self._env.upper.make_name(addr, getattr(offered.cls, "_corps_face", offered.interface), 1)

    def deliver(self, request: Request) -> None:
        """Take a request for a service, which begins if it is not there yet. Never blocks."""
        number = request.target.conc
        cell = self._env.registry.find(number)
        if cell is None and request.kind in (EXIT, WATCH):
            outcome = self._env.registry.outcome_without_cell(request)
            request.settle(Value(None) if request.kind is EXIT else outcome)
            return
        try:
            self._begin(number).deliver(request)
        except ClosedError as error:
            self._env.letters.settle(request, Refused(error, "closed"))

    def _begin(self, number: int) -> Cell:
        with self._lock:
            cell = self._env.registry.find(number)
            if cell is None:
                record = self._offered[number]
                if number == SERVICES_MGR:
                    cell = self._env.lives.new_cell(record, number=number)
                else:
                    mgr = self._begin(SERVICES_MGR)
                    cell = self._env.lives.new_cell(record, mgr.name, mgr.addr, number)
                    mgr.family.adopt(cell.addr, cell.name, if_needed(record))
                construct_here(cell, record, is_ours=True).result()
            return cell

    def end(self) -> Future[None]:
        """End those that have begun, when all other workers have ended; done when that is over."""
        over: Future[None] = Future()

        def end(_: object) -> None:
            self._end_workers().when_settled(lambda ended: over.settle(ended.outcome or Value(None)))

        said = self._env.parts.last_words()
        if not said:
            return self._end_workers()
        gather(*said).when_settled(end)
        return over

    def _end_workers(self) -> Future[None]:
        if self._env.registry.find(SERVICES_MGR) is not None:
            return self._env.exit(ConcAddr(self._env.corps_id, self._env.id, SERVICES_MGR))
        over: Future[None] = Future()
        over.settle(Value(None))
        return over
