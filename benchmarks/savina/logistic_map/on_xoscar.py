"""The logistic map with xoscar."""

import asyncio
from typing import Any

import xoscar

from benchmarks.savina.logistic_map import FIRST, following, rate
from benchmarks.savina.xoscar_place import Place


class Computer(xoscar.Actor):
    """Computes terms."""

    def __init__(self, rate_of_series: float) -> None:
        super().__init__()
        self.rate = rate_of_series

    def compute(self, term: float) -> float:
        """The next one."""
        return following(self.rate, term)


class Series(xoscar.Actor):
    """Has the last term."""

    def __init__(self, computer: Any) -> None:
        super().__init__()
        self.computer = computer
        self.last = FIRST

    async def advance(self) -> None:
        """Have the next one."""
        self.last = await self.computer.compute(self.last)

    def term(self) -> float:
        """The last one."""
        return self.last


async def run(place: Place, series: int, terms: int) -> list[float]:
    """See the description."""
    computers = [await place.create(Computer, rate(number)) for number in range(series)]
    all_of_them = [await place.create(Series, computer) for computer in computers]
    for _ in range(terms):
        for each in all_of_them:
            await each.advance.tell()
    answer: list[float] = await asyncio.gather(*[each.term() for each in all_of_them])
    return answer
