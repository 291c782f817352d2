"""The tree with xoscar."""

import asyncio

import xoscar

from benchmarks.savina.unbalanced_tree import children
from benchmarks.savina.xoscar_place import Place


class Node(xoscar.Actor):
    """Part of the tree."""

    async def grow(self, place: Place, depth: int, seed: int) -> int:
        """Have children, and count them."""
        below = [(await place.create(Node)).grow(place, depth - 1, child) for child in children(depth, seed)]
        sizes: list[int] = await asyncio.gather(*below)
        return 1 + sum(sizes)


async def run(place: Place, depth: int, seed: int) -> int:
    """See the description."""
    answer: int = await (await place.create(Node)).grow(place, depth, seed)
    return answer
