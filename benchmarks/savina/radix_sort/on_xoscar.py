"""Radix sort with xoscar."""

from typing import Any

import xoscar

from benchmarks.savina.radix_sort import unsorted
from benchmarks.savina.xoscar_place import Latch, Place


class End(xoscar.Actor):
    """Collects what comes out."""

    def __init__(self, values: int, done: Any) -> None:
        super().__init__()
        self.values, self.done = values, done
        self.collected: list[int] = []

    async def take(self, value: int) -> None:
        """Take the next one."""
        self.collected.append(value)
        if len(self.collected) == self.values:
            await self.done.open.tell(self.collected)


class Sorter(xoscar.Actor):
    """Sorts by one bit."""

    def __init__(self, bit: int, values: int, follower: Any) -> None:
        super().__init__()
        self.bit, self.missing, self.follower = bit, values, follower
        self.kept: list[int] = []

    async def take(self, value: int) -> None:
        """Take the next one."""
        if value & self.bit:
            self.kept.append(value)
        else:
            await self.follower.take.tell(value)
        self.missing -= 1
        if not self.missing:
            for each in self.kept:
                await self.follower.take.tell(each)


async def run(place: Place, values: int, bits: int) -> list[int]:
    """See the description."""
    done = await place.create(Latch)
    first = await place.create(End, values, done)
    for bit in reversed(range(bits)):
        first = await place.create(Sorter, 1 << bit, values, first)
    for value in unsorted(values, bits):
        await first.take.tell(value)
    answer: list[int] = await done.wait()
    return answer
