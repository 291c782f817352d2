"""Counting with Thespian."""

from typing import Any

from benchmarks.savina.thespian_place import Methods, Place


class Counter(Methods):
    """Counts."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def increment(self, sender: Any) -> None:
        """Count one."""
        self.count += 1

    def total(self, sender: Any, asker: Any) -> None:
        """Answer."""
        self.send(asker, self.count)


class Producer(Methods):
    """Sends."""

    def produce(self, sender: Any, counter: Any, messages: int) -> None:
        """Send so many, and have the counter answer."""
        for _ in range(messages):
            self.send(counter, ("increment",))
        self.send(counter, ("total", sender))


def run(place: Place, messages: int) -> Any:
    """See the description."""
    counter, producer = place.create(Counter), place.create(Producer)
    return place.ask(producer, "produce", counter, messages)
