"""The philosophers with xoscar."""

import asyncio
from typing import Any

import xoscar

from benchmarks.savina.dining_philosophers import Forks
from benchmarks.savina.xoscar_place import Place


class Arbiter(xoscar.Actor):
    """Hands out forks."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._forks = Forks(number)

    def hungry(self, philosopher: int) -> bool:
        """Give both forks, or none."""
        return self._forks.take(philosopher)

    def full(self, philosopher: int) -> None:
        """Have them back."""
        self._forks.give_back(philosopher)


class Philosopher(xoscar.Actor):
    """Eats."""

    async def dine(self, arbiter: Any, own: int, meals: int) -> int:
        """Eat so often."""
        eaten = 0
        while eaten < meals:
            if await arbiter.hungry(own):
                eaten += 1
                await arbiter.full.tell(own)
            else:
                await asyncio.sleep(0)
        return eaten


async def run(place: Place, philosophers: int, meals: int) -> int:
    """See the description."""
    arbiter = await place.create(Arbiter, philosophers)
    all_of_them = [await place.create(Philosopher) for _ in range(philosophers)]
    return sum(await asyncio.gather(*[each.dine(arbiter, n, meals) for n, each in enumerate(all_of_them)]))
