"""How many items go into a chunk: so many that the work on it takes 10 to 50 ms, as measured. Pure."""

import sys
from collections.abc import Sequence
from typing import Any, Final

LEAST: Final = 0.01  # seconds that the work on a chunk takes, or else a request costs too much beside it
WANTED: Final = 0.02
MOST: Final = 0.05
GROWTH: Final = 16  # times as many items as in a chunk that was measured: the next ones may be unlike
MOST_ITEMS: Final = 8192  # so that chunks under way hold a bounded number of items
MOST_BYTES: Final = 4 << 20  # as the first item of the chunk before lets expect
_SHARES: Final = 2  # chunks for each worker of what is left, where its length is known: all end together


class Pace:
    """The size of the next chunk. One thread."""

    def __init__(self, chunk: int | None, workers: int, total: int | None = None) -> None:
        """Begin with one item. `chunk` is a size that stays; `total` counts the items, if known."""
        self._chunk = chunk
        self._workers = workers
        self._left = total
        self._size = 1
        self._bytes = 0  # of an item

    def next_size(self) -> int:
        """Return how many items the next chunk has."""
        if self._chunk is not None:
            return self._chunk
        size = self._size
        if self._bytes:
            size = min(size, max(1, MOST_BYTES // self._bytes))
        if self._left is not None:
            size = min(size, max(1, self._left // (self._workers * _SHARES)))
        return size

    def drawn(self, items: Sequence[Any]) -> None:
        """Note the items of a chunk."""
        if self._left is not None:
            self._left = max(0, self._left - len(items))
        first = items[0]
        try:
            self._bytes = int(getattr(first, "nbytes", 0)) or sys.getsizeof(first, 64)
        except Exception:  # an author's class says anything
            self._bytes = 64

    def measured(self, items: int, seconds: float) -> None:
        """Note how long the work on a chunk of so many items took."""
        each = max(seconds, 1e-9) / max(items, 1)
        expected = each * self._size
        if expected > MOST:
            self._size = max(1, int(WANTED / each))
        elif expected < LEAST:
            wanted = min(int(WANTED / each), items * GROWTH, MOST_ITEMS)
            self._size = max(self._size, wanted)
