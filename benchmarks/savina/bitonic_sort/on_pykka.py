"""Bitonic sort with Pykka."""

from collections import deque
from typing import Any

import pykka

from benchmarks.savina.bitonic_sort import END, Port, network, unsorted


class End(pykka.ThreadingActor):
    """Collects what comes out."""

    def __init__(self, wires: int, vectors: int, done: Any) -> None:
        super().__init__()
        self._columns: list[list[int]] = [[] for _ in range(wires)]
        self.missing = wires * vectors
        self._done = done

    def take(self, wire: int, value: int) -> None:
        """Take the next one of a wire."""
        self._columns[wire].append(value)
        self.missing -= 1
        if not self.missing:
            self._done.set([list(vector) for vector in zip(*self._columns, strict=True)])


class Comparator(pykka.ThreadingActor):
    """Compares what comes on two wires."""

    def __init__(self, low: tuple[Any, int], high: tuple[Any, int]) -> None:
        super().__init__()
        (self._low, self.low_side), (self._high, self.high_side) = low, high
        self._waiting: tuple[deque[int], deque[int]] = deque(), deque()

    def take(self, side: int, value: int) -> None:
        """Take the next one of a side."""
        other = self._waiting[1 - side]
        if not other:
            self._waiting[side].append(value)
            return
        values = sorted((value, other.popleft()))
        self._low.take.defer(self.low_side, values[0])
        self._high.take.defer(self.high_side, values[1])


def run(wires: int, vectors: int) -> list[list[int]]:
    """See the description."""
    done = pykka.ThreadingFuture()
    end = End.start(wires, vectors, done).proxy()
    comparators, begins = network(wires)
    created: list[Any] = []

    def place(port: Port) -> tuple[Any, int]:
        return (end if port.comparator == END else created[port.comparator]), port.side

    for low, high in comparators:
        created.append(Comparator.start(place(low), place(high)).proxy())
    for vector in unsorted(wires, vectors):
        for (comparator, side), value in zip(map(place, begins), vector, strict=True):
            comparator.take.defer(side, value)
    answer: list[list[int]] = done.get()
    return answer
