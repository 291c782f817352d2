"""The ring with Pykka."""

from itertools import pairwise
from typing import Any

import pykka


class Link(pykka.ThreadingActor):
    """One of the ring."""

    def __init__(self, place: int, done: Any) -> None:
        super().__init__()
        self.place = place
        self.done = done
        self.follower: Any = None

    def join(self, follower: Any) -> None:
        """Know the next one."""
        self.follower = follower

    def hop(self, hops: int) -> None:
        """Pass the token on."""
        if hops:
            self.follower.hop.defer(hops - 1)
        else:
            self.done.set(self.place)


def run(actors: int, hops: int) -> int:
    """See the description."""
    done = pykka.ThreadingFuture()
    links = [Link.start(place, done).proxy() for place in range(actors)]
    for link, follower in pairwise([*links, links[0]]):
        link.join(follower).get()
    links[0].hop.defer(hops)
    answer: int = done.get()
    return answer
