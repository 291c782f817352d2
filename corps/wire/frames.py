"""Messages between two Envs as frames: the first frame is the header, then the body, then its buffers.

The header is a msgpack array; its first element is the kind. Nothing of the body is looked at here, so
a process in the middle could pass messages on without unpacking them. `docs/reference/wire-protocol.md`
is the specification; change it first, then this file, then VERSION.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgpack

from corps.errors import WireError

VERSION: Final = 1
"""Of the protocol. Peers with another one are refused."""

HELLO: Final = 1
REQUEST: Final = 2
OUTCOME: Final = 3
CANCEL: Final = 4
PROBE: Final = 5
CREDIT: Final = 6

RETURNED: Final = 0
"""Status of an outcome: the method returned; the body is the value."""
RAISED: Final = 1
"""Status: the method raised; the body is the exception's text, the next frame the exception, if it packs."""
REFUSED: Final = 2
"""Status: the runtime had no value to give; the body says which error."""

MAX_HEADER: Final = 64 * 1024
MAX_FRAMES: Final = 10_000

_MAGIC: Final = "corps"
_NUMBER: Final = (int, float)
_NONE: Final = type(None)

Frame = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message on every connection: who speaks."""

    corps: str
    env: int
    incarnation: str

    def header(self) -> bytes:
        """The header as a frame."""
        return _pack([HELLO, _MAGIC, VERSION, self.corps, self.env, self.incarnation])


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """A request. `number` 0 asks for no answer; `remaining` is the rest of its time, in seconds."""

    number: int
    kind: int
    conc: int
    method: str
    sender: tuple[int, int] | None
    remaining: float | None
    codec: int

    def header(self) -> bytes:
        """The header as a frame."""
        return _pack(
            [
                REQUEST,
                self.number,
                self.kind,
                self.conc,
                self.method,
                self.sender,
                self.remaining,
                self.codec,
            ]
        )


@dataclass(frozen=True, slots=True)
class OutcomeHeader:
    """The outcome of the request with this number."""

    number: int
    status: int
    codec: int

    def header(self) -> bytes:
        """The header as a frame."""
        return _pack([OUTCOME, self.number, self.status, self.codec])


@dataclass(frozen=True, slots=True)
class CancelHeader:
    """Nobody wants the outcome of the request with this number any more."""

    number: int

    def header(self) -> bytes:
        """The header as a frame."""
        return _pack([CANCEL, self.number])


@dataclass(frozen=True, slots=True)
class ProbeHeader:
    """Whether the worker that has the request with this number waits, in the end, for the one named here."""

    number: int
    env: int
    conc: int
    serial: int
    edge: int
    path: tuple[str, ...]

    def header(self) -> bytes:
        """The header as a frame."""
        return _pack([PROBE, self.number, self.env, self.conc, self.serial, self.edge, list(self.path)])


@dataclass(frozen=True, slots=True)
class CreditHeader:
    """So many requests that wanted no answer, of so many bytes, have been dealt with."""

    requests: int
    size: int

    def header(self) -> bytes:
        """The header as a frame."""
        return _pack([CREDIT, self.requests, self.size])


Header = Hello | RequestHeader | OutcomeHeader | CancelHeader | ProbeHeader | CreditHeader


def read_header(frames: Sequence[Frame]) -> Header:
    """Read the first frame of a message, and check that the message has as many frames as its kind wants.

    Args:
        frames: A whole message.

    Returns:
        The header.

    Raises:
        WireError: It is not a message of this protocol; the text says what is wrong.
    """
    if not frames or len(frames) > MAX_FRAMES or len(frames[0]) > MAX_HEADER:
        raise WireError(f"a message of {len(frames)} frames, or its header, is outside the limits")
    try:
        fields = msgpack.unpackb(frames[0], use_list=True, raw=False)
    except (ValueError, msgpack.UnpackException) as error:
        raise WireError(f"the header is no msgpack: {error}") from error
    if not isinstance(fields, list) or not fields:
        raise WireError("the header is no array")
    kind, rest = fields[0], fields[1:]
    reader = _READERS.get(kind) if isinstance(kind, int) else None
    if reader is None:
        raise WireError(f"messages of kind {kind!r} are unknown")
    types, least, most, make = reader
    if len(rest) != len(types) or not all(map(isinstance, rest, types)):
        raise WireError(f"the header of a message of kind {kind} has wrong fields")
    if not least <= len(frames) <= most:
        raise WireError(f"a message of kind {kind} has {len(frames)} frames")
    header: Header = make(*rest)
    return header


def _hello(magic: str, version: int, corps: str, env: int, incarnation: str) -> Hello:
    if magic != _MAGIC or version != VERSION:
        raise WireError(f"the peer speaks {magic!r} version {version}, this is {_MAGIC!r} version {VERSION}")
    return Hello(corps, env, incarnation)


def _request(
    number: int, kind: int, conc: int, method: str, sender: Any, remaining: float | None, codec: int
) -> RequestHeader:
    if sender is not None:
        if len(sender) != 2 or not all(isinstance(part, int) for part in sender):
            raise WireError("the sender of a request is not two numbers")
        sender = (sender[0], sender[1])
    return RequestHeader(number, kind, conc, method, sender, remaining, codec)


def _probe(number: int, env: int, conc: int, serial: int, edge: int, path: list[Any]) -> ProbeHeader:
    if not all(isinstance(part, str) for part in path):
        raise WireError("the path of a probe is not made of texts")
    return ProbeHeader(number, env, conc, serial, edge, tuple(path))


# kind: types of the fields, fewest and most frames, what makes the header of the fields
_READERS: Final[dict[int, tuple[tuple[Any, ...], int, int, Any]]] = {
    HELLO: ((str, int, str, int, str), 1, 1, _hello),
    REQUEST: ((int, int, int, str, (list, _NONE), (*_NUMBER, _NONE), int), 2, MAX_FRAMES, _request),
    OUTCOME: ((int, int, int), 2, MAX_FRAMES, OutcomeHeader),
    CANCEL: ((int,), 1, 1, CancelHeader),
    PROBE: ((int, int, int, int, int, list), 1, 1, _probe),
    CREDIT: ((int, int), 1, 1, CreditHeader),
}


def _pack(fields: list[Any]) -> bytes:
    packed: bytes = msgpack.packb(fields)
    return packed
