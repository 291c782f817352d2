"""The tree with Pykka."""

import pykka

from benchmarks.savina.unbalanced_tree import children


class Node(pykka.ThreadingActor):
    """Part of the tree."""

    def grow(self, depth: int, seed: int) -> int:
        """Have children, and count them."""
        below = [Node.start().proxy().grow(depth - 1, child) for child in children(depth, seed)]
        sizes: list[int] = pykka.get_all(below)
        return 1 + sum(sizes)


def run(depth: int, seed: int) -> int:
    """See the description."""
    answer: int = Node.start().proxy().grow(depth, seed).get()
    return answer
