"""What stands for a generator of a worker, wherever it is: which Envs hold it, and how it is given up.

A generator stays in its worker until no iterator of it is left. Every message that an iterator goes by makes
a copy of it. A count of the copies would need a message for each, which the message of its end must not
overtake. So each iterator has a *share*. All shares of a generator make `WHOLE`, a copy gets a part of its
original's, and an iterator that is dropped gives its share back to the worker. When all is back, no iterator
is left, in whatever order that came.
"""

from abc import abstractmethod
from typing import Final, NamedTuple

from corps.addresses import ConcAddr

WHOLE: Final = 1 << 60
"""The sum of the shares of all iterators of one generator. One that is closed gives as much."""

_PART: Final = 16  # one in so many parts goes with a copy: 15 copies of copies, and some 600 of one iterator

NOBODY: Final = -2
"""In place of the id of an Env that holds an iterator: of one that is not counted as held by any."""


SENDER: Final = -3
"""In its place between two Corps: the Env that says it, which does not know its number at the other one."""


class Held(NamedTuple):
    """What the worker has to know when an iterator of one of its generators is given up."""

    worker: ConcAddr
    number: int  # of the generator, in that worker
    share: int
    holder: int  # the Env that counts as holding it, or NOBODY


def part_of(share: int) -> int:
    """Return how much of its share an iterator gives to a copy; 0: the copy does not count."""
    return share // _PART


class Streaming:  # no ABC: each outcome that is sent is asked whether it is one, by C (0.05 µs against 0.3)
    """An iterator over a generator that lives in a worker: a `corps.RemoteIterator`."""

    @abstractmethod
    def part(self) -> "Streaming":
        """Return a copy that goes elsewhere, with a part of the share of its own."""

    @property
    @abstractmethod
    def is_async(self) -> bool:
        """Whether a coroutine makes the items."""

    @abstractmethod
    def hand_over(self) -> Held | None:
        """Give all of it away, to one that is in no other way known here; None if others have a part."""

    @abstractmethod
    def held(self) -> Held:
        """Return what the worker has to know of it."""

    @abstractmethod
    def limit(self, seconds: float | None, prefetch: int | None) -> None:
        """Set the seconds for each item, and how many items may be made ahead; None for the default."""
