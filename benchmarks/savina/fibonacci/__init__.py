"""An actor for a Fibonacci number creates two for the numbers below it, and adds their answers.

It shows a tree of creations and answers, with next to nothing to compute.
"""

from typing import Final

TITLE: Final = "Fibonacci"
FULL: Final = {"n": 12}
SMALL: Final = {"n": 6}


def expected(n: int) -> int:
    """The number."""
    before, number = 0, 1
    for _ in range(n):
        before, number = number, before + number
    return before
