"""The sieve with Thespian."""

from typing import Any

from benchmarks.savina.sieve import is_dropped
from benchmarks.savina.thespian_place import Methods, Place


class Filter(Methods):
    """Knows some primes."""

    def begin(self, sender: Any, room: int) -> None:
        """Have that much room."""
        self.room = room
        self.primes: list[int] = []
        self.follower: Any = None

    def sift(self, sender: Any, number: int) -> None:
        """Drop a number, keep it, or pass it on."""
        if is_dropped(number, self.primes):
            return
        if len(self.primes) < self.room:
            self.primes.append(number)
            return
        if self.follower is None:
            self.follower = self.createActor(Filter)
            self.send(self.follower, ("begin", self.room))
        self.send(self.follower, ("sift", number))

    def ask_count(self, sender: Any) -> None:
        """Have all add up how many they have."""
        self.count(sender, 0, sender)

    def count(self, sender: Any, before: int, asker: Any) -> None:
        """Add up how many all have."""
        total = before + len(self.primes)
        if self.follower is None:
            self.send(asker, total)
        else:
            self.send(self.follower, ("count", total, asker))


def run(place: Place, limit: int, room: int) -> Any:
    """See the description."""
    first = place.create(Filter)
    place.tell(first, "begin", room)
    for number in (2, *range(3, limit, 2)):
        place.tell(first, "sift", number)
    return place.ask(first, "ask_count")
