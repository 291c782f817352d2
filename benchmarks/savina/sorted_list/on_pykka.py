"""The sorted list with Pykka."""

from bisect import bisect_left, insort
from typing import Any

import pykka

from benchmarks.savina.sorted_list import steps


class SortedList(pykka.ThreadingActor):
    """Has the values."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[int] = []

    def insert(self, value: int) -> None:
        """Insert a value."""
        insort(self.values, value)

    def contains(self, value: int) -> bool:
        """Look for a value."""
        at = bisect_left(self.values, value)
        return at < len(self.values) and self.values[at] == value

    def length(self, value: int) -> int:
        """How many there are."""
        return len(self.values)


class Asker(pykka.ThreadingActor):
    """Asks."""

    def ask_all(self, values: Any, worker: int, requests: int) -> None:
        """Do all of the steps."""
        ask = {"insert": values.insert, "contains": values.contains, "length": values.length}
        for what, value in steps(worker, requests):
            ask[what](value).get()


def run(workers: int, requests: int) -> list[int]:
    """See the description."""
    values = SortedList.start().proxy()
    askers = [Asker.start().proxy() for _ in range(workers)]
    pykka.get_all([asker.ask_all(values, n, requests) for n, asker in enumerate(askers)])
    answer: list[int] = values.values.get()
    return answer
