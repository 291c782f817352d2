"""Chameneos with Pykka."""

from typing import Any

import pykka

from benchmarks.savina.chameneos import COLOURS, complement


class Mall(pykka.ThreadingActor):
    """Where they meet."""

    def __init__(self, creatures: int, meetings: int, closed: Any) -> None:
        super().__init__()
        self.present = creatures
        self.left = meetings
        self.remembered = 0
        self.waiting: tuple[int, Any] | None = None
        self.closed = closed

    def meet(self, colour: int, creature: Any) -> None:
        """Bring two together."""
        if self.left == 0:
            creature.leave.defer()
        elif self.waiting is None:
            self.waiting = colour, creature
        else:
            other_colour, other = self.waiting
            self.waiting = None
            self.left -= 1
            creature.met.defer(other_colour)
            other.met.defer(colour)

    def report(self, meetings: int) -> None:
        """Hear of one that goes."""
        self.remembered += meetings
        self.present -= 1
        if not self.present:
            self.closed.set(self.remembered)


class Creature(pykka.ThreadingActor):
    """One that has a colour."""

    def __init__(self, mall: Any, colour: int) -> None:
        super().__init__()
        self.mall = mall
        self.colour = colour
        self.meetings = 0

    def on_start(self) -> None:
        """Keep a proxy of oneself: making one takes long."""
        self._own = self.actor_ref.proxy()

    def go(self) -> None:
        """Look for another one."""
        self.mall.meet.defer(self.colour, self._own)

    def met(self, other: int) -> None:
        """Have met one."""
        self.colour = complement(self.colour, other)
        self.meetings += 1
        self.go()

    def leave(self) -> None:
        """Go away."""
        self.mall.report.defer(self.meetings)


def run(creatures: int, meetings: int) -> int:
    """See the description."""
    closed = pykka.ThreadingFuture()
    mall = Mall.start(creatures, meetings, closed).proxy()
    for number in range(creatures):
        Creature.start(mall, number % COLOURS).proxy().go.defer()
    answer: int = closed.get()
    return answer
