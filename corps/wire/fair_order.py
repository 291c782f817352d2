"""In which order what several clients have sent is served.

It is that of start-time fair queueing (Goyal, Vin and Cheng, 1996): as if each client were served by a
machine of its own, with a speed in proportion to its weight. What one client has sent stays in order. Pure:
no clock, no thread; its owner's lock protects it.
"""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_FLAT: Final = 4096  # bytes that a request costs beside its own, so that many small ones are not for nothing
_MOST_IDLE: Final = 64  # clients of which nothing waits that are kept before they are looked through


@dataclass(slots=True)
class _Line(Generic[T]):
    waiting: deque[tuple[T, float]] = field(default_factory=deque)  # with what each of them costs
    finish: float = 0.0  # in virtual time, when its last one that was served would be done


class FairOrder(Generic[K, T]):
    """What waits, of all clients. Caller holds the lock."""

    def __init__(self) -> None:
        self._lines: dict[K, _Line[T]] = {}
        # By the virtual time at which the oldest one of a client would begin.
        self._heads: list[tuple[float, int, K]] = []
        self._entries = 0  # that were put into `_heads`, so that equal times keep their order
        self._virtual = 0.0
        self._last_finish = 0.0  # of all that was served
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def put(self, client: K, item: T, size: int, weight: int = 1) -> None:
        """Add what a client has sent, with so many bytes."""
        line = self._lines.get(client)
        if line is None:
            if len(self._lines) > 2 * len(self._heads) + _MOST_IDLE:
                self._forget_idle()
            line = self._lines[client] = _Line()
        line.waiting.append((item, (size + _FLAT) / weight))
        self._waiting += 1
        if len(line.waiting) == 1:
            self._line_up(client, line)

    def next(self) -> T | None:
        """Take out what is to be served next; None if nothing waits."""
        if not self._heads:
            return None
        start, _, client = heappop(self._heads)
        self._virtual = start
        line = self._lines[client]
        item, cost = line.waiting.popleft()
        line.finish = start + cost
        self._waiting -= 1
        self._last_finish = max(self._last_finish, line.finish)
        if line.waiting:
            self._line_up(client, line)
        elif not self._heads:  # the next ones begin anew, and nobody owes anything
            self._virtual = self._last_finish
        return item

    def take_out(self, client: K, may_go: Callable[[T], bool]) -> T | None:
        """Take out the oldest item that may go: of this client, or else of those that have most waiting.

        Among these, of the one that is next. None if there is none.
        """
        own = self._lines.get(client)
        for each in [client] if own is not None and own.waiting else []:
            if (found := self._take_out_of(each, may_go)) is not None:
                return found
        for _, _, each in sorted(self._heads, key=lambda head: (-len(self._lines[head[2]].waiting), head)):
            if (found := self._take_out_of(each, may_go)) is not None:
                return found
        return None

    def _take_out_of(self, client: K, may_go: Callable[[T], bool]) -> T | None:
        waiting = self._lines[client].waiting
        at = next((at for at, (item, _) in enumerate(waiting) if may_go(item)), None)
        if at is None:
            return None
        item, _ = waiting[at]
        del waiting[at]
        self._waiting -= 1
        if not waiting:
            self._heads = [head for head in self._heads if head[2] != client]
            heapify(self._heads)
        return item

    def _line_up(self, client: K, line: _Line[T]) -> None:
        self._entries += 1
        heappush(self._heads, (max(self._virtual, line.finish), self._entries, client))

    def _forget_idle(self) -> None:
        """Forget clients that have used up no more than others: they begin where they would anyway."""
        self._lines = {
            client: line
            for client, line in self._lines.items()
            if line.waiting or line.finish > self._virtual
        }
