"""Bitonic sort with xoscar."""

from collections import deque
from typing import Any

import xoscar

from benchmarks.savina.bitonic_sort import END, Port, network, unsorted
from benchmarks.savina.xoscar_place import Latch, Place


class End(xoscar.Actor):
    """Collects what comes out."""

    def __init__(self, wires: int, vectors: int, done: Any) -> None:
        super().__init__()
        self.columns: list[list[int]] = [[] for _ in range(wires)]
        self.missing = wires * vectors
        self.done = done

    async def take(self, wire: int, value: int) -> None:
        """Take the next one of a wire."""
        self.columns[wire].append(value)
        self.missing -= 1
        if not self.missing:
            await self.done.open.tell([list(vector) for vector in zip(*self.columns, strict=True)])


class Comparator(xoscar.Actor):
    """Compares what comes on two wires."""

    def __init__(self, low: tuple[Any, int], high: tuple[Any, int]) -> None:
        super().__init__()
        (self.low, self.low_side), (self.high, self.high_side) = low, high
        self.waiting: tuple[deque[int], deque[int]] = deque(), deque()

    async def take(self, side: int, value: int) -> None:
        """Take the next one of a side."""
        other = self.waiting[1 - side]
        if not other:
            self.waiting[side].append(value)
            return
        values = sorted((value, other.popleft()))
        await self.low.take.tell(self.low_side, values[0])
        await self.high.take.tell(self.high_side, values[1])


async def run(place: Place, wires: int, vectors: int) -> list[list[int]]:
    """See the description."""
    done = await place.create(Latch)
    end = await place.create(End, wires, vectors, done)
    comparators, begins = network(wires)
    created: list[Any] = []

    def target(port: Port) -> tuple[Any, int]:
        return (end if port.comparator == END else created[port.comparator]), port.side

    for low, high in comparators:
        created.append(await place.create(Comparator, target(low), target(high)))
    for vector in unsorted(wires, vectors):
        for (comparator, side), value in zip(map(target, begins), vector, strict=True):
            await comparator.take.tell(side, value)
    answer: list[list[int]] = await done.wait()
    return answer
