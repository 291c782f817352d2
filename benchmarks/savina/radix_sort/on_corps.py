"""Radix sort with corps."""

import corps
from benchmarks.savina.radix_sort import unsorted


class End(corps.Conc):
    """Collects what comes out."""

    def __init__(self, values: int) -> None:
        self.values = values
        self.collected: list[int] = []
        self._all: corps.Promise[list[int]] = corps.Promise()

    def all(self) -> "corps.Promise[list[int]]":
        """Answer when all is there."""
        return self._all

    def take(self, value: int) -> None:
        """Take the next one."""
        self.collected.append(value)
        if len(self.collected) == self.values:
            self._all.set_result(self.collected)


class Sorter(corps.Conc):
    """Sorts by one bit."""

    def __init__(self, bit: int, values: int, follower: "corps.Name[Sorter] | corps.Name[End]") -> None:
        self.bit, self.missing, self.follower = bit, values, follower
        self.kept: list[int] = []

    def take(self, value: int) -> None:
        """Take the next one."""
        if value & self.bit:
            self.kept.append(value)
        else:
            self.follower.take.send(value)
        self.missing -= 1
        if not self.missing:
            for each in self.kept:
                self.follower.take.send(each)


def run(values: int, bits: int) -> list[int]:
    """See the description."""
    end = corps.create(End, values)
    first: corps.Name[End] | corps.Name[Sorter] = end
    for bit in reversed(range(bits)):
        first = corps.create(Sorter, 1 << bit, values, first)
    for value in unsorted(values, bits):
        first.take.send(value)
    answer: list[int] = end.all().ret
    return answer
