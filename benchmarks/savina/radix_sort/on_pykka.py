"""Radix sort with Pykka."""

from typing import Any

import pykka

from benchmarks.savina.radix_sort import unsorted


class End(pykka.ThreadingActor):
    """Collects what comes out."""

    def __init__(self, values: int, done: Any) -> None:
        super().__init__()
        self.values, self._done = values, done
        self._collected: list[int] = []

    def take(self, value: int) -> None:
        """Take the next one."""
        self._collected.append(value)
        if len(self._collected) == self.values:
            self._done.set(self._collected)


class Sorter(pykka.ThreadingActor):
    """Sorts by one bit."""

    def __init__(self, bit: int, values: int, follower: Any) -> None:
        super().__init__()
        self.bit, self.missing, self._follower = bit, values, follower
        self._kept: list[int] = []

    def take(self, value: int) -> None:
        """Take the next one."""
        if value & self.bit:
            self._kept.append(value)
        else:
            self._follower.take.defer(value)
        self.missing -= 1
        if not self.missing:
            for each in self._kept:
                self._follower.take.defer(each)


def run(values: int, bits: int) -> list[int]:
    """See the description."""
    done = pykka.ThreadingFuture()
    first = End.start(values, done).proxy()
    for bit in reversed(range(bits)):
        first = Sorter.start(1 << bit, values, first).proxy()
    for value in unsorted(values, bits):
        first.take.defer(value)
    answer: list[int] = done.get()
    return answer
