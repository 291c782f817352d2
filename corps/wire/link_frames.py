"""What the two ends of a ZeroMQ link say to each other about the link itself.

Large messages travel as streams (`corps.wire.chunks`): OPEN, CHUNK, TAKEN, DROPPED. What a connection loses
is sent again (`corps.wire.resume`): so the first frame of every message begins with its number, and there are
ASK, ARRIVED and MISSED. No Peer ever sees any of these. `docs/reference/wire-protocol.md` specifies them.
"""

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Final, NamedTuple

from corps.wire.frames import HELLO, Frame, Reader, check_numbers, pack, read, reader

OPEN: Final = 7
CHUNK: Final = 8
TAKEN: Final = 9
DROPPED: Final = 10
ASK: Final = 12
ARRIVED: Final = 13
MISSED: Final = 14

PREFIX: Final = Struct("<QI")
"""Before the header of every message: its number on the link, and the round it is sent in.

The number is 0 for what is about the connection alone, and may be lost with it: HELLO, ASK, ARRIVED, MISSED.
"""

_INT: Final[frozenset[type]] = frozenset({int})

# How a header begins: an array of so many elements, and its kind. msgpack has no shorter form.
_CHUNK_MARK: Final = bytes((0x93, CHUNK))
_STREAM_MARKS: Final = frozenset(
    {bytes((0x92, OPEN)), _CHUNK_MARK, bytes((0x92, TAKEN)), bytes((0x92, DROPPED))}
)
_HELLO_MARKS: Final = frozenset(bytes((0x90 | size, HELLO)) for size in range(3, 16))  # of every version


class OpenHeader(NamedTuple):
    """A large message begins, as the stream with this number. The lengths of its frames follow."""

    stream: int


class ChunkHeader(NamedTuple):
    """The next bytes of a stream; `offset` is how many came before."""

    stream: int
    offset: int


class TakenHeader(NamedTuple):
    """So many bytes of chunks have been taken since the last time."""

    size: int


class DroppedHeader(NamedTuple):
    """The receiver has given up this stream."""

    stream: int


class AskHeader(NamedTuple):
    """Has everything arrived up to this number, which was sent last, in this round?"""

    number: int
    round: int


class ArrivedHeader(NamedTuple):
    """Everything up to this number has arrived on the link that has this number at its sender."""

    link: int
    number: int


class MissedHeader(NamedTuple):
    """The same; and the next message was sent in this round, or before, and is lost."""

    link: int
    number: int
    round: int


StreamHeader = OpenHeader | ChunkHeader | TakenHeader | DroppedHeader
LinkHeader = StreamHeader | AskHeader | ArrivedHeader | MissedHeader


def is_of_stream(header: Frame) -> bool:
    """Return whether the header of a message is one of those that `StreamHeader` names."""
    return bytes(header[:2]) in _STREAM_MARKS


def is_chunk(first: Frame) -> bool:
    """Return whether a first frame, with its prefix, is that of a CHUNK."""
    return first[PREFIX.size : PREFIX.size + 2] == _CHUNK_MARK


def is_hello(header: Frame) -> bool:
    """Return whether the header of a message is that of a HELLO."""
    return bytes(header[:2]) in _HELLO_MARKS


def read_link_header(frames: Sequence[Frame]) -> LinkHeader:
    """Read the header of a message about the link, without its prefix, or raise WireError."""
    header: LinkHeader = read(frames, _READERS)
    return header


def _reader(make: type[LinkHeader], frames: int) -> Reader:
    """Return how headers that hold numbers alone are read."""

    def checked(*numbers: int) -> LinkHeader:
        check_numbers(f"a {make.__name__}", *numbers)
        return make(*numbers)

    return reader([_INT] * len(make._fields), frames, frames, checked)


_FORMS: Final[Mapping[int, tuple[type[LinkHeader], int]]] = {
    OPEN: (OpenHeader, 2),
    CHUNK: (ChunkHeader, 2),
    TAKEN: (TakenHeader, 1),
    DROPPED: (DroppedHeader, 1),
    ASK: (AskHeader, 1),
    ARRIVED: (ArrivedHeader, 1),
    MISSED: (MissedHeader, 1),
}
"""For each kind, its header, and how many frames a message of it has."""

_KINDS: Final = {make: kind for kind, (make, _) in _FORMS.items()}
_READERS: Final[Mapping[int, Reader]] = {kind: _reader(*form) for kind, form in _FORMS.items()}


def frame_of(header: LinkHeader) -> bytes:
    """Return the frame of a header."""
    return pack((_KINDS[type(header)], *header))
