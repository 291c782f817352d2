"""An actor has a dictionary; many others ask it, each waiting for every answer: nine times out of ten for
the value of a key, and once to put one in.

It shows what a state costs that all share by asking.
"""

from collections.abc import Iterator
from typing import Final

TITLE: Final = "concurrent dictionary"
FULL: Final = {"workers": 10, "requests": 400}
SMALL: Final = {"workers": 3, "requests": 20}
WRITES: Final = 10

Step = tuple[int, int | None]
"""A key, and the value to put there; None to get what is there."""


def steps(worker: int, requests: int) -> Iterator[Step]:
    """What a worker asks. The keys that it writes are its own, so the order among workers does not matter."""
    for number in range(requests):
        key = worker * requests + number
        yield key, (key * 31 % 1009 if number % WRITES == 0 else None)


def expected(workers: int, requests: int) -> tuple[int, int]:
    """How many entries there are, and the sum of their values."""
    values = [value for worker in range(workers) for _, value in steps(worker, requests) if value is not None]
    return len(values), sum(values)
