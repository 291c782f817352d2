"""Chameneos with Thespian."""

from typing import Any

from benchmarks.savina.chameneos import COLOURS, complement
from benchmarks.savina.thespian_place import Methods, Place


class Mall(Methods):
    """Where they meet."""

    def open(self, sender: Any, creatures: list[Any], meetings: int) -> None:
        """Have the creatures come."""
        self.asker, self.present, self.left = sender, len(creatures), meetings
        self.remembered = 0
        self.waiting: tuple[int, Any] | None = None
        for number, creature in enumerate(creatures):
            self.send(creature, ("begin", number % COLOURS))

    def meet(self, creature: Any, colour: int) -> None:
        """Bring two together."""
        if self.left == 0:
            self.send(creature, ("leave",))
        elif self.waiting is None:
            self.waiting = colour, creature
        else:
            other_colour, other = self.waiting
            self.waiting = None
            self.left -= 1
            self.send(creature, ("met", other_colour))
            self.send(other, ("met", colour))

    def report(self, sender: Any, meetings: int) -> None:
        """Hear of one that goes."""
        self.remembered += meetings
        self.present -= 1
        if not self.present:
            self.send(self.asker, self.remembered)


class Creature(Methods):
    """One that has a colour."""

    def begin(self, mall: Any, colour: int) -> None:
        """Look for a first one."""
        self.colour, self.meetings = colour, 0
        self.send(mall, ("meet", self.colour))

    def met(self, mall: Any, other: int) -> None:
        """Have met one, and look for another one."""
        self.colour = complement(self.colour, other)
        self.meetings += 1
        self.send(mall, ("meet", self.colour))

    def leave(self, mall: Any) -> None:
        """Go away."""
        self.send(mall, ("report", self.meetings))


def run(place: Place, creatures: int, meetings: int) -> Any:
    """See the description."""
    present = [place.create(Creature) for _ in range(creatures)]
    return place.ask(place.create(Mall), "open", present, meetings)
