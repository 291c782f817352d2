"""The smokers with Thespian."""

from typing import Any

from benchmarks.savina.cigarette_smokers import chosen
from benchmarks.savina.thespian_place import Methods, Place


class Arbiter(Methods):
    """Chooses."""

    def serve(self, sender: Any, smokers: list[Any], rounds: int) -> None:
        """Choose a first one."""
        self.asker, self.smokers, self.rounds = sender, smokers, rounds
        self.number = 0
        self.began(sender)

    def began(self, sender: Any) -> None:
        """Choose the next one."""
        if self.number == self.rounds:
            self.send(self.asker, "done")
        else:
            self.send(self.smokers[chosen(self.number, len(self.smokers))], ("smoke",))
            self.number += 1


class Smoker(Methods):
    """Smokes."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def smoke(self, arbiter: Any) -> None:
        """Say that one has begun, and smoke."""
        self.send(arbiter, ("began",))
        self.count += 1

    def smoked(self, sender: Any) -> None:
        """How often."""
        self.send(sender, self.count)


def run(place: Place, smokers: int, rounds: int) -> list[int]:
    """See the description."""
    all_of_them = [place.create(Smoker) for _ in range(smokers)]
    place.ask(place.create(Arbiter), "serve", all_of_them, rounds)
    return [place.ask(smoker, "smoked") for smoker in all_of_them]
