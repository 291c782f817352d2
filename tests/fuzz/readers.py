"""All that reads bytes of strangers, each as a function that takes any bytes.

A reader refuses bytes by the errors that its docstring names. Any other one is a defect.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import msgpack

from corps import core
from corps.addresses import BORDER, ConcAddr
from corps.endpoints import read_endpoint
from corps.errors import ConfigError, Damaged, KeyRingError, NewerFormat, UnpackError, WireError
from corps.federation.records import ConnectionRecord
from corps.launchers.remote.words import Alive, Decoder, Encoder, Ended, Here, Message, Said
from corps.messages.crossing_errors import CrossingError, arrived
from corps.messages.requests import Kind
from corps.packing.data import decode_data, encode_data
from corps.packing.declared import declare
from corps.packing.packer import Packed, Packer
from corps.security.key_ring import AllowedKey, KeyRing, new_own_key
from corps.security.keys import new_key_pair
from corps.wire.frames import (
    CancelHeader,
    CreditHeader,
    DefineHeader,
    Hello,
    OutcomeHeader,
    RequestHeader,
    frame_of,
    read_header,
    request_frame,
)
from corps.wire.link_frames import ArrivedHeader, AskHeader, MissedHeader, OpenHeader, read_link_header
from corps.wire.link_frames import frame_of as link_frame_of
from corps.wire.stream import Cutter, head
from tests.unit.federation.test_records import RECORD
from tests.unit.peers.test_foreign import RIGHT, Border, request_of

WORDS: tuple[Message, ...] = (
    Here(1, "3.11.7", "0.1.0", {"pyzmq": "27.3.0"}, "node", "10.77.0.11"),
    Alive(7, [[1, [3, 4], False]]),
    Ended(1, None, 9, "", False, "the last line\n"),
    Said(1, b"joined"),
)
FEW = 1000  # messages after which a border is made anew, so that it holds no more


class Target(NamedTuple):
    """One reader.

    Attributes:
        name: What it is called on the command line.
        read: Takes any bytes. What it raises is a defect.
        seeds: Bytes that it takes, from which others are made.
    """

    name: str
    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


PLAIN: tuple[object, ...] = (
    ((1, 2.5, "abc", b"x", None, True), {}),
    ([1, [2, {"a": (1, 2, 3, 4)}]], {"k": [3]}),
    [[], []],
    {"a": -5, "b": 2**40},
)
PICKLES = tuple(pickle.dumps(value, 5) for value in PLAIN)
STRICT = Packer(allow=lambda module, name: False)
BYTEARRAY8 = b"\x96"  # which CPython's own reader complains about on stderr, if there is not as much


def read_pickle(data: bytes) -> object:
    """Read a pickle that may name nothing."""
    return None if BYTEARRAY8 in data else STRICT.unpack(Packed(1, data, ()))


class Canary:
    """Sings when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return sing, ("a stranger's bytes were unpickled",)


def sing(text: str) -> None:
    """End the process: nothing that reads catches this."""
    raise SystemExit(text)


def refusing(read: Callable[[bytes], object], *errors: type[Exception]) -> Callable[[bytes], object]:
    """Return a reader that is silent where the given errors say what is wrong with the bytes."""

    def quietly(data: bytes) -> object:
        try:
            return read(data)
        except errors:
            return None

    return quietly


def frames_in(data: bytes) -> list[bytes]:
    """Return the frames that a MessagePack array of bytes holds; what is no such array is one frame."""
    try:
        found = msgpack.unpackb(data)
    except Exception:
        return [data]
    if type(found) is list and found and all(type(each) is bytes for each in found):
        return found
    return [data]


# The border of one Env, whole


class HostileBorder:
    """Messages of an Env of another Corps, taken by all that stands behind a connection."""

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self._border = Border()
        self._member = self._border.visit()
        self._left = FEW

    def take(self, data: bytes) -> None:
        """Take one message.

        Raises:
            AssertionError: It led to an error that is none of the protocol.
        """
        if self._left == 0:
            self._renew()
        self._left -= 1
        assert self._member is not None
        self._border.receive(self._member, *frames_in(data))
        audit = self._border.side.peers.audit
        if audit.counts["defect"]:
            self._renew()
            raise AssertionError("a message led to an error that the audit calls a defect")


def seeds_of_border() -> tuple[bytes, ...]:
    """Return messages that an Env of another Corps may send, with canaries where objects are."""
    canary = pickle.dumps(((Canary(),), {}))
    requests = [
        request_of(capability=RIGHT),
        (request_of(capability=None)[0], canary),
        (request_of(capability=bytes(len(RIGHT)))[0], canary),
        (request_of(conc=BORDER)[0], encode_data([])),
        (request_of(number=0, capability=RIGHT)[0], canary),
    ]
    others = [
        (frame_of(OutcomeHeader(5, 0, 1)), encode_data("an answer")),
        (frame_of(CancelHeader(5)),),
        (frame_of(CreditHeader(1, 10)),),
        (frame_of(DefineHeader(1, 1)), canary),
        (Hello("visitor's", 2, "v" * 32, "line://visitor").header(),),
    ]
    return tuple(msgpack.packb(list(frames)) for frames in (*requests, *others))


# What lies below it, and what is no message


@dataclass
class Order:
    """What a public method takes."""

    item: str
    number: int
    prices: dict[str, float]
    next: "Order | None" = None


class Shop:
    """A class whose methods are declared public."""

    def order(self, orders: list[Order], *notes: str, when: int | None = None) -> tuple[Order, ...]:
        """Take orders."""
        return tuple(orders)


ORDER = declare(Shop.order)
ARGUMENTS = ORDER.pack_arguments([[Order("pen", 2, {"eur": 1.5}, Order("ink", 1, {}))], "soon"], {"when": 5})
RESULT = ORDER.pack_result((Order("pen", 2, {"eur": 1.5}),))


def read_usual_header(data: bytes) -> None:
    """Read a header natively, where that can be, and by the Python code.

    Raises:
        AssertionError: The native reader took what the Python code refuses, or reads otherwise.
    """
    if core.name == "pure":
        return  # nothing is read natively
    from corps._core import engine

    fields = engine.read_usual(data)
    if fields is None:
        return  # it is left to the Python code
    read = read_header([data, b""])
    known = (*read[:5], read.codec) if isinstance(read, RequestHeader) else tuple(read)
    assert fields == known, (fields, known)


USUAL = request_frame(5, Kind.CALL, ConcAddr("c", 1, 70_000), "method", (2, 5), None, 1)


def cut_stream(data: bytes) -> None:
    """Cut a stream of a connection: its first byte says after how many bytes it is trusted."""
    cutter = Cutter(1024, 1024 * 1024)
    at = data[0] if data else 0
    cutter.cut(data[:at])
    cutter.trust()
    if cutter.room is None:
        cutter.cut(data[at:])


def read_key_ring(data: bytes) -> None:
    """Read both files of a key ring."""
    KeyRing.from_json(data, None)
    KeyRing.from_json(None, data)


def read_text(data: bytes) -> None:
    """Read an address."""
    read_endpoint(data.decode("utf-8", "surrogateescape"))


def read_crossing_error(data: bytes) -> None:
    """Read the error of another owner, and make what its caller sees."""
    arrived(CrossingError.from_plain(decode_data(data)), "a worker")


def ring_texts() -> tuple[bytes, bytes]:
    """Return the two files of a key ring."""
    ring = KeyRing().with_own(new_own_key("mine", new_key_pair(), 1.0))
    ring = ring.with_allowed(AllowedKey("bob", new_key_pair().public, 1.0, 2.0))
    return ring.own_as_json().encode(), ring.others_as_json().encode()


def stream_seeds() -> tuple[bytes, ...]:
    """Return streams of two messages, with the byte that says where trust begins."""
    hello = [Hello("visitor's", 2, "v" * 32, "unix:/visitor").header()]
    request = list(request_of(capability=RIGHT))
    first = head(hello) + b"".join(hello)
    return (bytes([len(first)]) + first + head(request) + b"".join(request),)


def targets() -> tuple[Target, ...]:
    """Return all readers."""
    headers = (
        frame_of(OutcomeHeader(5, 0, 1)),
        frame_of(CancelHeader(5)),
        frame_of(CreditHeader(1, 10)),
        frame_of(DefineHeader(1, 1)),
    )
    link_headers = (
        link_frame_of(OpenHeader(1)),
        link_frame_of(AskHeader(1, 1)),
        link_frame_of(ArrivedHeader(1, 1)),
        link_frame_of(MissedHeader(1, 1, 1)),
    )
    bodies = (ARGUMENTS, RESULT, encode_data({"a": [1, 2.5, None, b"x", "y"], (1, 2): {3}, "big": 2**80}))
    error = encode_data([True, "ValueError", "wrong", "yes", None])
    return (
        Target("border", HostileBorder().take, seeds_of_border()),
        Target(
            "header",
            refusing(lambda data: read_header([data, b""]), WireError),
            (request_of()[0], *headers, Hello("c", 1, "v" * 32).header()),
        ),
        Target("usual header", read_usual_header, (USUAL, *headers[:1])),
        Target(
            "link",
            refusing(lambda data: read_link_header([data]), WireError),
            link_headers,
        ),
        Target(
            "hosts",
            refusing(lambda data: list(Decoder(has_magic=False).feed(data)), WireError),
            tuple(Encoder().frame(each) for each in WORDS),
        ),
        Target("stream", refusing(cut_stream, WireError), stream_seeds()),
        Target("pickle", refusing(read_pickle, UnpackError), PICKLES),
        Target("data", refusing(decode_data, UnpackError), bodies),
        Target("arguments", refusing(ORDER.unpack_arguments, UnpackError), (ARGUMENTS,)),
        Target("result", refusing(ORDER.unpack_result, UnpackError), (RESULT,)),
        Target("error", refusing(read_crossing_error, UnpackError), (error,)),
        Target(
            "record",
            refusing(ConnectionRecord.from_json, Damaged, NewerFormat),
            (RECORD.to_json().encode(),),
        ),
        Target("keys", refusing(read_key_ring, Damaged, NewerFormat, KeyRingError), ring_texts()),
        Target(
            "address",
            refusing(read_text, ConfigError),
            (b"tcp://[fe80::1%eth0]:7000", b"tcp://host:7000", b"unix:/run/corps/1.sock"),
        ),
    )
