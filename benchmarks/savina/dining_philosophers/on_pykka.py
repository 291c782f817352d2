"""The philosophers with Pykka."""

from typing import Any

import pykka

from benchmarks.savina.dining_philosophers import Forks


class Arbiter(pykka.ThreadingActor):
    """Hands out forks."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._forks = Forks(number)

    def hungry(self, philosopher: int) -> bool:
        """Give both forks, or none."""
        return self._forks.take(philosopher)

    def full(self, philosopher: int) -> None:
        """Have them back."""
        self._forks.give_back(philosopher)


class Philosopher(pykka.ThreadingActor):
    """Eats."""

    def dine(self, arbiter: Any, own: int, meals: int) -> int:
        """Eat so often."""
        eaten = 0
        while eaten < meals:
            if arbiter.hungry(own).get():
                eaten += 1
                arbiter.full.defer(own)
        return eaten


def run(philosophers: int, meals: int) -> int:
    """See the description."""
    arbiter = Arbiter.start(philosophers).proxy()
    all_of_them = [Philosopher.start().proxy() for _ in range(philosophers)]
    return sum(pykka.get_all([each.dine(arbiter, own, meals) for own, each in enumerate(all_of_them)]))
