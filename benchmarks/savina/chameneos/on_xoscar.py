"""Chameneos with xoscar."""

from typing import Any

import xoscar

from benchmarks.savina.chameneos import COLOURS, complement
from benchmarks.savina.xoscar_place import Latch, Place


class Mall(xoscar.Actor):
    """Where they meet."""

    def __init__(self, creatures: int, meetings: int, closed: Any) -> None:
        super().__init__()
        self.present = creatures
        self.left = meetings
        self.remembered = 0
        self.waiting: tuple[int, Any] | None = None
        self.closed = closed

    async def meet(self, colour: int, creature: Any) -> None:
        """Bring two together."""
        if self.left == 0:
            await creature.leave.tell()
        elif self.waiting is None:
            self.waiting = colour, creature
        else:
            other_colour, other = self.waiting
            self.waiting = None
            self.left -= 1
            await creature.met.tell(other_colour)
            await other.met.tell(colour)

    async def report(self, meetings: int) -> None:
        """Hear of one that goes."""
        self.remembered += meetings
        self.present -= 1
        if not self.present:
            await self.closed.open.tell(self.remembered)


class Creature(xoscar.Actor):
    """One that has a colour."""

    def __init__(self, mall: Any, colour: int) -> None:
        super().__init__()
        self.mall = mall
        self.colour = colour
        self.meetings = 0

    async def go(self) -> None:
        """Look for another one."""
        await self.mall.meet.tell(self.colour, self.ref())

    async def met(self, other: int) -> None:
        """Have met one."""
        self.colour = complement(self.colour, other)
        self.meetings += 1
        await self.go()

    async def leave(self) -> None:
        """Go away."""
        await self.mall.report.tell(self.meetings)


async def run(place: Place, creatures: int, meetings: int) -> int:
    """See the description."""
    closed = await place.create(Latch)
    mall = await place.create(Mall, creatures, meetings, closed)
    for number in range(creatures):
        creature = await place.create(Creature, mall, number % COLOURS)
        await creature.go.tell()
    answer: int = await closed.wait()
    return answer
