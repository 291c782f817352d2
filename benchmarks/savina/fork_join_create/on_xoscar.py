"""Fork-join creation with xoscar."""

import asyncio

import xoscar

from benchmarks.savina.fork_join_throughput import little
from benchmarks.savina.xoscar_place import Place


class Performer(xoscar.Actor):
    """Does a little."""

    def perform(self, n: int) -> int:
        """Do it."""
        return little(n)


async def run(place: Place, actors: int) -> int:
    """See the description."""
    performers = [await place.create(Performer) for _ in range(actors)]
    return sum(await asyncio.gather(*[performer.perform(n) for n, performer in enumerate(performers)]))
