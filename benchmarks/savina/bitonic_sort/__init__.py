"""A network that sorts vectors. Each of its comparators is an actor: it waits for a value on both of its
wires, and sends the lesser one on along one wire, the greater one along the other. Many vectors are under
way at once.

It shows a fixed network of small messages, in which each actor has to match what comes from two others.
"""

from typing import Final, NamedTuple

TITLE: Final = "bitonic sort"
FULL: Final = {"wires": 8, "vectors": 120}
SMALL: Final = {"wires": 4, "vectors": 3}
END: Final = -1
"""In the place of a comparator: the end of the network."""


class Port(NamedTuple):
    """Where a wire goes: to which comparator and there to which side, or at the end to which place."""

    comparator: int
    side: int


def comparisons(wires: int) -> list[tuple[int, int]]:
    """The wires that are compared, in order: on the first the lesser value goes on."""
    found = []
    block = 2
    while block <= wires:
        distance = block // 2
        while distance:
            for wire in range(wires):
                other = wire ^ distance
                if other > wire:
                    found.append((wire, other) if wire & block == 0 else (other, wire))
            distance //= 2
        block *= 2
    return found


def network(wires: int) -> tuple[list[tuple[Port, Port]], list[Port]]:
    """How the comparators are connected.

    Args:
        wires: A power of two.

    Returns:
        For each comparator where its lesser and its greater values go, to earlier ones of the list only;
        and where each wire begins.
    """
    begins = [Port(END, wire) for wire in range(wires)]
    comparators = []
    for number, (low, high) in enumerate(reversed(comparisons(wires))):
        comparators.append((begins[low], begins[high]))
        begins[low], begins[high] = Port(number, 0), Port(number, 1)
    return comparators, begins


def unsorted(wires: int, vectors: int) -> list[list[int]]:
    """What goes in."""
    return [[(wire * 7919 + vector * 104_729) % 1009 for wire in range(wires)] for vector in range(vectors)]


def expected(wires: int, vectors: int) -> list[list[int]]:
    """What comes out."""
    return [sorted(vector) for vector in unsorted(wires, vectors)]
