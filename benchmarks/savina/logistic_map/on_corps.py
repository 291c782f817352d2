"""The logistic map with corps."""

import corps
from benchmarks.savina.logistic_map import FIRST, following, rate


class Computer(corps.Conc):
    """Computes terms."""

    def __init__(self, rate_of_series: float) -> None:
        self.rate = rate_of_series

    def compute(self, term: float) -> float:
        """The next one."""
        return following(self.rate, term)


class Series(corps.Conc):
    """Has the last term."""

    def __init__(self, computer: corps.Name[Computer]) -> None:
        self.computer = computer
        self.term = FIRST

    def advance(self) -> None:
        """Have the next one."""
        self.term = self.computer.compute(self.term).ret


def run(series: int, terms: int) -> list[float]:
    """See the description."""
    all_of_them = [corps.create(Series, corps.create(Computer, rate(number))) for number in range(series)]
    for _ in range(terms):
        for each in all_of_them:
            each.advance.send()
    answer: list[float] = corps.gather([each.term for each in all_of_them]).ret
    return answer
