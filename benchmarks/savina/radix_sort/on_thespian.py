"""Radix sort with Thespian."""

from typing import Any

from benchmarks.savina.radix_sort import unsorted
from benchmarks.savina.thespian_place import Methods, Place


class End(Methods):
    """Collects what comes out."""

    def collect(self, sender: Any, values: int, bits: int, first: Any) -> None:
        """Send all into the chain, and collect them."""
        self.asker, self.values = sender, values
        self.collected: list[int] = []
        for value in unsorted(values, bits):
            self.send(first, ("take", value))

    def take(self, sender: Any, value: int) -> None:
        """Take the next one."""
        self.collected.append(value)
        if len(self.collected) == self.values:
            self.send(self.asker, self.collected)


class Sorter(Methods):
    """Sorts by one bit."""

    def begin(self, sender: Any, bit: int, values: int, follower: Any) -> None:
        """Know what to do."""
        self.bit, self.missing, self.follower = bit, values, follower
        self.kept: list[int] = []

    def take(self, sender: Any, value: int) -> None:
        """Take the next one."""
        if value & self.bit:
            self.kept.append(value)
        else:
            self.send(self.follower, ("take", value))
        self.missing -= 1
        if not self.missing:
            for each in self.kept:
                self.send(self.follower, ("take", each))


def run(place: Place, values: int, bits: int) -> Any:
    """See the description."""
    first = end = place.create(End)
    for bit in reversed(range(bits)):
        follower, first = first, place.create(Sorter)
        place.tell(first, "begin", 1 << bit, values, follower)
    return place.ask(end, "collect", values, bits, first)
