"""The philosophers with corps."""

import corps
from benchmarks.savina.dining_philosophers import Forks


class Arbiter(corps.Conc):
    """Hands out forks."""

    def __init__(self, number: int) -> None:
        self._forks = Forks(number)

    def hungry(self, philosopher: int) -> bool:
        """Give both forks, or none."""
        return self._forks.take(philosopher)

    def full(self, philosopher: int) -> None:
        """Have them back."""
        self._forks.give_back(philosopher)


class Philosopher(corps.Conc):
    """Eats."""

    def dine(self, arbiter: corps.Name[Arbiter], own: int, meals: int) -> int:
        """Eat so often."""
        eaten = 0
        while eaten < meals:
            if arbiter.hungry(own).ret:
                eaten += 1
                arbiter.full.send(own)
        return eaten


def run(philosophers: int, meals: int) -> int:
    """See the description."""
    arbiter = corps.create(Arbiter, philosophers)
    all_of_them = [corps.create(Philosopher) for _ in range(philosophers)]
    return sum(corps.gather([each.dine(arbiter, own, meals) for own, each in enumerate(all_of_them)]).ret)
