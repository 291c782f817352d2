"""Actors in a ring. A token goes round, by messages that nobody waits for, until it has hopped often
enough.

It shows what a message costs when each actor has one only, and the next one has to be woken for it.
"""

from typing import Final

TITLE: Final = "thread ring"
FULL: Final = {"actors": 50, "hops": 5000}
SMALL: Final = {"actors": 4, "hops": 10}


def expected(actors: int, hops: int) -> int:
    """The place in the ring at which the token ends."""
    return hops % actors
