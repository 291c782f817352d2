"""Messages in a stream of bytes: how many frames, how long each, and then the frames.

Little-endian: the number of frames in 4 bytes, the length of each in 8, the frames without a gap. A frame may
lie in memory that both processes share: then its length has the highest bit set, and what stands in the
stream is where to find it. Pure bytes; `transport` sends and receives them.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

from corps.core import native
from corps.errors import WireError
from corps.wire.frames import MAX_FRAMES, Frame
from corps.wire.memory import new_memory

OWN_MEMORY: Final = 64 * 1024  # bytes from which a message is read straight into memory of its own

_COUNT: Final = Struct("<I")
_SHARED: Final = 1 << 63
_SHARED_FRAME: Final = Struct("<QQQQQ")
_IS_FIRST: Final = 1
_IS_LENT: Final = 2
_FEW: Final = tuple(Struct(f"<{count}Q") for count in range(9))
_HEADS: Final = tuple(Struct(f"<I{count}Q") for count in range(9))


class SharedFrame(NamedTuple):
    """Where a frame lies in shared memory. All frames of a message that do so lie in one segment."""

    segment: int  # id of the segment, as the sender counts them
    capacity: int  # bytes that the segment holds
    offset: int  # where in it the frame begins
    size: int  # bytes of the frame
    is_first: bool  # its descriptor comes with this message
    is_lent: bool = False  # it is that of a third process: to be mapped for the receiver alone


AnyFrame = Frame | SharedFrame  # a frame, or where it is


class WithSharedFrames(list[AnyFrame]):
    """A message of which some frames lie in shared memory."""


def head(frames: Sequence[Frame]) -> bytes:
    """Return what goes before the frames of a message: their number and their lengths."""
    count = len(frames)
    form = _HEADS[count] if count < len(_HEADS) else Struct(f"<I{count}Q")
    return form.pack(count, *map(len, frames))


def as_bytes(frames: Sequence[AnyFrame]) -> bytes:
    """Return what stands in the stream for a message some of whose frames lie in shared memory."""
    lengths, parts = [], []
    for frame in frames:
        part = _packed(frame) if isinstance(frame, SharedFrame) else frame
        lengths.append(len(part) | (_SHARED if isinstance(frame, SharedFrame) else 0))
        parts.append(part)
    return b"".join((Struct(f"<I{len(lengths)}Q").pack(len(lengths), *lengths), *parts))


def _packed(frame: SharedFrame) -> bytes:
    *place, is_first, is_lent = frame
    return _SHARED_FRAME.pack(*place, is_first * _IS_FIRST | is_lent * _IS_LENT)


@native
class Cutter:
    """Cuts what comes on one connection into messages. One thread at a time.

    The first message says who speaks. Until `trust` is called nothing behind it is looked at, its lengths
    included: so a stranger cannot have memory set aside.
    """

    __slots__ = ("_is_trusted", "_large", "_lengths", "_limit", "_limit_later", "_missing", "_rest", "whole")

    def __init__(self, first: int, later: int) -> None:
        """Begin with nothing; the first message has at most `first` bytes, every other one `later`."""
        self._limit = first
        self._limit_later = later
        self._is_trusted = False
        self._rest = b""  # the beginning of a message that is not whole yet
        self._large: memoryview | None = None  # the frames of a large message, being filled
        self._lengths: tuple[int, ...] = ()
        self._missing = 0
        self.whole: list[list[Frame] | WithSharedFrames] = []
        """After a WireError of `cut`: the messages that came before what is none."""

    @property
    def room(self) -> memoryview | None:
        """Return where the next bytes belong, if they are those of a large message: then say `filled`."""
        if self._large is None:
            return None
        return self._large[len(self._large) - self._missing :]

    def filled(self, size: int) -> list[Frame] | WithSharedFrames | None:
        """Note that so many bytes were read into `room`; return the message, in own memory, if whole."""
        self._missing -= size
        if self._missing or self._large is None:
            return None
        whole, self._large = self._large, None
        if sum(self._lengths) >= _SHARED:
            return _with_shared_frames(whole, 0, self._lengths)
        frames: list[Frame] = []
        begin = 0
        for length in self._lengths:
            frames.append(whole[begin : begin + length])
            begin += length
        return frames

    def trust(self) -> list[list[Frame] | WithSharedFrames]:
        """Take all from now on, as who speaks is true; as `cut`. After a MemoryError give it no bytes."""
        self._is_trusted = True
        self._limit = self._limit_later
        return self.cut(b"")

    def cut(self, data: bytes) -> list[list[Frame] | WithSharedFrames]:
        """Take bytes of the stream, while there is no `room`; return the messages that are whole.

        That is one at most before `trust`. WireError: these are no messages, or one is too long. After a
        MemoryError nothing has changed: give the same bytes again.
        """
        if self._rest:
            data = self._rest + data
        messages: list[list[Frame] | WithSharedFrames] = []
        self.whole = messages
        at, end = 0, len(data)
        while end - at >= 4:
            (count,) = _COUNT.unpack_from(data, at)
            if count > MAX_FRAMES:
                raise WireError(f"a message of {count} frames came; {MAX_FRAMES} are the most")
            begin = at + 4 + 8 * count
            if begin > end:
                break
            form = _FEW[count] if count < len(_FEW) else Struct(f"<{count}Q")
            lengths = form.unpack_from(data, at + 4)
            size = sum(lengths)
            has_shared = size >= _SHARED
            if has_shared:
                size = sum(length & ~_SHARED for length in lengths)
            if size > self._limit:
                raise WireError(f"a message of {size} bytes came; {self._limit} are the most")
            if begin + size > end:
                if size > OWN_MEMORY:
                    self._begin_large(data[begin:], lengths, size)
                    at = end
                break
            if has_shared:
                messages.append(_with_shared_frames(data, begin, lengths))
                begin += size
            else:
                frames: list[Frame] = []
                for length in lengths:
                    frames.append(data[begin : begin + length])
                    begin += length
                messages.append(frames)
            at = begin
            if not self._is_trusted:
                break
        self._rest = data[at:]
        return messages

    def _begin_large(self, begun: bytes, lengths: tuple[int, ...], size: int) -> None:
        self._large = new_memory(size)
        self._large[: len(begun)] = begun
        self._lengths = lengths
        self._missing = size - len(begun)


def _with_shared_frames(data: bytes | memoryview, begin: int, lengths: Sequence[int]) -> WithSharedFrames:
    frames = WithSharedFrames()
    for length in lengths:
        size = length & ~_SHARED
        part = data[begin : begin + size]
        begin += size
        if length < _SHARED:
            frames.append(part)
        elif size != _SHARED_FRAME.size:
            raise WireError(f"{size} bytes are said to tell where a frame is; it takes {_SHARED_FRAME.size}")
        else:
            segment, capacity, offset, frame_size, flags = _SHARED_FRAME.unpack(part)
            if flags > _IS_FIRST | _IS_LENT:
                raise WireError(f"the flags of a frame in shared memory are {flags}")
            is_first, is_lent = bool(flags & _IS_FIRST), bool(flags & _IS_LENT)
            frames.append(SharedFrame(segment, capacity, offset, frame_size, is_first, is_lent))
    return frames
