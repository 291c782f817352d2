"""The sorted list with Thespian."""

from bisect import bisect_left, insort
from typing import Any

from benchmarks.savina.sorted_list import steps
from benchmarks.savina.thespian_place import Methods, Place


class SortedList(Methods):
    """Has the values."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[int] = []
        self.busy = 0

    def begin(self, sender: Any, askers: list[Any], requests: int) -> None:
        """Have all ask."""
        self.asker, self.busy = sender, len(askers)
        for worker, asker in enumerate(askers):
            self.send(asker, ("ask_all", worker, requests))

    def insert(self, sender: Any, value: int) -> None:
        """Insert a value."""
        insort(self.values, value)
        self.send(sender, ("answered", None))

    def contains(self, sender: Any, value: int) -> None:
        """Look for a value."""
        at = bisect_left(self.values, value)
        self.send(sender, ("answered", at < len(self.values) and self.values[at] == value))

    def length(self, sender: Any, value: int) -> None:
        """How many there are."""
        self.send(sender, ("answered", len(self.values)))

    def ready(self, sender: Any) -> None:
        """Hear of one that has asked all."""
        self.busy -= 1
        if not self.busy:
            self.send(self.asker, self.values)


class Asker(Methods):
    """Asks."""

    def ask_all(self, values: Any, worker: int, requests: int) -> None:
        """Do the first of the steps."""
        self.steps = steps(worker, requests)
        self.answered(values, None)

    def answered(self, values: Any, answer: object) -> None:
        """Do the next one."""
        self.send(values, next(self.steps, ("ready",)))


def run(place: Place, workers: int, requests: int) -> Any:
    """See the description."""
    askers = [place.create(Asker) for _ in range(workers)]
    return place.ask(place.create(SortedList), "begin", askers, requests)
