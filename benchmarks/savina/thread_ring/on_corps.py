"""The ring with corps."""

from itertools import pairwise

import corps
from benchmarks.savina.corps_place import Latch


class Link(corps.Conc):
    """One of the ring."""

    def __init__(self, place: int, latch: corps.Name[Latch]) -> None:
        self.place = place
        self.latch = latch
        self.follower: corps.Name[Link] | None = None

    def join(self, follower: "corps.Name[Link]") -> None:
        """Know the next one."""
        self.follower = follower

    def hop(self, hops: int) -> None:
        """Pass the token on."""
        if hops and self.follower is not None:
            self.follower.hop.send(hops - 1)
        else:
            self.latch.open.send(self.place)


def run(actors: int, hops: int) -> int:
    """See the description."""
    latch = corps.create(Latch)
    links = [corps.create(Link, place, latch) for place in range(actors)]
    for link, follower in pairwise([*links, links[0]]):
        link.join(follower).result()
    links[0].hop.send(hops)
    answer: int = latch.wait().ret
    return answer
