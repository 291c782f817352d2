"""Bitonic sort with Thespian."""

from collections import deque
from typing import Any

from benchmarks.savina.bitonic_sort import END, Port, network, unsorted
from benchmarks.savina.thespian_place import Methods, Place


class End(Methods):
    """Collects what comes out."""

    def collect(self, sender: Any, vectors: list[list[int]], begins: list[tuple[Any, int]]) -> None:
        """Send all into the network, and collect them."""
        self.asker = sender
        self.columns: list[list[int]] = [[] for _ in begins]
        self.missing = len(begins) * len(vectors)
        for vector in vectors:
            for (comparator, side), value in zip(begins, vector, strict=True):
                self.send(comparator, ("take", side, value))

    def take(self, sender: Any, wire: int, value: int) -> None:
        """Take the next one of a wire."""
        self.columns[wire].append(value)
        self.missing -= 1
        if not self.missing:
            self.send(self.asker, [list(vector) for vector in zip(*self.columns, strict=True)])


class Comparator(Methods):
    """Compares what comes on two wires."""

    def begin(self, sender: Any, low: tuple[Any, int], high: tuple[Any, int]) -> None:
        """Know where the values go."""
        (self.low, self.low_side), (self.high, self.high_side) = low, high
        self.waiting: tuple[deque[int], deque[int]] = deque(), deque()

    def take(self, sender: Any, side: int, value: int) -> None:
        """Take the next one of a side."""
        other = self.waiting[1 - side]
        if not other:
            self.waiting[side].append(value)
            return
        values = sorted((value, other.popleft()))
        self.send(self.low, ("take", self.low_side, values[0]))
        self.send(self.high, ("take", self.high_side, values[1]))


def run(place: Place, wires: int, vectors: int) -> Any:
    """See the description."""
    end = place.create(End)
    comparators, begins = network(wires)
    created: list[Any] = []

    def target(port: Port) -> tuple[Any, int]:
        return (end if port.comparator == END else created[port.comparator]), port.side

    for low, high in comparators:
        comparator = place.create(Comparator)
        place.tell(comparator, "begin", target(low), target(high))
        created.append(comparator)
    return place.ask(end, "collect", unsorted(wires, vectors), [target(port) for port in begins])
