"""Fork-join creation with Thespian."""

from typing import Any

from benchmarks.savina.fork_join_throughput import little
from benchmarks.savina.thespian_place import Methods, Place


class Performer(Methods):
    """Does a little."""

    def perform(self, sender: Any, n: int) -> None:
        """Do it."""
        self.send(sender, little(n))


def run(place: Place, actors: int) -> int:
    """See the description."""
    return sum(place.ask(place.create(Performer), "perform", n) for n in range(actors))
