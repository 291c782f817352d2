"""Fork-join creation with Pykka."""

import pykka

from benchmarks.savina.fork_join_throughput import little


class Performer(pykka.ThreadingActor):
    """Does a little."""

    def perform(self, n: int) -> int:
        """Do it."""
        return little(n)


def run(actors: int) -> int:
    """See the description."""
    return sum(pykka.get_all([Performer.start().proxy().perform(n) for n in range(actors)]))
