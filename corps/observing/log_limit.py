"""How often the log repeats itself."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class LogLimit(Generic[K]):
    """Let one line of each kind pass in a while, and count the others. One thread."""

    def __init__(self, pause: float = 1.0) -> None:
        """Let the first line of each kind pass, and then one every `pause` seconds."""
        self._pause = pause
        self._quiet_until: dict[K, float] = {}
        self._hidden: dict[K, int] = {}

    def passes(self, kind: K, at: float) -> int | None:
        """Return None if a line may not be logged now, else how many of its kind were held back before it."""
        if at < self._quiet_until.get(kind, at):
            self._hidden[kind] = self._hidden.get(kind, 0) + 1
            return None
        self._quiet_until[kind] = at + self._pause
        return self._hidden.pop(kind, 0)
