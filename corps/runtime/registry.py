"""Which workers live in an Env, by the numbers of their addresses."""

from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from corps.addresses import ENV_MGR, first_number
from corps.errors import NoSuchWorker, WorkerGone
from corps.messages.endings import Ended
from corps.messages.outcomes import Outcome, Refused, Value
from corps.messages.requests import EXIT, EXIT_DOWN, WAITING, WATCH, WITHDRAWN, Request

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_REMEMBERED: Final = 10_000  # ends of workers


class Registry:
    """The cells of one Env. Any thread may call. A number is never given twice.

    Workers that lived in a former process of this Env, and those that were abandoned, may come back at their
    addresses. Requests for them wait here until they do, or until it is certain that they will not.
    """

    readers = None
    """For requests that wait here: their answers come by no link."""
    incarnation = 0
    """For the same: it is not known which one they will meet."""

    def __init__(self, generation: int = 0) -> None:
        """Nobody lives here yet.

        Args:
            generation: How many processes this Env has had before.
        """
        # Protects everything below. The locks of mailboxes are taken under it, and no others.
        self._lock = Lock()
        self._first = first_number(generation)
        self._next = ENV_MGR
        self._cells: dict[int, Any] = {}
        self.find: Callable[[int], Any] = self._cells.get  # no lock: one look-up in a dict is atomic
        """The cell with this number, or None."""
        self._ended: dict[int, Ended] = {}  # the last ones, oldest first
        self._undecided: set[int] = set()  # Envs that have not said yet whom they will start again here
        self._expected: dict[int, int] = {}  # who will be started again, and the Env of its Mgr
        self._hopeless: set[int] = set()  # who will not be, whatever the undecided Envs say
        self._leaving: set[int] = set()  # whose cells are about to go, and other ones to come
        self._held: dict[int, list[Request]] = {}

    def next_number(self) -> int:
        """A number that no worker of this Env has or had."""
        with self._lock:
            number = self._next
            self._next = number + 1 if number >= self._first else self._first
            return number

    def add(self, number: int, cell: "Cell") -> None:
        """Enter a cell. What waited here for it goes into its mailbox.

        Args:
            number: Of its address.
            cell: Halted, if anything may wait for it.
        """
        special = []
        with self._lock:
            if not self._expected and not self._held and number not in self._ended:
                self._cells[number] = cell
                return
            self._expected.pop(number, None)
            self._ended.pop(number, None)  # so a watch that waited hears of the incarnation that comes
            for request in self._held.pop(number, ()):
                if request.kind in (EXIT, WATCH):  # those do not wait in the mailbox, and may lead back here
                    special.append(request)
                else:
                    cell.deliver(request)
            self._cells[number] = cell
        for request in special:
            cell.deliver(request)

    def will_leave(self, number: int) -> None:
        """The cell with this number takes nothing more, and its worker comes back: what comes now is held."""
        with self._lock:
            self._leaving.add(number)

    def remove(
        self, number: int, ended: Ended, mgr_env: int | None, waiting: Iterable[Request] = ()
    ) -> list[Request]:
        """Forget the cell with this number.

        Args:
            number: Of its address.
            ended: How it ended.
            mgr_env: If its worker may come back: the Env of its Mgr.
            waiting: What waits for that, before all that came or comes later.

        Returns:
            Requests that were held, and wait for nobody any more; as `decide`.
        """
        with self._lock:
            self._leaving.discard(number)
            if mgr_env is not None:
                self._expected[number] = mgr_env
                first = list(waiting)
                for request in first:
                    request.route = self
                self._held[number] = [*first, *self._held.pop(number, ())]
            self._cells.pop(number, None)
            self._ended.pop(number, None)
            self._ended[number] = ended
            if len(self._ended) > _REMEMBERED:
                del self._ended[next(iter(self._ended))]
            return self._in_vain()

    def ended(self, number: int) -> Ended | None:
        """How the worker with this number ended, if it has, and not too long ago."""
        # Without the lock, since it is called by what `add` hands on. Each look-up is atomic.
        return None if number in self._cells else self._ended.get(number)

    def cells(self) -> list[Any]:
        """All cells, oldest first."""
        with self._lock:
            return list(self._cells.values())

    # --- those who may come back ---

    def await_word_of(self, mgr_envs: Iterable[int]) -> None:
        """Workers of these Envs may start again here what lived in a former process.

        Args:
            mgr_envs: Ids of the Envs. Each of them will say whom.
        """
        with self._lock:
            self._undecided.update(mgr_envs)

    def decide(self, mgr_env: int, numbers: Iterable[int]) -> list[Request]:
        """An Env says whom of its children it will start again here, and that there are no others.

        Args:
            mgr_env: The Env.
            numbers: Of their addresses.

        Returns:
            Requests that wait for nobody any more, for the caller to refuse.
        """
        with self._lock:
            for number in numbers:
                if not (number in self._cells or number in self._ended or number in self._hopeless):
                    self._expected[number] = mgr_env
            return self._decided(mgr_env)

    def despair(self, numbers: Iterable[int]) -> list[Request]:
        """Workers will not come back after all; as `decide`."""
        with self._lock:
            for number in numbers:
                self._expected.pop(number, None)
                if self._undecided:
                    self._hopeless.add(number)
            return self._in_vain()

    def mgr_env_lost(self, mgr_env: int) -> list[Request]:
        """An Env has died, and with it the Mgrs that were to start workers here; as `decide`."""
        with self._lock:
            for number in [number for number, env in self._expected.items() if env == mgr_env]:
                del self._expected[number]
            return self._decided(mgr_env)

    def _decided(self, mgr_env: int) -> list[Request]:
        self._undecided.discard(mgr_env)
        if not self._undecided:
            self._hopeless.clear()
        return self._in_vain()

    def hold(self, request: Request) -> bool:
        """Keep a request for a worker that is not here, or leaves, if that may come back.

        Args:
            request: Its target is an address in this Env.

        Returns:
            False if it will not: then the request is the caller's still. Or if it is here now.
        """
        number = request.target.conc
        with self._lock:
            is_away = number in self._leaving or (number not in self._cells and self._may_come(number))
            if not is_away or request.method == EXIT_DOWN:
                return False
            request.route = self
            self._held.setdefault(number, []).append(request)
            return True

    def all_held(self) -> list[Request]:
        """Everything that is held, taken out, for the caller to settle: nobody comes back any more."""
        with self._lock:
            held, self._held = self._held, {}
        return [request for requests in held.values() for request in requests]

    def _may_come(self, number: int) -> bool:
        if number in self._expected:
            return True
        return bool(self._undecided) and ENV_MGR < number < self._first and number not in self._hopeless

    def _in_vain(self) -> list[Request]:
        gone = [each for each in self._held if each not in self._leaving and not self._may_come(each)]
        return [request for number in gone for request in self._held.pop(number)]

    def take_back(self, request: Request) -> bool:
        """See `Route.take_back`: of one that waits here."""
        with self._lock:
            route = request.route
            if route is self or route is None:
                is_waiting = request.stage == WAITING
                request.stage = WITHDRAWN
                return is_waiting
        return route.take_back(request)

    def ask_back(self, request: Request) -> None:
        """See `Route.ask_back`: here `take_back` has the last word."""

    def relay(self, request: Request, answer: Any) -> None:
        """See `Route.relay`: no worker has it."""

    def withdraw(self, request: Request) -> None:
        """See `Route.withdraw`: nobody runs what waits here."""

    def help(self, promise: Any, here: Any) -> None:
        """See `Route.help`: nobody can."""

    def outcome_without_cell(self, request: Request) -> Outcome:
        """The outcome of a request for a worker that is not here.

        Args:
            request: Its target is an address in this Env.

        Returns:
            A refusal, which says whether there ever was such a worker; but to be asked to end, or to tell of
            the end, is no error for one that has ended.
        """
        target = request.target
        if not 0 <= target.conc < self._next and not 0 <= target.conc < self._first:
            never = NoSuchWorker(f"no worker ever had the address {target}", target=str(target))
            return Refused(never, "no_such_worker")
        ended = self.ended(target.conc)
        if request.kind == EXIT:
            return Value(None)
        if request.kind == WATCH:
            return Value(ended or Ended(None, 0, "lost", "it had ended before, and nobody knows how"))
        why = f": {ended.text}" if ended is not None and ended.text else ""
        gone = WorkerGone(f"the worker {target} has ended{why}", executed="no", target=str(target))
        gone.incarnation = ended.incarnation if ended is not None else 0
        return Refused(gone, "ended")
