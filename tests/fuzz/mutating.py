"""Bytes that are nearly right: seeds, changed a little, by a random number generator alone."""

import random
from collections.abc import Callable, Sequence

EDGES = (
    *(bytes([byte]) for byte in (0x00, 0x01, 0x7F, 0x80, 0x90, 0xC0, 0xC1, 0xC3, 0xCA, 0xFF)),
    *(bytes([mark]) + b"\xff" * width for mark, width in ((0xCF, 8), (0xD3, 8), (0xDD, 4), (0xDF, 4))),
    *(bytes([mark]) + b"\xff" * width for mark, width in ((0xC6, 4), (0xC9, 4), (0xDB, 4))),
    b"\xcb\x7f\xf8" + bytes(6),  # not a number
    bytes(8),
    b"\xff" * 8,
)
"""What readers get wrong: the ends of numbers, and the beginnings of what claims to be long."""

MOST = 64 * 1024  # bytes of what is made


class Mutator:
    """Makes bytes. The same seeds and the same random numbers give the same bytes. One thread."""

    def __init__(self, seeds: Sequence[bytes], chance: random.Random) -> None:
        self._seeds = list(seeds)
        self._chance = chance
        self._ways: list[Callable[[bytearray], None]] = [
            self._flip,
            self._put,
            self._insert,
            self._cut,
            self._repeat,
            self._cross,
        ]

    def next(self) -> bytes:
        """Return a seed with one to eight changes."""
        data = bytearray(self._chance.choice(self._seeds))
        for _ in range(1 + int(self._chance.expovariate(0.7))):
            self._chance.choice(self._ways)(data)
        return bytes(data[:MOST])

    def _at(self, data: bytearray) -> int:
        return self._chance.randint(0, len(data))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)

    def _put(self, data: bytearray) -> None:
        edge, at = self._chance.choice(EDGES), self._at(data)
        data[at : at + len(edge)] = edge

    def _insert(self, data: bytearray) -> None:
        at = self._at(data)
        data[at:at] = self._chance.choice(EDGES)

    def _cut(self, data: bytearray) -> None:
        begin, end = sorted((self._at(data), self._at(data)))
        del data[begin:end]

    def _repeat(self, data: bytearray) -> None:
        begin, end = sorted((self._at(data), self._at(data)))
        data[end:end] = data[begin:end] * self._chance.choice((1, 2, 15))

    def _cross(self, data: bytearray) -> None:
        other = self._chance.choice(self._seeds)
        data[self._at(data) :] = other[self._chance.randint(0, len(other)) :]
