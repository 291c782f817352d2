"""A chain of filters, each of which knows some primes. It drops the multiples of its primes, keeps a number
that is none as a further prime while it has room, and passes it on otherwise; the chain grows at its end.

It shows a pipeline that grows, and whose first actors have the most to do.
"""

from typing import Final

TITLE: Final = "sieve of Eratosthenes"
FULL: Final = {"limit": 4000, "room": 50}
SMALL: Final = {"limit": 60, "room": 4}


def is_dropped(number: int, primes: list[int]) -> bool:
    """Whether it is a multiple of one of these."""
    return any(number % prime == 0 for prime in primes)


def expected(limit: int, room: int) -> int:
    """How many primes there are below the limit."""
    primes: list[int] = []
    for number in range(2, limit):
        if not is_dropped(number, primes):
            primes.append(number)
    return len(primes)
