"""Fork-join creation with corps."""

import corps
from benchmarks.savina.fork_join_throughput import little


class Performer(corps.Conc):
    """Does a little."""

    def perform(self, n: int) -> int:
        """Do it."""
        return little(n)


def run(actors: int) -> int:
    """See the description."""
    return sum(corps.gather([corps.create(Performer).perform(n) for n in range(actors)]).ret)
