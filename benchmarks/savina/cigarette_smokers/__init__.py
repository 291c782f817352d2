"""An arbiter has what smokers need. It chooses one, who says when he has begun, and smokes; then it chooses
the next. At the end all are asked how often they have smoked.

It shows messages from one to many, with one on its way at a time.
"""

from typing import Final

TITLE: Final = "cigarette smokers"
FULL: Final = {"smokers": 20, "rounds": 4000}
SMALL: Final = {"smokers": 3, "rounds": 10}


def chosen(number: int, smokers: int) -> int:
    """Who smokes in that round."""
    return number * number * 31 // 7 % smokers


def expected(smokers: int, rounds: int) -> list[int]:
    """How often each has smoked."""
    counts = [0] * smokers
    for number in range(rounds):
        counts[chosen(number, smokers)] += 1
    return counts
