"""Something that is done once, whoever comes first."""

from collections.abc import Callable
from threading import RLock


class Once:
    """Calls a function at the first call; every call returns when that is over. Any thread may call."""

    __slots__ = ("_lock", "_todo")

    def __init__(self, todo: Callable[[], object]) -> None:
        self._lock = RLock()  # held while it is done; a call from within returns at once
        self._todo: Callable[[], object] | None = todo

    def __call__(self) -> None:
        """Do it, unless it was done."""
        with self._lock:
            todo, self._todo = self._todo, None
            if todo is not None:
                todo()
