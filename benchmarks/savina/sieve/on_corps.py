"""The sieve with corps."""

import corps
from benchmarks.savina.corps_place import Latch
from benchmarks.savina.sieve import is_dropped


class Filter(corps.Conc):
    """Knows some primes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.primes: list[int] = []
        self.follower: corps.Name[Filter] | None = None

    def sift(self, number: int) -> None:
        """Drop a number, keep it, or pass it on."""
        if is_dropped(number, self.primes):
            return
        if len(self.primes) < self.room:
            self.primes.append(number)
            return
        if self.follower is None:
            self.follower = corps.create(Filter, self.room)
        self.follower.sift.send(number)

    def count(self, before: int, latch: corps.Name[Latch]) -> None:
        """Add up how many all have."""
        total = before + len(self.primes)
        if self.follower is None:
            latch.open.send(total)
        else:
            self.follower.count.send(total, latch)


def run(limit: int, room: int) -> int:
    """See the description."""
    first, latch = corps.create(Filter, room), corps.create(Latch)
    for number in (2, *range(3, limit, 2)):
        first.sift.send(number)
    first.count.send(0, latch)
    answer: int = latch.wait().ret
    return answer
