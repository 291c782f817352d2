"""Bitonic sort with corps."""

from collections import deque

import corps
from benchmarks.savina.bitonic_sort import END, Port, network, unsorted


class End(corps.Conc):
    """Collects what comes out."""

    def __init__(self, wires: int, vectors: int) -> None:
        self.columns: list[list[int]] = [[] for _ in range(wires)]
        self.missing = wires * vectors
        self._all: corps.Promise[list[list[int]]] = corps.Promise()

    def all(self) -> "corps.Promise[list[list[int]]]":
        """Answer when all is there."""
        return self._all

    def take(self, wire: int, value: int) -> None:
        """Take the next one of a wire."""
        self.columns[wire].append(value)
        self.missing -= 1
        if not self.missing:
            self._all.set_result([list(vector) for vector in zip(*self.columns, strict=True)])


Place = tuple["corps.Name[Comparator] | corps.Name[End]", int]


class Comparator(corps.Conc):
    """Compares what comes on two wires."""

    def __init__(self, low: Place, high: Place) -> None:
        (self.low, self.low_side), (self.high, self.high_side) = low, high
        self.waiting: tuple[deque[int], deque[int]] = deque(), deque()

    def take(self, side: int, value: int) -> None:
        """Take the next one of a side."""
        other = self.waiting[1 - side]
        if not other:
            self.waiting[side].append(value)
            return
        values = sorted((value, other.popleft()))
        self.low.take.send(self.low_side, values[0])
        self.high.take.send(self.high_side, values[1])


def run(wires: int, vectors: int) -> list[list[int]]:
    """See the description."""
    end = corps.create(End, wires, vectors)
    comparators, begins = network(wires)
    created: list[corps.Name[Comparator]] = []

    def place(port: Port) -> Place:
        return (end if port.comparator == END else created[port.comparator]), port.side

    for low, high in comparators:
        created.append(corps.create(Comparator, place(low), place(high)))
    for vector in unsorted(wires, vectors):
        for (comparator, side), value in zip(map(place, begins), vector, strict=True):
            comparator.take.send(side, value)
    answer: list[list[int]] = end.all().ret
    return answer
