"""Fork-join throughput with Thespian."""

from typing import Any

from benchmarks.savina.fork_join_throughput import little
from benchmarks.savina.thespian_place import Methods, Place


class Performer(Methods):
    """Does a little."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = 0

    def perform(self, sender: Any, n: int) -> None:
        """Do it."""
        self.sum += little(n)

    def total(self, sender: Any) -> None:
        """Answer."""
        self.send(sender, self.sum)


def run(place: Place, actors: int, messages: int) -> int:
    """See the description."""
    performers = [place.create(Performer) for _ in range(actors)]
    for n in range(messages):
        for performer in performers:
            place.tell(performer, "perform", n)
    return sum(place.ask(performer, "total") for performer in performers)
