"""The sieve with xoscar."""

from typing import Any

import xoscar

from benchmarks.savina.sieve import is_dropped
from benchmarks.savina.xoscar_place import Latch, Place


class Filter(xoscar.Actor):
    """Knows some primes."""

    def __init__(self, place: Place, room: int) -> None:
        super().__init__()
        self.place, self.room = place, room
        self.primes: list[int] = []
        self.follower: Any = None

    async def sift(self, number: int) -> None:
        """Drop a number, keep it, or pass it on."""
        if is_dropped(number, self.primes):
            return
        if len(self.primes) < self.room:
            self.primes.append(number)
            return
        if self.follower is None:
            self.follower = await self.place.create(Filter, self.place, self.room)
        await self.follower.sift.tell(number)

    async def count(self, before: int, latch: Any) -> None:
        """Add up how many all have."""
        total = before + len(self.primes)
        if self.follower is None:
            await latch.open.tell(total)
        else:
            await self.follower.count.tell(total, latch)


async def run(place: Place, limit: int, room: int) -> int:
    """See the description."""
    first, latch = await place.create(Filter, place, room), await place.create(Latch)
    for number in (2, *range(3, limit, 2)):
        await first.sift.tell(number)
    await first.count.tell(0, latch)
    answer: int = await latch.wait()
    return answer
