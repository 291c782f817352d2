"""The logistic map with Pykka."""

from typing import Any

import pykka

from benchmarks.savina.logistic_map import FIRST, following, rate


class Computer(pykka.ThreadingActor):
    """Computes terms."""

    def __init__(self, rate_of_series: float) -> None:
        super().__init__()
        self.rate = rate_of_series

    def compute(self, term: float) -> float:
        """The next one."""
        return following(self.rate, term)


class Series(pykka.ThreadingActor):
    """Has the last term."""

    def __init__(self, computer: Any) -> None:
        super().__init__()
        self.computer = computer
        self.term = FIRST

    def advance(self) -> None:
        """Have the next one."""
        self.term = self.computer.compute(self.term).get()


def run(series: int, terms: int) -> list[float]:
    """See the description."""
    computers = [Computer.start(rate(number)).proxy() for number in range(series)]
    all_of_them = [Series.start(computer).proxy() for computer in computers]
    for _ in range(terms):
        for each in all_of_them:
            each.advance.defer()
    return list(pykka.get_all([each.term for each in all_of_them]))
