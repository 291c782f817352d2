"""Those who want to hear of the end of one worker's incarnation."""

from threading import Lock
from typing import TYPE_CHECKING, Final

from corps.messages.endings import Ended
from corps.messages.outcomes import Value
from corps.messages.requests import Request

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_FEW: Final = 16


class Watchers:
    """The watchers of one worker: each is told once. Any thread may call."""

    __slots__ = ("_cell", "_lock", "_most", "_requests")

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell
        self._lock = Lock()  # protects what follows
        self._requests: list[Request] = []
        self._most = _FEW  # requests among which those that were given up are looked for

    def add(self, request: Request) -> None:
        """Somebody watches from now on; at once told if the worker has ended for good.

        Args:
            request: A WATCH.
        """
        with self._lock:
            if (
                len(self._requests) >= self._most
            ):  # so each watch is looked at twice on average, not each time
                self._requests = [asked for asked in self._requests if not asked.promise.done()]
                self._most = max(_FEW, 2 * len(self._requests))
            self._requests.append(request)
        ended = self._cell.ended
        if ended is not None:  # it ended at this very moment
            request.settle(Value(ended))

    def tell(self, ended: Ended) -> None:
        """An incarnation has ended: nothing comes from it any more.

        Args:
            ended: Which, and how.
        """
        with self._lock:
            told, self._requests = self._requests, []
        for request in told:
            request.settle(Value(ended))
