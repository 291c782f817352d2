"""A chain of sorters, one for each bit, the lowest first. A sorter passes a value on at once if its bit is
0, and keeps it otherwise until it has had all. What comes out at the end is sorted.

It shows a pipeline of many small messages.
"""

from typing import Final

TITLE: Final = "radix sort"
FULL: Final = {"values": 500, "bits": 16}
SMALL: Final = {"values": 10, "bits": 6}


def unsorted(values: int, bits: int) -> list[int]:
    """What goes in."""
    return [number * 40_503 % (1 << bits) for number in range(1, values + 1)]


def expected(values: int, bits: int) -> list[int]:
    """What comes out."""
    return sorted(unsorted(values, bits))
