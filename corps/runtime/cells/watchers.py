"""The watches for the end of one worker's incarnation."""

from threading import Lock
from typing import TYPE_CHECKING, Final

from corps.messages.endings import End
from corps.messages.outcomes import Value
from corps.messages.requests import Request

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_FEW: Final = 16


class Watchers:
    """The watches of one worker. Each is answered once. Thread-safe."""

    __slots__ = ("_cell", "_lock", "_most", "_requests")

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell
        self._lock = Lock()  # protects what follows
        self._requests: list[Request] = []
        self._most = _FEW  # with so many, those that were given up are taken out

    def add(self, request: Request) -> None:
        """Keep a WATCH, or answer it at once if the worker has ended for good."""
        with self._lock:
            # So each watch is looked at twice on average, and not each time.
            if len(self._requests) >= self._most:
                self._requests = [asked for asked in self._requests if not asked.promise.done()]
                self._most = max(_FEW, 2 * len(self._requests))
            self._requests.append(request)
        ended = self._cell.ended
        if ended is not None:  # it ended at this very moment
            request.settle(Value(ended))

    def tell(self, ended: End) -> None:
        """Answer all watches, because an incarnation has ended and nothing comes from it any more."""
        with self._lock:
            watches, self._requests = self._requests, []
        for request in watches:
            request.settle(Value(ended))
