"""The tree with Thespian."""

from typing import Any

from benchmarks.savina.thespian_place import Methods, Place
from benchmarks.savina.unbalanced_tree import children


class Node(Methods):
    """Part of the tree."""

    def grow(self, parent: Any, depth: int, seed: int, answer: str) -> None:
        """Have children, and count them."""
        self.parent, self.answer = parent, answer
        below = children(depth, seed)
        self.missing, self.size = len(below), 1
        for child in below:
            self.send(self.createActor(Node), ("grow", depth - 1, child, "grown"))
        self._answer_if_ready()

    def grown(self, child: Any, size: int) -> None:
        """Hear of one."""
        self.missing -= 1
        self.size += size
        self._answer_if_ready()

    def _answer_if_ready(self) -> None:
        if not self.missing:
            self.send(self.parent, (self.answer, self.size) if self.answer else self.size)


def run(place: Place, depth: int, seed: int) -> Any:
    """See the description."""
    return place.ask(place.create(Node), "grow", depth, seed, "")
