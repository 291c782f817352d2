"""Fibonacci with Thespian."""

from typing import Any

from benchmarks.savina.thespian_place import Methods, Place


class Number(Methods):
    """One of the numbers."""

    def compute(self, parent: Any, n: int, answer: str) -> None:
        """Add up those below."""
        self.parent, self.answer = parent, answer
        self.sum, self.missing = (n, 0) if n < 2 else (0, 2)
        for below in (n - 1, n - 2)[: self.missing]:
            self.send(self.createActor(Number), ("compute", below, "computed"))
        self._answer_if_ready()

    def computed(self, child: Any, number: int) -> None:
        """Hear of one."""
        self.sum += number
        self.missing -= 1
        self._answer_if_ready()

    def _answer_if_ready(self) -> None:
        if not self.missing:
            self.send(self.parent, (self.answer, self.sum) if self.answer else self.sum)


def run(place: Place, n: int) -> Any:
    """See the description."""
    return place.ask(place.create(Number), "compute", n, "")
