"""An actor sorts a list: a short one by itself; of a longer one it gives what is less than the middle value
to one new actor, what is more to another, and puts the answers together.

It shows divide and conquer with messages that grow.
"""

from typing import Final

TITLE: Final = "quick sort"
FULL: Final = {"values": 20_000, "short": 200}
SMALL: Final = {"values": 100, "short": 10}


def unsorted(values: int) -> list[int]:
    """What goes in."""
    return [number * 7_368_787 % 1_000_003 for number in range(values)]


def parted(values: list[int]) -> tuple[list[int], list[int], list[int]]:
    """What is less than the middle one, what is equal, and what is more."""
    pivot = values[len(values) // 2]
    return (
        [value for value in values if value < pivot],
        [value for value in values if value == pivot],
        [value for value in values if value > pivot],
    )


def expected(values: int, short: int) -> list[int]:
    """What comes out."""
    return sorted(unsorted(values))
