"""An actor has a sorted list; many others ask it, each waiting for every answer: whether a value is there,
once out of ten times to insert one, and once out of a hundred for the length.

It shows what a state costs that all share by asking, when the answers take a while.
"""

from collections.abc import Iterator
from typing import Final, Literal

TITLE: Final = "concurrent sorted list"
FULL: Final = {"workers": 10, "requests": 400}
SMALL: Final = {"workers": 3, "requests": 20}

Step = tuple[Literal["insert", "contains", "length"], int]
"""What to ask, and the value."""


def steps(worker: int, requests: int) -> Iterator[Step]:
    """What a worker asks."""
    for number in range(requests):
        value = (worker * requests + number) * 7919 % 10_007
        if number % 100 == 99:
            yield "length", value
        else:
            yield "insert" if number % 10 == 0 else "contains", value


def expected(workers: int, requests: int) -> list[int]:
    """The list at the end."""
    return sorted(
        value for worker in range(workers) for what, value in steps(worker, requests) if what == "insert"
    )
