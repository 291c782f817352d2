"""Chameneos with corps."""

import corps
from benchmarks.savina.chameneos import COLOURS, complement


class Mall(corps.Conc):
    """Where they meet."""

    def __init__(self, creatures: int, meetings: int) -> None:
        self.present = creatures
        self.left = meetings
        self.remembered = 0
        self.waiting: tuple[int, corps.Name[Creature]] | None = None
        self._closed: corps.Promise[int] = corps.Promise()

    def closed(self) -> "corps.Promise[int]":
        """Answer when all have gone."""
        return self._closed

    def meet(self, colour: int, creature: "corps.Name[Creature]") -> None:
        """Bring two together."""
        if self.left == 0:
            creature.leave.send()
        elif self.waiting is None:
            self.waiting = colour, creature
        else:
            other_colour, other = self.waiting
            self.waiting = None
            self.left -= 1
            creature.met.send(other_colour)
            other.met.send(colour)

    def report(self, meetings: int) -> None:
        """Hear of one that goes."""
        self.remembered += meetings
        self.present -= 1
        if not self.present:
            self._closed.set_result(self.remembered)


class Creature(corps.Conc):
    """One that has a colour."""

    def __init__(self, mall: corps.Name[Mall], colour: int) -> None:
        self.mall = mall
        self.colour = colour
        self.meetings = 0

    def go(self) -> None:
        """Look for another one."""
        self.mall.meet.send(self.colour, self.my_name())

    def met(self, other: int) -> None:
        """Have met one."""
        self.colour = complement(self.colour, other)
        self.meetings += 1
        self.go()

    def leave(self) -> None:
        """Go away."""
        self.mall.report.send(self.meetings)


def run(creatures: int, meetings: int) -> int:
    """See the description."""
    mall = corps.create(Mall, creatures, meetings)
    for number in range(creatures):
        corps.create(Creature, mall, number % COLOURS).go.send()
    answer: int = mall.closed().ret
    return answer
