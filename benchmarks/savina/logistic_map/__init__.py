"""Series of the logistic map, each an actor, which has another one compute its next term. All are told to
go on, as often as they are to have terms, and are then asked for the last.

It shows an actor that waits for another one in the midst of a message.
"""

from typing import Final

TITLE: Final = "logistic map"
FULL: Final = {"series": 10, "terms": 200}
SMALL: Final = {"series": 3, "terms": 5}
FIRST: Final = 0.5


def rate(number: int) -> float:
    """The rate of a series."""
    return 3.46 + 0.0025 * number


def following(rate_of_series: float, term: float) -> float:
    """The next term."""
    return rate_of_series * term * (1 - term)


def expected(series: int, terms: int) -> list[float]:
    """The last terms."""
    last = [FIRST] * series
    for number in range(series):
        for _ in range(terms):
            last[number] = following(rate(number), last[number])
    return last
