"""The tree with corps."""

import corps
from benchmarks.savina.unbalanced_tree import children


class Node(corps.Conc):
    """Part of the tree."""

    def grow(self, depth: int, seed: int) -> int:
        """Have children, and count them."""
        below = [corps.create(Node).grow(depth - 1, child) for child in children(depth, seed)]
        sizes: list[int] = corps.gather(below).ret
        return 1 + sum(sizes)


def run(depth: int, seed: int) -> int:
    """See the description."""
    answer: int = corps.create(Node).grow(depth, seed).ret
    return answer
