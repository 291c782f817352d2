"""The logistic map with Thespian."""

from typing import Any

from benchmarks.savina.logistic_map import FIRST, following, rate
from benchmarks.savina.thespian_place import Methods, Place


class Computer(Methods):
    """Computes terms."""

    def compute(self, sender: Any, rate_of_series: float, term: float) -> None:
        """The next one."""
        self.send(sender, ("computed", following(rate_of_series, term)))


class Series(Methods):
    """Has the last term. What is to be done while a term is being computed, is counted."""

    def begin(self, sender: Any, computer: Any, rate_of_series: float) -> None:
        """Have a first term."""
        self.computer, self.rate, self.last = computer, rate_of_series, FIRST
        self.missing = 0
        self.asker: Any = None

    def advance(self, sender: Any) -> None:
        """Have the next one."""
        self.missing += 1
        if self.missing == 1:
            self.send(self.computer, ("compute", self.rate, self.last))

    def computed(self, computer: Any, term: float) -> None:
        """Keep the next one."""
        self.last = term
        self.missing -= 1
        if self.missing:
            self.send(computer, ("compute", self.rate, term))
        elif self.asker is not None:
            self.send(self.asker, term)

    def term(self, sender: Any) -> None:
        """The last one, when it is there."""
        self.asker = sender
        if not self.missing:
            self.send(sender, self.last)


def run(place: Place, series: int, terms: int) -> list[float]:
    """See the description."""
    all_of_them = [place.create(Series) for _ in range(series)]
    for number, each in enumerate(all_of_them):
        place.tell(each, "begin", place.create(Computer), rate(number))
    for _ in range(terms):
        for each in all_of_them:
            place.tell(each, "advance")
    return [place.ask(each, "term") for each in all_of_them]
