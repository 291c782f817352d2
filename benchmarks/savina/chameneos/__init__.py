"""Creatures of three colours meet in a mall, two at a time; after a meeting both have the third colour, or
keep theirs if it was the same. When so many have met as were to, the mall sends the creatures away, and
counts how many meetings they remember.

It shows what one mailbox stands to which many send.
"""

from typing import Final

TITLE: Final = "chameneos"
FULL: Final = {"creatures": 20, "meetings": 1500}
SMALL: Final = {"creatures": 3, "meetings": 10}
COLOURS: Final = 3


def complement(one: int, other: int) -> int:
    """The colour after a meeting."""
    return one if one == other else COLOURS - one - other


def expected(creatures: int, meetings: int) -> int:
    """Each meeting is remembered by two."""
    return 2 * meetings
