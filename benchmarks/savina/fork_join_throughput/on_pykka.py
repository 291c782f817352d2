"""Fork-join throughput with Pykka."""

import pykka

from benchmarks.savina.fork_join_throughput import little


class Performer(pykka.ThreadingActor):
    """Does a little."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = 0

    def perform(self, n: int) -> None:
        """Do it."""
        self.sum += little(n)

    def total(self) -> int:
        """Answer."""
        return self.sum


def run(actors: int, messages: int) -> int:
    """See the description."""
    performers = [Performer.start().proxy() for _ in range(actors)]
    for n in range(messages):
        for performer in performers:
            performer.perform.defer(n)
    return sum(pykka.get_all([performer.total() for performer in performers]))
