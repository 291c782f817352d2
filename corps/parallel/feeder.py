"""Which chunk is sent next, and which results are given next. Pure: no thread, no request, no clock."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from corps.errors import Executed
from corps.parallel.pacing import Pace

_TRIES: Final = 3  # how often a chunk is sent at most when process after process dies


class Chunk:
    """Some items that are sent together."""

    __slots__ = ("first", "items", "number", "tries")

    def __init__(self, number: int, first: int, items: Sequence[Any]) -> None:
        self.number = number
        self.first = first  # the position of its first item among all
        self.items = items
        self.tries = 0  # how often it was sent


class Result(NamedTuple):
    """What came of a chunk: the values up to the first error, if there is one."""

    values: list[Any]
    error: BaseException | None = None


class Feeder:
    """The chunks of one map. One thread.

    So many chunks may be drawn and not given yet as `window` says: those under way, and with `ordered` those
    that wait for an earlier one. After the first error nothing is drawn any more.
    """

    def __init__(self, pace: Pace, *, window: int, ordered: bool = True, idempotent: bool = False) -> None:
        """Draw nothing yet."""
        self.pace = pace
        self._window = window
        self._ordered = ordered
        self._idempotent = idempotent
        self._again: deque[Chunk] = deque()  # those to be sent once more
        self._done: dict[int, Result] = {}
        self._numbers = 0  # chunks drawn
        self._items = 0  # items drawn
        self._held = 0  # chunks that are drawn and not given
        self._next = 0  # the chunk that is given next, if in order
        self._is_at_end = False

    @property
    def is_over(self) -> bool:
        """Whether all that was drawn has been given, and nothing more will be drawn."""
        return self._is_at_end and self._held == 0

    @property
    def has_again(self) -> bool:
        """Whether a chunk is to be sent once more."""
        return bool(self._again)

    def again(self) -> Chunk | None:
        """Return a chunk to be sent once more, if there is one."""
        return self._again.popleft() if self._again else None

    def wanted(self) -> int:
        """Return how many items are to be drawn for another chunk; 0 for none now."""
        return 0 if self._is_at_end or self._held >= self._window else self.pace.next_size()

    def drawn(self, items: Sequence[Any]) -> Chunk | None:
        """Take the items that were drawn, and return their chunk; None if there were none left."""
        if not items:
            self._is_at_end = True
            return None
        chunk = Chunk(self._numbers, self._items, items)
        self._numbers += 1
        self._items += len(items)
        self._held += 1
        self.pace.drawn(items)
        return chunk

    def put_back(self, chunk: Chunk) -> None:
        """Take back a chunk for which there was no room."""
        self._again.appendleft(chunk)

    def stop(self) -> None:
        """Draw nothing any more."""
        self._is_at_end = True

    def done(self, chunk: Chunk, result: Result) -> None:
        """Take the result of a chunk."""
        if result.error is not None:
            self._is_at_end = True
        self._done[chunk.number] = result

    def lost(self, chunk: Chunk, executed: Executed) -> bool:
        """Return whether a chunk whose worker has gone is sent once more."""
        may_run = executed == "no" or (self._idempotent and executed == "unknown")
        if may_run and chunk.tries < _TRIES:
            self._again.append(chunk)
            return True
        return False

    def ready(self) -> list[Result]:
        """Return the results that are to be given now, each once."""
        if not self._ordered:
            given = list(self._done.values())
            self._done.clear()
        else:
            given = []
            while (result := self._done.pop(self._next, None)) is not None:
                given.append(result)
                self._next += 1
        self._held -= len(given)
        return given
