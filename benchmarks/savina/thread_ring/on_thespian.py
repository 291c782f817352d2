"""The ring with Thespian."""

from itertools import pairwise
from typing import Any

from benchmarks.savina.thespian_place import Methods, Place


class Link(Methods):
    """One of the ring."""

    def join(self, sender: Any, place: int, follower: Any) -> None:
        """Know one's place and the next one."""
        self.place, self.follower = place, follower

    def begin(self, sender: Any, hops: int) -> None:
        """Start the token."""
        self.hop(sender, hops, sender)

    def hop(self, sender: Any, hops: int, asker: Any) -> None:
        """Pass the token on."""
        if hops:
            self.send(self.follower, ("hop", hops - 1, asker))
        else:
            self.send(asker, self.place)


def run(place: Place, actors: int, hops: int) -> Any:
    """See the description."""
    links = [place.create(Link) for _ in range(actors)]
    for number, (link, follower) in enumerate(pairwise([*links, links[0]])):
        place.tell(link, "join", number, follower)
    return place.ask(links[0], "begin", hops)
