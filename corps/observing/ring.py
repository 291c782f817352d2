"""The last of many things, numbered, so that whoever comes back gets what is new, and hears what was lost."""

from collections import deque
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class News(NamedTuple, Generic[T]):
    """What has come since somebody looked last.

    Attributes:
        items: Those that are still there, oldest first.
        missed: How many have come and gone meanwhile.
        next: To be asked with the next time.
    """

    items: list[T]
    missed: int
    next: int


class Ring(Generic[T]):
    """Keeps the last `size` items. One thread at a time.

    Attributes:
        total: How many there ever were.
    """

    def __init__(self, size: int) -> None:
        """Make an empty one.

        Args:
            size: How many are kept; 0 for none.
        """
        self.total = 0
        self._items: deque[T] = deque(maxlen=size)

    def add(self, item: T) -> None:
        """Add an item; the oldest one goes if there is no room."""
        self._items.append(item)
        self.total += 1

    def since(self, number: int) -> News[T]:
        """What has come since.

        Args:
            number: `News.next` of the last time; 0 for the first time.

        Returns:
            The news. A number that lies ahead stands for another ring: then it is all that there is.
        """
        if not 0 <= number <= self.total:
            number = 0
        new = self.total - number
        kept = min(new, len(self._items))
        start = len(self._items) - kept
        return News([self._items[at] for at in range(start, len(self._items))], new - kept, self.total)


class Backlog(Generic[T]):
    """What waits for somebody who may be slow: the oldest goes when there is no room. One thread at a time.

    Attributes:
        missed: How many have gone so, or were told to be missing.
    """

    def __init__(self, size: int) -> None:
        """Make an empty one.

        Args:
            size: How many may wait, at least 1.
        """
        self.missed = 0
        self._items: deque[T] = deque(maxlen=size)

    def add(self, items: Iterable[T], missed: int = 0) -> None:
        """Add items.

        Args:
            items: Oldest first.
            missed: How many others there were before them.
        """
        self.missed += missed
        for item in items:
            self.missed += len(self._items) == self._items.maxlen
            self._items.append(item)

    def take(self) -> T:
        """The oldest one, taken out. Only if there is one."""
        return self._items.popleft()

    def __len__(self) -> int:
        return len(self._items)
