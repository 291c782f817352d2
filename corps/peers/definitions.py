"""Definitions: functions and classes that go over a link by value once, and by number from then on."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from corps.errors import Overloaded, UnpackError, WireError
from corps.packing.codecs import PICKLE
from corps.packing.packer import Packed, Packer
from corps.wire.frames import MAX_DEFINITION, MAX_DEFINITIONS, DefineHeader, Frame, frame_of


class Definitions:
    """The definitions of both directions between this Env and one peer. Thread-safe.

    No definition is forgotten while the peer is there, because requests are opened late and in any order.
    When the peer has as many as it keeps, all other code goes by value.
    """

    def __init__(
        self, packer: Packer, transmit: Callable[[Sequence[Frame]], None], max_frame: int | None
    ) -> None:
        self.packer = packer.for_peer(self._define, self._find)
        self._read = packer.unpack
        self._transmit = transmit  # behind all that was sent before
        self._largest = MAX_DEFINITION if max_frame is None else min(MAX_DEFINITION, max_frame)
        self._numbers = itertools.count(1)
        # Both only grow, and each step on them is atomic, so there is no lock.
        self._arrived: dict[int, Packed] = {}
        self._built: dict[int, Any] = {}

    def on_define(self, header: DefineHeader, frames: Sequence[Frame]) -> None:
        """Keep a definition, and unpack nothing. Raise WireError if it is too large or there already."""
        if len(frames[1]) > MAX_DEFINITION:
            raise WireError(f"a definition has {len(frames[1])} bytes, more than {MAX_DEFINITION}")
        if header.number in self._arrived:
            raise WireError(f"there is a definition {header.number} already")
        self._arrived[header.number] = Packed(header.codec, bytes(frames[1]), ())

    def _define(self, body: bytes) -> int | None:
        """Send a definition, and return its number. When this returns, later messages come after it."""
        if len(body) > self._largest:
            return None
        number = next(self._numbers)
        if number > MAX_DEFINITIONS:
            return None
        try:
            self._transmit([frame_of(DefineHeader(number, PICKLE)), body])
        except Overloaded:
            return None
        return number

    def _find(self, number: int) -> Any:
        """Return what the peer has defined, the same object each time."""
        built = self._built.get(number)
        if built is not None:
            return built
        packed = self._arrived.get(number)
        if packed is None:
            raise UnpackError(f"the bytes refer to definition {number}, which their sender has not sent here")
        # Two threads may both unpack it, and go on with what the first one made. No lock, because unpacking
        # may import modules, and so run anything.
        return self._built.setdefault(number, self._read(packed))
