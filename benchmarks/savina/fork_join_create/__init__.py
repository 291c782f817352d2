"""Many actors, each of which is created, does a little with one message, and answers.

It shows what the creation of an actor costs.
"""

from typing import Final

from benchmarks.savina.fork_join_throughput import little

TITLE: Final = "fork-join, creation"
FULL: Final = {"actors": 500}
SMALL: Final = {"actors": 10}


def expected(actors: int) -> int:
    """What all have come to."""
    return sum(map(little, range(actors)))
