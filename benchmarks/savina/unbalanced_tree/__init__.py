"""A tree whose nodes are actors. Each node creates its children, from none to four, by a rule that makes
the tree uneven; has each of them grow; and answers with the size of its part. The suite calls it the
Unbalanced Cobwebbed Tree.

It shows creation by actors that are themselves new, and answers that climb up.
"""

from typing import Final

TITLE: Final = "unbalanced tree"
FULL: Final = {"depth": 12, "seed": 7}
SMALL: Final = {"depth": 4, "seed": 7}


def children(depth: int, seed: int) -> list[int]:
    """The seeds of the children of a node, whose part is so deep at most."""
    mixed = (seed * 2_654_435_761 + depth * 40_503) % (1 << 32) >> 7
    number = 4 if seed == FULL["seed"] else (0, 1, 1, 2, 2, 3, 0, 2)[mixed % 8]
    return [seed * 5 + each + 1 for each in range(number)] if depth else []


def expected(depth: int, seed: int) -> int:
    """How many nodes there are."""
    return 1 + sum(expected(depth - 1, child) for child in children(depth, seed))
