"""How often something may be said."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class LogLimit(Generic[K]):
    """Lets one line of each kind pass in a while, and counts the others. One thread at a time."""

    def __init__(self, pause: float = 1.0) -> None:
        """Nothing was said yet.

        Args:
            pause: Seconds between two lines of a kind.
        """
        self._pause = pause
        self._quiet_until: dict[K, float] = {}
        self._hidden: dict[K, int] = {}

    def passes(self, kind: K, at: float) -> int | None:
        """Somebody wants to say something.

        Args:
            kind: Of what.
            at: The time, in seconds on a clock that never goes back.

        Returns:
            None if he may not. Else how many of this kind were not said since the last that was.
        """
        if at < self._quiet_until.get(kind, at):
            self._hidden[kind] = self._hidden.get(kind, 0) + 1
            return None
        self._quiet_until[kind] = at + self._pause
        return self._hidden.pop(kind, 0)
