"""The workers that one worker created, and that end before it."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from corps.addresses import ConcAddr


class Family:
    """The children of one worker. Any thread may call.

    Attributes:
        on_end: Called after a child has ended, by the thread that tells of it.
    """

    __slots__ = ("_children", "_closed", "_ended", "_lock", "on_end")

    def __init__(self) -> None:
        self._lock = Lock()  # protects _children, _ended and _closed
        self._children: dict[ConcAddr, Any] = {}
        self._ended: set[ConcAddr] = set()  # told of before they were adopted
        self._closed = False
        self.on_end: Callable[[], object] | None = None

    def adopt(self, child: ConcAddr, name: Any) -> bool:
        """Remember a worker that was created.

        Args:
            child: Its address.
            name: Its Name.

        Returns:
            False if the children are being ended already: the caller has to end the new one.
        """
        with self._lock:
            if self._closed:
                return False
            if child in self._ended:  # it was faster than the answer that told of it
                self._ended.discard(child)
            else:
                self._children[child] = name
            return True

    def disown(self, child: ConcAddr) -> None:
        """Forget a worker: it has ended.

        Args:
            child: Its address.
        """
        with self._lock:
            known = self._children.pop(child, None)
            if known is None:
                self._ended.add(child)
        if known is not None and self.on_end is not None:
            self.on_end()

    def children(self) -> list[Any]:
        """Names of those that have not ended, oldest first."""
        with self._lock:
            return list(self._children.values())

    def close(self) -> list[ConcAddr]:
        """Those that have not ended, newest first. There will be no more."""
        with self._lock:
            self._closed = True
            return list(reversed(self._children))
