"""The ring with xoscar."""

from itertools import pairwise
from typing import Any

import xoscar

from benchmarks.savina.xoscar_place import Latch, Place


class Link(xoscar.Actor):
    """One of the ring."""

    def __init__(self, place: int, latch: Any) -> None:
        super().__init__()
        self.place = place
        self.latch = latch
        self.follower: Any = None

    def join(self, follower: Any) -> None:
        """Know the next one."""
        self.follower = follower

    async def hop(self, hops: int) -> None:
        """Pass the token on."""
        if hops:
            await self.follower.hop.tell(hops - 1)
        else:
            await self.latch.open.tell(self.place)


async def run(place: Place, actors: int, hops: int) -> int:
    """See the description."""
    latch = await place.create(Latch)
    links = [await place.create(Link, number, latch) for number in range(actors)]
    for link, follower in pairwise([*links, links[0]]):
        await link.join(follower)
    await links[0].hop.tell(hops)
    answer: int = await latch.wait()
    return answer
