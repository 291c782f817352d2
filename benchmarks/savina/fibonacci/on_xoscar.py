"""Fibonacci with xoscar."""

import asyncio

import xoscar

from benchmarks.savina.xoscar_place import Place


class Number(xoscar.Actor):
    """One of the numbers."""

    async def compute(self, place: Place, n: int) -> int:
        """Add up those below."""
        if n < 2:
            return n
        one, other = await place.create(Number), await place.create(Number)
        return sum(await asyncio.gather(one.compute(place, n - 1), other.compute(place, n - 2)))


async def run(place: Place, n: int) -> int:
    """See the description."""
    answer: int = await (await place.create(Number)).compute(place, n)
    return answer
