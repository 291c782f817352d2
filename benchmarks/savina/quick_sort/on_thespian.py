"""Quick sort with Thespian."""

from typing import Any

from benchmarks.savina.quick_sort import parted, unsorted
from benchmarks.savina.thespian_place import Methods, Place


class Sorter(Methods):
    """Sorts."""

    def begin(self, asker: Any, values: int, short: int) -> None:
        """Sort what goes in."""
        self.asker = asker
        self._sort(unsorted(values), short)

    def sort(self, parent: Any, values: list[int], short: int, part: int) -> None:
        """Sort a part of it."""
        self.asker, self.part = parent, part
        self._sort(values, short)

    def have_sorted(self, child: Any, part: int, values: list[int]) -> None:
        """Have one of both parts."""
        self.parts[part] = values
        self.missing -= 1
        if not self.missing:
            self._answer([value for each in self.parts for value in each])

    def _sort(self, values: list[int], short: int) -> None:
        if len(values) <= short:
            self._answer(sorted(values))
            return
        self.parts = list(parted(values))
        self.missing = 2
        for part in (0, 2):
            self.send(self.createActor(Sorter), ("sort", self.parts[part], short, part))

    def _answer(self, values: list[int]) -> None:
        part = getattr(self, "part", None)
        self.send(self.asker, values if part is None else ("have_sorted", part, values))


def run(place: Place, values: int, short: int) -> Any:
    """See the description."""
    return place.ask(place.create(Sorter), "begin", values, short)
