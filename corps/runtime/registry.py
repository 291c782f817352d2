"""Which workers live in an Env, by the numbers of their addresses."""

from threading import Lock
from typing import Any

from corps.addresses import ENV_MGR
from corps.errors import NoSuchWorker, WorkerGone
from corps.messages.outcomes import Outcome, Refused, Value
from corps.messages.requests import EXIT, Request


class Registry:
    """The cells of one Env. Any thread may call. A number is never given twice."""

    def __init__(self) -> None:
        self._lock = Lock()  # protects _next and the changes of _cells
        self._next = ENV_MGR
        self._cells: dict[int, Any] = {}

    def next_number(self) -> int:
        """A number that no worker of this Env has or had."""
        with self._lock:
            number = self._next
            self._next += 1
            return number

    def add(self, number: int, cell: Any) -> None:
        """Enter a cell."""
        with self._lock:
            self._cells[number] = cell

    def find(self, number: int) -> Any:
        """The cell with this number, or None."""
        return self._cells.get(number)  # one dict look-up is atomic, with and without a GIL

    def remove(self, number: int) -> None:
        """Forget the cell with this number."""
        with self._lock:
            self._cells.pop(number, None)

    def _existed(self, number: int) -> bool:
        """Whether a worker of this Env ever had this number."""
        return 0 <= number < self._next

    def outcome_without_cell(self, request: Request) -> Outcome:
        """The outcome of a request for a worker that is not here.

        Args:
            request: Its target is an address in this Env.

        Returns:
            A refusal, which says whether there ever was such a worker; but to be asked to end is no error
            for one that has ended.
        """
        target = request.target
        if not self._existed(target.conc):
            return Refused(NoSuchWorker(f"no worker ever had the address {target}", target=str(target)))
        if request.kind == EXIT:
            return Value(None)
        gone = f"the worker {target} has ended"
        return Refused(WorkerGone(gone, executed="no", target=str(target)))

    def cells(self) -> list[Any]:
        """All cells, oldest first."""
        with self._lock:
            return list(self._cells.values())
