"""Messages between two Envs as frames: the first frame is the header, then the body, then its buffers.

The header is a msgpack array; its first element is the kind. Nothing of the body is looked at here, so
a process in the middle could pass messages on without unpacking them. `docs/reference/wire-protocol.md`
is the specification; change it first, then this file, then VERSION.

What the two ends of a link say to each other about the link itself is in `corps.wire.link_frames`.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgpack

from corps.addresses import FRONT, ConcAddr
from corps.core import know_kinds, native_function
from corps.errors import VersionMismatch, WireError
from corps.messages.contacts import ExtAddr
from corps.messages.requests import CALL, DROP, EXIT, GET, PINNED, PULL, SET, WATCH, Kind
from corps.security.capabilities import CAPABILITY_SIZE

VERSION: Final = 9  # of the protocol. Peers with another one are refused

HELLO: Final = 1
REQUEST: Final = 2
OUTCOME: Final = 3
CANCEL: Final = 4
PROBE: Final = 5
CREDIT: Final = 6
DEFINE: Final = 11
MARK: Final = 15
SHARE: Final = 16
SHARED: Final = 17
WORKING: Final = 18

RETURNED: Final = 0  # status of an outcome: the method returned; the body is the value
RAISED: Final = 1  # status: it raised; the body is a text, the next frame the exception, if that packs
REFUSED: Final = 2  # status: the runtime had no value to give; the body says which error

MAX_HEADER: Final = 64 * 1024  # bytes of a header at most
MAX_HELLO: Final = 1024  # bytes of a HELLO at most: it is read before anybody knows who speaks
MAX_METHOD: Final = 32 * 1024  # bytes of the name of a method or attribute at most
MAX_FRAMES: Final = 10_000  # frames of a message at most, the header among them
MAX_NUMBER: Final = 2**63 - 1  # all numbers in a header are 0 to this, but for an Env, which may be FRONT
MAX_REMAINING: Final = 1e9  # seconds a request may have left; one with as much has no deadline
MAX_CODEC: Final = 255
MAX_PAUSE: Final = 86_400_000  # milliseconds between two WORKINGs at most
TRACE_SIZE: Final = 25  # bytes of a trace context: 16 of the trace id, 8 of the span id, one of flags
MAX_CORPS_ID: Final = 64  # bytes of the id of a Corps at most
MAX_WHEN_FULL: Final = 16  # bytes of what becomes of a request for which there is no room at most
MAX_IDENTITY: Final = 1024  # bytes of an identity at most
MAX_DEFINITIONS: Final = 1024  # that one Env keeps for another at most; their numbers are 1 to this
MAX_DEFINITION: Final = 64 * 1024  # bytes of the body of a definition at most

REQUEST_KINDS: Final[Mapping[int, Kind]] = {
    int(kind): kind for kind in (CALL, GET, SET, PULL, DROP, EXIT, WATCH, PINNED)
}
"""What one Env may ask of another. CREATE is not among them: a worker's first request is its own Env's."""
know_kinds(REQUEST_KINDS)
STREAMED: Final = 3  # the method has returned an iterator over a generator of a worker
STATUSES: Final = frozenset({RETURNED, RAISED, REFUSED, STREAMED})

DROP_OLDEST: Final = "drop_oldest"
"""What a request says that takes the place of an older one that says so too."""

_MAGIC: Final = "corps"
_OPTIONAL_NUMBER: Final[frozenset[type]] = frozenset({int, float, type(None)})
_OPTIONAL_ARRAY: Final[frozenset[type]] = frozenset({tuple, type(None)})
_OPTIONAL_INT: Final[frozenset[type]] = frozenset({int, type(None)})
_INT: Final[frozenset[type]] = frozenset({int})
_TEXT: Final[frozenset[type]] = frozenset({str})
_ARRAY: Final[frozenset[type]] = frozenset({tuple})
_BYTES: Final[frozenset[type]] = frozenset({bytes})

Frame = bytes | bytearray | memoryview

Reader = tuple[frozenset[tuple[type, ...]], int, int, Callable[..., Any]]
"""How a kind of header is read: its combinations of types, fewest and most frames, what makes it."""


def pack(fields: tuple[Any, ...]) -> bytes:
    """Return a kind and its fields as a header frame."""
    # msgpack.packb does the same by way of Python: 0.7 µs, not 0.3.
    packed: bytes = msgpack.Packer().pack(fields)
    return packed


def check_numbers(what: str, *numbers: int) -> None:
    """Raise WireError unless numbers of a header, whose kind `what` names, are in range."""
    if min(numbers) < 0 or max(numbers) > MAX_NUMBER:
        raise WireError(f"{what} holds a number outside of 0 to {MAX_NUMBER}: {numbers}")


def check_env(what: str, env: int) -> None:
    """Raise WireError unless the id of an Env is in range: -1 is the front."""
    if not FRONT <= env <= MAX_NUMBER:
        raise WireError(f"{what} names an Env outside of {FRONT} to {MAX_NUMBER}: {env}")


def reader(
    fields: Sequence[frozenset[type]],
    least: int,
    most: int,
    make: Callable[..., Any],
    optional: Sequence[frozenset[type]] = (),
) -> Reader:
    """Return how a header is read: the types of fields and of optional ones, and numbers of frames."""
    # All combinations of types that are allowed: one look-up decides about all fields.
    signatures: set[tuple[type, ...]] = set()
    for count in range(len(optional) + 1):
        for present in itertools.combinations(optional, count):
            signatures |= set(itertools.product(*fields, *present))
    return frozenset(signatures), least, most, make


def read(frames: Sequence[Frame], readers: Mapping[int, Reader]) -> Any:
    """Read the header of a whole message with as many frames as its kind wants, or raise WireError."""
    if not frames or len(frames) > MAX_FRAMES or len(frames[0]) > MAX_HEADER:
        raise WireError(f"a message of {len(frames)} frames, or its header, is outside the limits")
    try:
        fields = msgpack.unpackb(frames[0], use_list=False)
    # ValueError and its kin for most malformed bytes; whatever else it is, the bytes are at fault.
    except Exception as error:
        raise WireError(f"the header is no msgpack: {type(error).__name__}: {error}") from error
    if type(fields) is not tuple or not fields:
        raise WireError("the header is no array")
    kind, rest = fields[0], fields[1:]
    way = readers.get(kind) if type(kind) is int else None  # True is no 1 here
    if way is None:
        raise WireError(f"messages of kind {kind!r:.40} are unknown here")
    signatures, least, most, make = way
    if tuple(map(type, rest)) not in signatures:
        if kind == HELLO:
            _check_version(*rest[:2])  # another version may have other fields behind these two
        types = ", ".join(type(field).__name__ for field in rest[:16])
        raise WireError(f"the header of a message of kind {kind} has wrong fields: {types}")
    if not least <= len(frames) <= most:
        raise WireError(f"a message of kind {kind} has {len(frames)} frames")
    return make(*rest)


class Hello(NamedTuple):
    """The first message on every connection: who speaks, and to another Corps where it listens, too."""

    corps: str
    env: int
    incarnation: str
    endpoint: str = ""
    public_key: str = ""
    to: str = ""  # the incarnation that it means; empty for the one that listens there

    def header(self) -> bytes:
        """Return the header as a frame."""
        return pack((HELLO, _MAGIC, VERSION, *(self if self.endpoint else self[:3])))


class RequestHeader(NamedTuple):
    """A request. `number` 0 asks for no answer; `remaining` is the rest of its time, in seconds."""

    number: int
    kind: Kind
    conc: int
    method: str
    sender: tuple[int, int] | None
    remaining: float | None
    codec: int
    optional: Mapping[str, bytes | str] | None = None  # the fields of `OPTIONAL_FIELDS` that are there


class OutcomeHeader(NamedTuple):
    """The outcome of the request with this number."""

    number: int
    status: int
    codec: int


class CancelHeader(NamedTuple):
    """Nobody wants the outcome of the request with this number any more."""

    number: int  # of the request
    only_if_waiting: int = 0  # 1: unless it has begun; 0: in any case


class ProbeHeader(NamedTuple):
    """Whether the worker that has the request with this number waits, in the end, for the one named here."""

    number: int
    env: int
    conc: int
    serial: int
    edge: int
    path: tuple[str, ...]


class CreditHeader(NamedTuple):
    """So many requests that wanted no answer, of so many bytes, have been dealt with."""

    requests: int
    size: int


class DefineHeader(NamedTuple):
    """A function or class that bodies may refer to by this number from now on."""

    number: int
    codec: int


class MarkHeader(NamedTuple):
    """A point in the lane of a worker, or in no lane, for the consistent cut with this number."""

    number: int
    conc: int | None


class ShareHeader(NamedTuple):
    """What a client of another Corps may have unanswered here from now on. `serial` grows."""

    serial: int
    requests: int
    size: int


class SharedHeader(NamedTuple):
    """The client of another Corps has no more unanswered than the share with this number."""

    serial: int


class WorkingHeader(NamedTuple):
    """The Env of another Corps lives, and has requests that are not answered yet."""

    pause: int  # milliseconds until it says so again, if it still has


@native_function
def request_frame(
    number: int,
    kind: Kind,
    target: ConcAddr,
    method: str,
    sender: tuple[int, int] | None,
    remaining: float | None,
    codec: int,
) -> bytes:
    """Return the frame of a RequestHeader, without making one: that would take 0.4 µs of every request."""
    return pack((REQUEST, number, kind, target.conc, method, sender, remaining, codec, 0))


def border_frame(
    number: int,
    kind: Kind,
    target: ConcAddr,
    method: str,
    sender: tuple[int, int] | None,
    remaining: float | None,
    codec: int,
) -> bytes:
    """Return the same for a worker of another Corps, with what shows that its Name was handed out."""
    capability = target.capability if isinstance(target, ExtAddr) else b""
    flags = _CAPABILITY if capability else 0
    fields = (REQUEST, number, kind, target.conc, method, sender, remaining, codec, flags)
    return pack((*fields, capability) if capability else fields)


def yielding(frame: bytes) -> bytes:
    """Return the frame of a request that gives its place to a newer one; see `Request.yields`."""
    fields = msgpack.unpackb(frame, use_list=False)
    return pack((*fields[:8], fields[8] | _WHEN_FULL, *fields[9:], DROP_OLDEST))


@native_function
def outcome_frame(number: int, status: int, codec: int) -> bytes:
    """Return the frame of an OutcomeHeader; as `request_frame`."""
    return pack((OUTCOME, number, status, codec))


Plain = (
    OutcomeHeader
    | CancelHeader
    | ProbeHeader
    | CreditHeader
    | DefineHeader
    | MarkHeader
    | ShareHeader
    | SharedHeader
    | WorkingHeader
)
Header = Hello | RequestHeader | Plain

_KINDS: Final[Mapping[type[Plain], int]] = {
    OutcomeHeader: OUTCOME,
    CancelHeader: CANCEL,
    ProbeHeader: PROBE,
    CreditHeader: CREDIT,
    DefineHeader: DEFINE,
    MarkHeader: MARK,
    ShareHeader: SHARE,
    SharedHeader: SHARED,
    WorkingHeader: WORKING,
}


def frame_of(header: Plain) -> bytes:
    """Return the frame of a header whose fields are all of it."""
    return pack((_KINDS[type(header)], *header))


def read_header(frames: Sequence[Frame]) -> Header:
    """Read the header of a whole message, or raise WireError; VersionMismatch at a HELLO of another."""
    header: Header = read(frames, READERS)
    return header


def _hello(magic: str, version: int, corps: str, env: int, incarnation: str, *visitor: str) -> Hello:
    check_numbers("a HELLO", version)
    _check_version(magic, version)
    check_env("a HELLO", env)
    if visitor and (len(visitor) != 3 or not visitor[0]):
        raise WireError("the HELLO of a visitor does not say where it listens")
    return Hello(corps, env, incarnation, *visitor)


def _check_version(magic: object = None, version: object = None, /) -> None:
    """Check what every version of the protocol says first in a HELLO."""
    if magic != _MAGIC:
        raise WireError(f"the peer speaks {magic!r:.40}, this is {_MAGIC!r}")
    if type(version) is int and version != VERSION:
        raise VersionMismatch(f"the peer speaks version {version} of the protocol, this is version {VERSION}")


def _request(
    number: int,
    kind: int,
    conc: int,
    method: str,
    sender: Any,
    remaining: float | None,
    codec: int,
    flags: int,
    *present: bytes | str,
) -> RequestHeader:
    known = REQUEST_KINDS.get(kind)
    if known is None:
        raise WireError(f"requests of kind {kind} do not come over a link")
    if not (0 <= number <= MAX_NUMBER and 0 <= conc <= MAX_NUMBER and 0 <= codec <= MAX_CODEC):
        raise WireError(f"a request holds a number out of range: {number}, {conc}, {codec}")
    if len(method) * 4 > MAX_METHOD and len(method.encode()) > MAX_METHOD:
        raise WireError(f"a request names a method of {len(method)} characters")
    if sender is not None:
        if len(sender) != 2 or type(sender[0]) is not int or type(sender[1]) is not int:
            raise WireError("the sender of a request is not two numbers")
        if not (FRONT <= sender[0] <= MAX_NUMBER and 0 <= sender[1] <= MAX_NUMBER):
            raise WireError(f"the sender of a request has a number out of range: {sender[0]}, {sender[1]}")
    if remaining is not None and not 0 <= remaining <= MAX_REMAINING:  # NaN is neither
        raise WireError(f"a request has {remaining} s left: outside of 0 to {MAX_REMAINING}")
    optional = _optional(flags, present) if flags or present else None
    # The constructor of a NamedTuple is Python: 0.27 µs against 0.13 µs for what it calls.
    return tuple.__new__(RequestHeader, (number, known, conc, method, sender, remaining, codec, optional))


def _optional(flags: int, present: tuple[bytes | str, ...]) -> dict[str, bytes | str]:
    """Read the optional fields of a request."""
    if flags == _CAPABILITY and len(present) == 1:  # mostly: 0.2 µs, not 1.6
        (shown,) = present
        if type(shown) is bytes and len(shown) == CAPABILITY_SIZE:
            return {"capability": shown}
    if not 0 <= flags < 2 * FLAGS[-1]:
        raise WireError(f"a request has flags that are unknown here: {flags}")
    names = [name for name, flag in zip(OPTIONAL_FIELDS, FLAGS, strict=True) if flags & flag]
    if len(names) != len(present):
        raise WireError(f"a request with the flags {flags} has {len(present)} optional fields")
    optional = dict(zip(names, present, strict=True))
    for name, value in optional.items():
        types, least, most = OPTIONAL_FIELDS[name]
        if type(value) not in types or not least <= _size(value) <= most:
            raise WireError(f"the field {name} of a request is not {least} to {most} bytes of its type")
    return optional


def _size(value: bytes | str) -> int:
    return len(value.encode() if isinstance(value, str) else value)


def _outcome(number: int, status: int, codec: int) -> OutcomeHeader:
    if status not in STATUSES or not (0 < number <= MAX_NUMBER and 0 <= codec <= MAX_CODEC):
        raise WireError(f"an outcome holds a number out of range: {number}, {status}, {codec}")
    return tuple.__new__(OutcomeHeader, (number, status, codec))


def _cancel(number: int, only_if_waiting: int) -> CancelHeader:
    check_numbers("a CANCEL", number)
    if only_if_waiting not in (0, 1):
        raise WireError(f"the condition of a CANCEL is {only_if_waiting}")
    return CancelHeader(number, only_if_waiting)


def _probe(number: int, env: int, conc: int, serial: int, edge: int, path: tuple[Any, ...]) -> ProbeHeader:
    check_env("a PROBE", env)
    check_numbers("a PROBE", number, conc, serial, edge)
    if not all(type(part) is str for part in path):
        raise WireError("the path of a probe is not made of texts")
    return ProbeHeader(number, env, conc, serial, edge, path)


def _credit(requests: int, size: int) -> CreditHeader:
    check_numbers("a CREDIT", requests, size)
    return CreditHeader(requests, size)


def _mark(number: int, conc: int | None) -> MarkHeader:
    check_numbers("a MARK", number, conc or 0)
    return MarkHeader(number, conc)


def _share(serial: int, requests: int, size: int) -> ShareHeader:
    check_numbers("a SHARE", serial, requests, size)
    if not (serial and requests and size):
        raise WireError(f"a SHARE holds a 0: {serial}, {requests}, {size}")
    return ShareHeader(serial, requests, size)


def _shared(serial: int) -> SharedHeader:
    check_numbers("a SHARED", serial)
    return SharedHeader(serial)


def _working(pause: int) -> WorkingHeader:
    if not 0 < pause <= MAX_PAUSE:
        raise WireError(f"a WORKING names a pause outside of 1 to {MAX_PAUSE} ms: {pause}")
    return WorkingHeader(pause)


def _define(number: int, codec: int) -> DefineHeader:
    if not (0 < number <= MAX_DEFINITIONS and 0 <= codec <= MAX_CODEC):
        raise WireError(f"a definition holds a number out of range: {number}, {codec}")
    return DefineHeader(number, codec)


OPTIONAL_FIELDS: Final[Mapping[str, tuple[frozenset[type], int, int]]] = {
    "trace": (_BYTES, TRACE_SIZE, TRACE_SIZE),
    "target_corps": (_TEXT, 1, MAX_CORPS_ID),
    "sender_corps": (_TEXT, 1, MAX_CORPS_ID),
    "identity": (_BYTES, 1, MAX_IDENTITY),
    "capability": (_BYTES, CAPABILITY_SIZE, CAPABILITY_SIZE),
    "when_full": (_TEXT, 1, MAX_WHEN_FULL),
}
"""What each optional field of a request may be: its types, and the fewest and most bytes of it."""
FLAGS: Final = tuple(1 << at for at in range(len(OPTIONAL_FIELDS)))
"""The flags of the optional fields, in their order."""
_CAPABILITY: Final = FLAGS[4]
_WHEN_FULL: Final = FLAGS[5]

READERS: Final[Mapping[int, Reader]] = {
    HELLO: reader((_TEXT, _INT, _TEXT, _INT, _TEXT), 1, 1, _hello, (_TEXT, _TEXT, _TEXT)),
    REQUEST: reader(
        (_INT, _INT, _INT, _TEXT, _OPTIONAL_ARRAY, _OPTIONAL_NUMBER, _INT, _INT),
        2,
        MAX_FRAMES,
        _request,
        [types for types, _, _ in OPTIONAL_FIELDS.values()],
    ),
    OUTCOME: reader((_INT, _INT, _INT), 2, MAX_FRAMES, _outcome),
    CANCEL: reader((_INT, _INT), 1, 1, _cancel),
    PROBE: reader((_INT, _INT, _INT, _INT, _INT, _ARRAY), 1, 1, _probe),
    CREDIT: reader((_INT, _INT), 1, 1, _credit),
    DEFINE: reader((_INT, _INT), 2, 2, _define),
    MARK: reader((_INT, _OPTIONAL_INT), 1, 1, _mark),
    SHARE: reader((_INT, _INT, _INT), 1, 1, _share),
    SHARED: reader((_INT,), 1, 1, _shared),
    WORKING: reader((_INT,), 1, 1, _working),
}
"""How `read` reads each kind, for who reads a message so often that `read_header` would cost 0.1 µs."""
