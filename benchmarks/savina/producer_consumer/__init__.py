"""A buffer with few places. Producers put items there, and make the next one when it was taken in;
consumers ask for an item, and for the next one when they have dealt with it.

It shows what back-pressure by messages costs.
"""

from typing import Final

TITLE: Final = "producer and consumer"
FULL: Final = {"producers": 5, "consumers": 5, "items": 300, "places": 20}
SMALL: Final = {"producers": 2, "consumers": 3, "items": 10, "places": 2}


def made(n: int) -> int:
    """What a producer makes."""
    return n * 37 % 101


def expected(producers: int, consumers: int, items: int, places: int) -> int:
    """The sum of all items."""
    return producers * sum(map(made, range(items)))
