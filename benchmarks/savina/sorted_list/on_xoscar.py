"""The sorted list with xoscar."""

import asyncio
from bisect import bisect_left, insort
from typing import Any

import xoscar

from benchmarks.savina.sorted_list import steps
from benchmarks.savina.xoscar_place import Place


class SortedList(xoscar.Actor):
    """Has the values."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[int] = []

    def insert(self, value: int) -> None:
        """Insert a value."""
        insort(self.values, value)

    def contains(self, value: int) -> bool:
        """Look for a value."""
        at = bisect_left(self.values, value)
        return at < len(self.values) and self.values[at] == value

    def length(self, value: int) -> int:
        """How many there are."""
        return len(self.values)

    def all(self) -> list[int]:
        """All of them."""
        return self.values


class Asker(xoscar.Actor):
    """Asks."""

    async def ask_all(self, values: Any, worker: int, requests: int) -> None:
        """Do all of the steps."""
        ask = {"insert": values.insert, "contains": values.contains, "length": values.length}
        for what, value in steps(worker, requests):
            await ask[what](value)


async def run(place: Place, workers: int, requests: int) -> list[int]:
    """See the description."""
    values = await place.create(SortedList)
    askers = [await place.create(Asker) for _ in range(workers)]
    await asyncio.gather(*[asker.ask_all(values, n, requests) for n, asker in enumerate(askers)])
    answer: list[int] = await values.all()
    return answer
