"""Memory that came from one Env and goes on to another one: it is lent, and not copied.

The Env in the middle has mapped a segment of the first one. It sends its descriptor on to the third one,
which maps it for itself alone. So whatever one of them writes, no other one sees. The first Env does not use
the segment again, and it is gone when the last of the three has let go of it.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from corps.transport.shared_memory.mappings import Mapped, Mappings
from corps.wire.frames import Frame
from corps.wire.stream import AnyFrame, SharedFrame

Loans: TypeAlias = dict[object, Mapped]
"""Segments of others that may be lent now, by a mark of each use. Adding and removing is atomic."""


@dataclass(frozen=True, slots=True)
class Lent:
    """The frames of a message, of which the large ones lie in one segment of another Env."""

    frames: list[AnyFrame]
    segment: Mapped  # keeps the descriptor open until it is sent


@contextmanager
def lending(loans: Loans, mappings: Sequence[Mappings], frames: Sequence[Frame]) -> Iterator[None]:
    """Let what lies in the memory of these frames be lent meanwhile. Nothing here may write to it, ever."""
    marks: list[object] = []
    try:
        for frame in frames:
            found = _find(mappings, frame)
            if found is not None:
                found.is_lent = True
                mark = object()
                loans[mark] = found
                marks.append(mark)
        yield
    finally:
        for mark in marks:
            del loans[mark]


def find_lent(
    loans: Loans, frames: Sequence[Frame], is_large: Callable[[Frame], bool], number: Callable[[], int]
) -> Lent | None:
    """Find the large frames of a message in one segment that may be lent; None if they are not there."""
    if not any(map(is_large, frames)):
        return None
    places = [_address(frame) if is_large(frame) else None for frame in frames]
    for mapped in list(loans.values()):  # one step is atomic
        if all(
            place is not None and mapped.holds(place, len(frame))
            for frame, place in zip(frames, places, strict=True)
            if is_large(frame)
        ):
            return Lent(_where(frames, places, mapped, number()), mapped)
    return None


def _where(
    frames: Sequence[Frame], places: Sequence[int | None], mapped: Mapped, number: int
) -> list[AnyFrame]:
    found: list[AnyFrame] = []
    is_first = True
    for frame, place in zip(frames, places, strict=True):
        if place is None:
            found.append(frame)
            continue
        offset = place - mapped.address
        found.append(SharedFrame(number, mapped.capacity, offset, len(frame), is_first, is_first))
        is_first = False
    return found


def _find(mappings: Sequence[Mappings], frame: Frame) -> Mapped | None:
    place = _address(frame)
    if place is None:
        return None
    found = (each.find(place, len(frame)) for each in mappings)
    return next((mapped for mapped in found if mapped is not None), None)


def _address(frame: Frame) -> int | None:
    """Return where a frame lies; None if it cannot have come through shared memory."""
    view = memoryview(frame)
    if view.readonly or not view.c_contiguous or not view.nbytes:
        return None
    return ctypes.addressof(ctypes.c_char.from_buffer(view))
