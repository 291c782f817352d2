"""Fork-join throughput with xoscar."""

import asyncio

import xoscar

from benchmarks.savina.fork_join_throughput import little
from benchmarks.savina.xoscar_place import Place


class Performer(xoscar.Actor):
    """Does a little."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = 0

    def perform(self, n: int) -> None:
        """Do it."""
        self.sum += little(n)

    def total(self) -> int:
        """Answer."""
        return self.sum


async def run(place: Place, actors: int, messages: int) -> int:
    """See the description."""
    performers = [await place.create(Performer) for _ in range(actors)]
    for n in range(messages):
        for performer in performers:
            await performer.perform.tell(n)
    return sum(await asyncio.gather(*[performer.total() for performer in performers]))
