"""The sorted list with corps."""

from bisect import bisect_left, insort

import corps
from benchmarks.savina.sorted_list import steps


class SortedList(corps.Conc):
    """Has the values."""

    def __init__(self) -> None:
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


class Asker(corps.Conc):
    """Asks."""

    def ask_all(self, values: corps.Name[SortedList], worker: int, requests: int) -> None:
        """Do all of the steps."""
        ask = {"insert": values.insert, "contains": values.contains, "length": values.length}
        for what, value in steps(worker, requests):
            ask[what](value).result()


def run(workers: int, requests: int) -> list[int]:
    """See the description."""
    values = corps.create(SortedList)
    askers = [corps.create(Asker) for _ in range(workers)]
    corps.gather([asker.ask_all(values, n, requests) for n, asker in enumerate(askers)]).result()
    answer: list[int] = values.values.ret
    return answer
