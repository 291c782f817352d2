"""Which workers live in an Env, by the numbers of their addresses."""

from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Final

from corps.addresses import ENV_MGR, first_number
from corps.errors import NoSuchWorker, WorkerGone
from corps.messages.endings import End
from corps.messages.outcomes import Outcome, Refused, Value
from corps.messages.requests import EXIT, EXIT_DOWN, WAITING, WATCH, WITHDRAWN, Request, Route
from corps.supervision.presence import Presences, State

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_REMEMBERED: Final = 10_000  # ends of workers


class Registry(Route):
    """The cells of one Env. A number is never given twice. Thread-safe.

    Workers that lived in a former process of this Env, and those that were abandoned, may come back at their
    addresses. Requests for them wait here until they do, or until it is certain that they will not;
    `supervision.presence` decides which. A request that waits can be taken back; all else that a `Route` may
    be asked is for one that runs.
    """

    readers = None  # for requests that wait here: their answers come by no link
    incarnation = 0  # for the same: it is not known which one they will meet

    def __init__(self, generation: int = 0) -> None:
        """Know no worker yet. `generation` is how many processes this Env has had before."""
        # Protects everything below. The locks of mailboxes are taken under it, and no others.
        self._lock = Lock()
        self._first = first_number(generation)
        self._next = ENV_MGR
        self._cells: dict[int, Cell] = {}
        self.by_number: Mapping[int, Cell] = self._cells  # no lock: one look-up in a dict is atomic
        self.find: Callable[[int], Cell | None] = self._cells.get
        """The cell with this number, or None."""
        self._ended: dict[int, End] = {}  # the last ones, oldest first: those that are GONE or RETURNING
        self._presences = Presences(self._first)
        self._held: dict[int, list[Request]] = {}

    def next_number(self) -> int:
        """Return a number that no worker of this Env has or had."""
        with self._lock:
            number = self._next
            self._next = number + 1 if number >= self._first else self._first
            return number

    def add(self, number: int, cell: "Cell") -> None:
        """Enter a cell, halted if anything may wait for it, and put what waited here into its mailbox."""
        special = []
        with self._lock:
            self._presences.came(number)
            self._ended.pop(number, None)  # so a watch that waited hears of the incarnation that comes
            for request in self._held.pop(number, ()):
                if request.kind in (EXIT, WATCH):  # those do not wait in the mailbox, and may lead back here
                    special.append(request)
                else:
                    cell.deliver(request)
            self._cells[number] = cell
        for request in special:
            cell.deliver(request)

    def will_leave(self, number: int, cell: "Cell") -> None:
        """Hold what comes for this number, whose worker comes back. A cell removed before changes nothing."""
        with self._lock:
            if self._cells.get(number) is cell and self._presences.state(number) is State.HERE:
                self._presences.leaves(number)

    def remove(
        self, number: int, ended: End, mgr_env: int | None, waiting: Iterable[Request] = ()
    ) -> list[Request]:
        """Forget a cell; return requests that were held in vain, for the caller to refuse."""
        # If its worker may come back, `mgr_env` is the Env of its Mgr, and `waiting` waits before all others.
        with self._lock:
            self._presences.ended(number, mgr_env)
            if mgr_env is not None:
                first = list(waiting)
                for request in first:
                    request.route = self
                self._held[number] = [*first, *self._held.pop(number, ())]
            self._cells.pop(number, None)
            self._ended[number] = ended
            if len(self._ended) > _REMEMBERED:
                oldest = next(iter(self._ended))
                del self._ended[oldest]
                self._presences.forgotten(oldest)
            return self._in_vain()

    def may_come(self, number: int) -> bool:
        """Return whether a worker that is not here may come back."""
        with self._lock:
            return self._presences.may_come(number)

    def ended(self, number: int) -> End | None:
        """Return how the worker with this number ended, if it has, and not too long ago."""
        # Without the lock, because what `add` hands on calls it. Each look-up is atomic.
        return None if number in self._cells else self._ended.get(number)

    def cells(self) -> "list[Cell]":
        """Return all cells, oldest first."""
        with self._lock:
            return list(self._cells.values())

    # --- those who may come back ---

    def await_word_of(self, mgr_envs: Iterable[int]) -> None:
        """Expect each of these Envs to say which workers of a former process it will start again here."""
        with self._lock:
            self._presences.await_word_of(mgr_envs)

    def decide(self, mgr_env: int, numbers: Iterable[int]) -> list[Request]:
        """Record which children an Env will start again here; return, as `remove`, what waits in vain."""
        with self._lock:
            self._presences.claimed(mgr_env, numbers)
            return self._in_vain()

    def despair(self, numbers: Iterable[int]) -> list[Request]:
        """Record that workers will not come back after all; as `remove`."""
        with self._lock:
            self._presences.given_up(numbers)
            return self._in_vain()

    def mgr_env_lost(self, mgr_env: int) -> list[Request]:
        """Record that an Env has died, and with it the Mgrs that were to start workers here; as `remove`."""
        with self._lock:
            self._presences.mgr_env_lost(mgr_env)
            return self._in_vain()

    def is_gone(self, number: int) -> bool:
        """Return whether no worker has this number, and none will come back to it."""
        with self._lock:
            return number not in self._cells and not self._presences.may_come(number)

    def hold(self, request: Request) -> bool:
        """Keep a request for a worker that is not here, if that may come back; False if it will not."""
        number = request.target.conc
        with self._lock:
            if request.method == EXIT_DOWN or not self._presences.may_come(number):
                return False
            request.route = self
            self._held.setdefault(number, []).append(request)
            return True

    def all_held(self) -> list[Request]:
        """Take out everything that is held, for the caller to settle: nobody comes back any more."""
        with self._lock:
            held, self._held = self._held, {}
        return [request for requests in held.values() for request in requests]

    def _in_vain(self) -> list[Request]:
        if not self._held:
            return []
        gone = [number for number in self._held if not self._presences.may_come(number)]
        return [request for number in gone for request in self._held.pop(number)]

    def take_back(self, request: Request) -> bool:
        """Take back a request that waits here; see `Route.take_back`."""
        with self._lock:
            route = request.route
            if route is self or route is None:
                is_waiting = request.stage == WAITING
                request.stage = WITHDRAWN
                return is_waiting
        return route.take_back(request)

    def outcome_without_cell(self, request: Request) -> Outcome:
        """Return the outcome of a request for a worker that is not here."""
        # It is a refusal, which says whether there ever was such a worker. To ask for the end of one that has
        # ended, or to wait for its end, is no error.
        target = request.target
        if not 0 <= target.conc < self._next and not 0 <= target.conc < self._first:
            never = NoSuchWorker(f"no worker ever had the address {target}", target=str(target))
            return Refused(never, "no_such_worker")
        ended = self.ended(target.conc)
        if request.kind is EXIT:
            return Value(None)
        if request.kind is WATCH:
            return Value(ended)
        why = f": {ended.text}" if ended is not None and ended.text else ""
        gone = WorkerGone(f"the worker {target} has ended{why}", executed="no", target=str(target))
        gone.incarnation = ended.incarnation if ended is not None else 0
        return Refused(gone, "ended")
