"""The last of many things, numbered: a reader who comes back gets what is new, and how much is gone."""

from collections import deque
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class News(NamedTuple, Generic[T]):
    """What has come after the last reading."""

    items: list[T]  # the items that are still there, oldest first
    missed: int  # how many have come and gone meanwhile
    next: int  # the number to pass the next time


class Ring(Generic[T]):
    """Keep the last `size` items; none if it is 0. One thread."""

    def __init__(self, size: int) -> None:
        self.total = 0  # how many items there ever were
        self._items: deque[T] = deque(maxlen=size)

    def add(self, item: T) -> None:
        """Add an item. The oldest one goes if there is no room."""
        self._items.append(item)
        self.total += 1

    def since(self, number: int) -> News[T]:
        """Return what has come after `News.next` of a reading. 0, or a number ahead, gives all."""
        if not 0 <= number <= self.total:
            number = 0
        new = self.total - number
        kept = min(new, len(self._items))
        start = len(self._items) - kept
        return News([self._items[at] for at in range(start, len(self._items))], new - kept, self.total)


class Backlog(Generic[T]):
    """Hold what waits for a slow reader: the oldest goes when there is no room for one more. One thread."""

    def __init__(self, size: int) -> None:
        self.missed = 0  # how many items have gone, and how many were reported missing
        self._items: deque[T] = deque(maxlen=size)

    def add(self, items: Iterable[T], missed: int = 0) -> None:
        """Add items, oldest first; `missed` others were lost before them."""
        self.missed += missed
        for item in items:
            self.missed += len(self._items) == self._items.maxlen
            self._items.append(item)

    def take(self) -> T:
        """Take the oldest item out. There has to be one."""
        return self._items.popleft()

    def __len__(self) -> int:
        return len(self._items)
