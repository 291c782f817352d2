"""Claims about the frames: what is written is read, and nothing else is let in."""

import math

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corps.errors import VersionMismatch, WireError
from corps.messages.requests import CALL, CREATE
from corps.wire.frames import (
    CREDIT,
    DEFINE,
    HELLO,
    MAX_CODEC,
    MAX_DEFINITIONS,
    MAX_FRAMES,
    MAX_HEADER,
    MAX_METHOD,
    MAX_NUMBER,
    MAX_REMAINING,
    OUTCOME,
    PROBE,
    REQUEST,
    REQUEST_KINDS,
    STATUSES,
    VERSION,
    CancelHeader,
    CreditHeader,
    DefineHeader,
    Header,
    Hello,
    OutcomeHeader,
    ProbeHeader,
    RequestHeader,
    read_header,
)

numbers = st.integers(0, MAX_NUMBER)
codecs = st.integers(0, MAX_CODEC)
texts = st.text(max_size=50)

headers: st.SearchStrategy[Header] = st.one_of(
    st.builds(Hello, texts, numbers, texts),
    st.builds(
        RequestHeader,
        numbers,
        st.sampled_from(sorted(REQUEST_KINDS)),
        numbers,
        texts,
        st.none() | st.tuples(numbers, numbers),
        st.none() | st.floats(0, MAX_REMAINING) | st.integers(0, int(MAX_REMAINING)),
        codecs,
    ),
    st.builds(OutcomeHeader, st.integers(1, MAX_NUMBER), st.sampled_from(sorted(STATUSES)), codecs),
    st.builds(CancelHeader, numbers, st.sampled_from([0, 1])),
    st.builds(ProbeHeader, numbers, numbers, numbers, numbers, numbers, st.lists(texts).map(tuple)),
    st.builds(CreditHeader, numbers, numbers),
    st.builds(DefineHeader, st.integers(1, MAX_DEFINITIONS), codecs),
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | texts
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


def with_body(header: Header) -> list[bytes]:
    has_body = isinstance(header, RequestHeader | OutcomeHeader | DefineHeader)
    return [header.header(), b"body"] if has_body else [header.header()]


def packed(*fields: object) -> bytes:
    data: bytes = msgpack.packb(list(fields))
    return data


def request(**changes: object) -> list[bytes]:
    fields = {
        "number": 1,
        "kind": CALL,
        "conc": 1,
        "method": "m",
        "sender": None,
        "remaining": None,
        "codec": 1,
    }
    return [packed(REQUEST, *(fields | changes).values()), b"body"]


@given(headers)
@settings(deadline=None)
def test_every_header_is_read_as_it_was_written(header: Header) -> None:
    assert read_header(with_body(header)) == header


@given(st.lists(st.binary(max_size=60), max_size=4))
@settings(deadline=None)
def test_any_bytes_are_a_header_or_a_wire_error(frames: list[bytes]) -> None:
    try:
        read_header(frames)
    except WireError:
        pass


@given(st.integers(-1, 12), st.lists(values, max_size=8), st.integers(0, 2))
@settings(deadline=None, max_examples=300)
def test_any_fields_are_a_header_or_a_wire_error(kind: int, fields: list[object], bodies: int) -> None:
    try:
        header = read_header([packed(kind, *fields), *[b""] * bodies])
    except WireError:
        return
    assert read_header(with_body(header)) == header


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",  # never used by msgpack
        b"\x91" * 60_000 + b"\x01",  # nested more deeply than the stack
        b"\xdd\xff\xff\xff\xff",  # an array of 4 billion elements
        b"\xdf\xff\xff\xff\xff",  # a map of as many
        b"\xdb\xff\xff\xff\xff",  # a text of as many bytes
        b"\x91\xa1\xff",  # no UTF-8
        b"\x91\xd6\xff\xff\xff\xff\xff",  # a timestamp
        b"\x91\x01\x01",  # more than one value
        b"\x81\x90\x01",  # an unhashable key
        b"\x90",
        b"\x01",
        b"\x91\xc3",  # True is not kind 1
        b"\x91\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00",  # nor is 1.0
    ],
)
def test_hostile_msgpack_is_a_wire_error(data: bytes) -> None:
    with pytest.raises(WireError):
        read_header([data])


def test_a_create_never_comes_over_a_wire() -> None:
    with pytest.raises(WireError):
        read_header(request(kind=CREATE))


@pytest.mark.parametrize(
    "changes",
    [
        {"number": -1},
        {"number": MAX_NUMBER + 1},
        {"number": 1.0},
        {"number": True},
        {"number": None},
        {"kind": 0},
        {"kind": 8},
        {"conc": -1},
        {"method": b"m"},
        {"method": "m" * (MAX_METHOD + 1)},
        {"sender": []},
        {"sender": [1, -1]},
        {"sender": [1, 2, 3]},
        {"sender": [1, "2"]},
        {"sender": [True, 2]},
        {"remaining": math.nan},
        {"remaining": math.inf},
        {"remaining": -0.1},
        {"remaining": 2 * MAX_REMAINING},
        {"remaining": "1"},
        {"codec": MAX_CODEC + 1},
        {"codec": -1},
    ],
)
def test_a_request_with_a_value_out_of_range_is_refused(changes: dict[str, object]) -> None:
    read_header(request())
    with pytest.raises(WireError):
        read_header(request(**changes))


@pytest.mark.parametrize(
    "frames",
    [
        [packed(OUTCOME, 0, 0, 1), b""],  # 0 asks for no answer
        [packed(OUTCOME, 1, 4, 1), b""],
        [packed(OUTCOME, 1, 0, 1)],
        [packed(CREDIT, -1, 0)],
        [packed(CREDIT, 1, -1)],
        [packed(CREDIT, 1, 1), b"body"],
        [packed(DEFINE, 0, 1), b""],
        [packed(DEFINE, MAX_DEFINITIONS + 1, 1), b""],
        [packed(DEFINE, 1, MAX_CODEC + 1), b""],
        [packed(DEFINE, 1, 1)],
        [packed(DEFINE, 1, 1), b"", b""],
        [packed(PROBE, 1, 1, 1, 1, -1, [])],
        [packed(PROBE, 1, 1, 1, 1, 1, [1])],
        [packed(99)],
        [],
        [bytes(MAX_HEADER + 1)],
        [packed(REQUEST, 1, CALL, 1, "m", None, None, 1), *[b""] * MAX_FRAMES],
    ],
)
def test_other_messages_out_of_range_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(WireError):
        read_header(frames)


def test_a_hello_of_another_version_says_so() -> None:
    with pytest.raises(VersionMismatch, match=f"version {VERSION + 1}.* version {VERSION}"):
        read_header([packed(HELLO, "corps", VERSION + 1, "c", 1, "i")])
    with pytest.raises(WireError):
        read_header([packed(HELLO, "other", VERSION, "c", 1, "i")])


def test_the_longest_request_fits_into_a_header() -> None:
    method = "m" * MAX_METHOD
    header = RequestHeader(MAX_NUMBER, CALL, MAX_NUMBER, method, (MAX_NUMBER, MAX_NUMBER), 1e9, MAX_CODEC)
    assert read_header(with_body(header)) == header
