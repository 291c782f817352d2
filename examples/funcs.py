"""A worker that is a set of functions: they run beside each other, four at a time.

python examples/funcs.py
"""

import statistics
from collections.abc import Iterator
from typing import ClassVar

import corps


def primes(most: int) -> Iterator[int]:
    """A function that yields gives an iterator, which pulls one item after the other."""
    found: list[int] = []
    for n in range(2, most):
        if all(n % p for p in found):
            found.append(n)
            yield n


class Words(corps.Funcs):
    """The same as a class: plain functions, and what they share."""

    at_once = 2
    seen: ClassVar[list[str]] = []

    @staticmethod
    def see(word: str) -> int:
        Words.seen.append(word)
        return len(Words.seen)


@corps.func
def area(width: int, height: int) -> int:
    """A function as ever, which can also be asked."""
    return width * height


class Ledger(corps.Conc):
    """Most of its requests read, and these run beside each other."""

    def __init__(self) -> None:
        self._entries: list[int] = []

    def add(self, amount: int) -> None:
        self._entries.append(amount)

    @corps.readonly
    def total(self) -> int:
        return sum(self._entries)


with corps.env():
    stats = corps.options(at_once=4).create_funcs(statistics, primes, spread=lambda xs: max(xs) - min(xs))
    data = [[1, 2, 6], [3, 3, 9], [4, 8, 8]]

    print("means:  ", corps.gather(*[stats.mean(xs) for xs in data]).ret)
    print("medians:", corps.gather(*[stats.median(xs) for xs in data]).ret)
    print("spread: ", stats.spread([1, 2, 6]).ret)
    print("primes: ", list(stats.primes(20).ret))

    ledger = corps.create(Ledger)
    for amount in (10, 20, -5):
        ledger.add.send(amount)
    print("totals: ", corps.gather(*[ledger.total() for _ in range(3)]).ret)

    words = corps.create(Words)
    print("words:  ", sorted(corps.gather(*[corps.ask(words, lambda w: w.see("owl")) for _ in range(3)]).ret))
    print("areas:  ", area(2, 3), area.ask(4, 5).ret)
