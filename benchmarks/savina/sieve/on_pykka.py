"""The sieve with Pykka."""

from typing import Any

import pykka

from benchmarks.savina.sieve import is_dropped


class Filter(pykka.ThreadingActor):
    """Knows some primes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self._primes: list[int] = []
        self._follower: Any = None

    def sift(self, number: int) -> None:
        """Drop a number, keep it, or pass it on."""
        if is_dropped(number, self._primes):
            return
        if len(self._primes) < self.room:
            self._primes.append(number)
            return
        if self._follower is None:
            self._follower = Filter.start(self.room).proxy()
        self._follower.sift.defer(number)

    def count(self, before: int, done: Any) -> None:
        """Add up how many all have."""
        total = before + len(self._primes)
        if self._follower is None:
            done.set(total)
        else:
            self._follower.count.defer(total, done)


def run(limit: int, room: int) -> int:
    """See the description."""
    first, done = Filter.start(room).proxy(), pykka.ThreadingFuture()
    for number in (2, *range(3, limit, 2)):
        first.sift.defer(number)
    first.count.defer(0, done)
    answer: int = done.get()
    return answer
