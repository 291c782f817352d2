"""Fork-join throughput with corps."""

import corps
from benchmarks.savina.fork_join_throughput import little


class Performer(corps.Conc):
    """Does a little."""

    def __init__(self) -> None:
        self.sum = 0

    def perform(self, n: int) -> None:
        """Do it."""
        self.sum += little(n)

    def total(self) -> int:
        """Answer."""
        return self.sum


def run(actors: int, messages: int) -> int:
    """See the description."""
    performers = corps.options().create_many(actors, Performer)
    for n in range(messages):
        for performer in performers:
            performer.perform.send(n)
    return sum(corps.gather([performer.total() for performer in performers]).ret)
