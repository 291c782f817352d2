"""The philosophers with Thespian."""

from typing import Any

from benchmarks.savina.dining_philosophers import Forks
from benchmarks.savina.thespian_place import Methods, Place


class Arbiter(Methods):
    """Hands out forks."""

    def begin(self, sender: Any, philosophers: list[Any], meals: int) -> None:
        """Have all begin."""
        self.asker, self.missing, self.eaten = sender, len(philosophers), 0
        self.forks = Forks(len(philosophers))
        for own, philosopher in enumerate(philosophers):
            self.send(philosopher, ("dine", own, meals))

    def hungry(self, philosopher: Any, own: int) -> None:
        """Give both forks, or none."""
        self.send(philosopher, ("eat",) if self.forks.take(own) else ("refused",))

    def full(self, philosopher: Any, own: int) -> None:
        """Have them back."""
        self.forks.give_back(own)

    def leave(self, philosopher: Any, eaten: int) -> None:
        """Hear of one that has eaten enough."""
        self.eaten += eaten
        self.missing -= 1
        if not self.missing:
            self.send(self.asker, self.eaten)


class Philosopher(Methods):
    """Eats."""

    def dine(self, arbiter: Any, own: int, meals: int) -> None:
        """Be hungry for the first time."""
        self.own, self.meals, self.eaten = own, meals, 0
        self.refused(arbiter)

    def refused(self, arbiter: Any) -> None:
        """Ask again."""
        self.send(arbiter, ("hungry", self.own))

    def eat(self, arbiter: Any) -> None:
        """Eat."""
        self.eaten += 1
        self.send(arbiter, ("full", self.own))
        self.send(arbiter, ("hungry", self.own) if self.eaten < self.meals else ("leave", self.eaten))


def run(place: Place, philosophers: int, meals: int) -> Any:
    """See the description."""
    all_of_them = [place.create(Philosopher) for _ in range(philosophers)]
    return place.ask(place.create(Arbiter), "begin", all_of_them, meals)
