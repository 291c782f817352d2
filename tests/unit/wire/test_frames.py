"""Claims about the frames: what is written is read, and nothing else is let in."""

import math

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corps.addresses import BORDER, ConcAddr
from corps.errors import VersionMismatch, WireError
from corps.messages.contacts import Contact, ExtAddr
from corps.messages.members import Member
from corps.messages.requests import CALL, CREATE, Kind
from corps.security.capabilities import CAPABILITY_SIZE
from corps.wire.frames import (
    CREDIT,
    DEFINE,
    DROP_OLDEST,
    FLAGS,
    HELLO,
    MARK,
    MAX_CODEC,
    MAX_CORPS_ID,
    MAX_DEFINITIONS,
    MAX_FRAMES,
    MAX_HEADER,
    MAX_IDENTITY,
    MAX_METHOD,
    MAX_NUMBER,
    MAX_REMAINING,
    OPTIONAL_FIELDS,
    OUTCOME,
    PROBE,
    REQUEST,
    REQUEST_KINDS,
    STATUSES,
    TRACE_SIZE,
    VERSION,
    CancelHeader,
    CreditHeader,
    DefineHeader,
    Header,
    Hello,
    MarkHeader,
    OutcomeHeader,
    ProbeHeader,
    RequestHeader,
    border_frame,
    read_header,
    request_frame,
    yielding,
)
from tests.unit.wire.writing import written

numbers = st.integers(0, MAX_NUMBER)
codecs = st.integers(0, MAX_CODEC)
texts = st.text(max_size=50)

corps_ids = st.text(min_size=1, max_size=MAX_CORPS_ID // 4)
optional_fields = st.fixed_dictionaries(
    {},
    optional={
        "trace": st.binary(min_size=TRACE_SIZE, max_size=TRACE_SIZE),
        "target_corps": corps_ids,
        "sender_corps": corps_ids,
        "identity": st.binary(min_size=1, max_size=MAX_IDENTITY),
        "capability": st.binary(min_size=CAPABILITY_SIZE, max_size=CAPABILITY_SIZE),
    },
).map(lambda fields: fields or None)

headers: st.SearchStrategy[Header] = st.one_of(
    st.builds(Hello, texts, numbers, texts, st.just(""), st.just(""), st.just("")),
    st.builds(Hello, texts, numbers, texts, texts.filter(bool), texts, texts),
    st.builds(
        RequestHeader,
        numbers,
        st.sampled_from(sorted(REQUEST_KINDS)),
        numbers,
        texts,
        st.none() | st.tuples(numbers, numbers),
        st.none() | st.floats(0, MAX_REMAINING) | st.integers(0, int(MAX_REMAINING)),
        codecs,
        optional_fields,
    ),
    st.builds(OutcomeHeader, st.integers(1, MAX_NUMBER), st.sampled_from(sorted(STATUSES)), codecs),
    st.builds(CancelHeader, numbers, st.sampled_from([0, 1])),
    st.builds(ProbeHeader, numbers, numbers, numbers, numbers, numbers, st.lists(texts).map(tuple)),
    st.builds(CreditHeader, numbers, numbers),
    st.builds(DefineHeader, st.integers(1, MAX_DEFINITIONS), codecs),
    st.builds(MarkHeader, numbers, st.none() | numbers),
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
    return [written(header), b"body"] if has_body else [written(header)]


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
        "flags": 0,
    }
    return [packed(REQUEST, *(fields | changes).values()), b"body"]


@given(headers)
@settings(deadline=None)
def test_every_header_is_read_as_it_was_written(header: Header) -> None:
    assert read_header(with_body(header)) == header


@pytest.mark.parametrize("kind", REQUEST_KINDS.values())
def test_the_kind_of_a_request_is_the_member_itself(kind: Kind) -> None:
    """Kinds are compared by identity."""
    header = read_header(request(kind=kind))
    assert isinstance(header, RequestHeader)
    assert header.kind is kind


@given(st.lists(st.binary(max_size=60), max_size=4))
@settings(deadline=None)
def test_any_bytes_are_a_header_or_a_wire_error(frames: list[bytes]) -> None:
    try:
        read_header(frames)
    except WireError:
        pass


@given(st.integers(-1, 16), st.lists(values, max_size=8), st.integers(0, 2))
@settings(deadline=None, max_examples=300)
def test_any_fields_are_a_header_or_a_wire_error(kind: int, fields: list[object], bodies: int) -> None:
    try:
        header = read_header([packed(kind, *fields), *[b""] * bodies])
    except WireError:
        return
    assert read_header(with_body(header)) == header


@given(
    st.integers(0, 40),
    st.lists(
        st.binary(min_size=24, max_size=26) | texts | st.binary(max_size=MAX_IDENTITY + 1) | values,
        max_size=5,
    ),
)
@settings(deadline=None, max_examples=500)
def test_any_optional_fields_are_those_of_their_flags_or_a_wire_error(
    flags: int, present: list[object]
) -> None:
    frames = request(flags=flags)
    fields = msgpack.unpackb(frames[0])
    try:
        header = read_header([packed(*fields, *present), b"body"])
    except WireError:
        return
    assert isinstance(header, RequestHeader)
    optional = header.optional or {}
    assert list(optional.values()) == present
    assert read_header(with_body(header)) == header
    assert flags == sum(flag for flag, name in zip(FLAGS, OPTIONAL_FIELDS, strict=True) if name in optional)


@pytest.mark.parametrize("flags", [-1, sum(FLAGS) + 1, 2 * FLAGS[-1], 255, 2**40, MAX_NUMBER, True, None])
def test_unknown_flags_are_a_wire_error(flags: object) -> None:
    with pytest.raises(WireError):
        read_header(request(flags=flags))


@pytest.mark.parametrize(
    ("flags", "present"),
    [
        (0, [bytes(25)]),
        (1, []),
        (1, [bytes(24)]),
        (1, [bytes(26)]),
        (1, ["x" * 25]),
        (1, [bytes(25), "c"]),
        (2, [""]),
        (2, ["c" * (MAX_CORPS_ID + 1)]),
        (2, ["\U00010000" * (MAX_CORPS_ID // 4) + "c"]),
        (2, [b"c"]),
        (3, ["c", bytes(25)]),
        (4, [None]),
        (8, [b""]),
        (8, [bytes(MAX_IDENTITY + 1)]),
        (8, ["me"]),
        (16, [bytes(CAPABILITY_SIZE - 1)]),
        (16, [bytes(CAPABILITY_SIZE + 1)]),
        (16, ["c" * CAPABILITY_SIZE]),
        (32, [b"x"]),
    ],
)
def test_optional_fields_that_do_not_fit_their_flags_are_refused(flags: int, present: list[object]) -> None:
    fields = msgpack.unpackb(request(flags=flags)[0])
    with pytest.raises(WireError):
        read_header([packed(*fields, *present), b"body"])


def test_a_request_grows_by_one_byte_for_all_optional_fields_that_it_does_not_have() -> None:
    fields = (1, CALL, 1, "m", (1, 2), None, 1)
    target, rest = ConcAddr("c", 3, 1), fields[3:]
    assert request_frame(1, CALL, target, *rest) == written(RequestHeader(*fields))
    assert len(request_frame(1, CALL, target, *rest)) == len(packed(REQUEST, *fields)) + 1


def test_a_request_to_another_corps_shows_that_the_name_of_its_worker_was_handed_out() -> None:
    member = Member(3, "i", "unix:x", corps="c")
    target = ExtAddr("c", 3, 1, bytes(range(CAPABILITY_SIZE)), Contact(member, member))
    rest = ("m", (1, 2), None, 1)
    header = read_header([border_frame(1, CALL, target, *rest), b"body"])
    assert header == RequestHeader(1, CALL, 1, *rest, {"capability": target.capability})
    without = read_header([border_frame(1, CALL, target.border, *rest), b"body"])
    assert without == RequestHeader(1, CALL, BORDER, *rest)


@pytest.mark.parametrize(
    "more",
    [["unix:/x"], ["a", "b"], ["", "", ""], ["", "key", ""], ["unix:/x", 1, ""], [None] * 3, ["a"] * 4],
)
def test_the_hello_of_a_visitor_says_where_it_listens_or_is_refused(more: list[object]) -> None:
    with pytest.raises(WireError):
        read_header([packed(HELLO, "corps", VERSION, "c", 1, "i", *more)])


def test_the_hello_of_a_member_has_no_more_bytes_than_before() -> None:
    assert Hello("c", 1, "i").header() == packed(HELLO, "corps", VERSION, "c", 1, "i")


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
        [packed(MARK, -1, None)],
        [packed(MARK, 1, -1)],
        [packed(MARK, None, 1)],
        [packed(MARK, 1)],
        [packed(MARK, 1, 1), b"body"],
        [packed(PROBE, 1, 1, 1, 1, -1, [])],
        [packed(PROBE, 1, 1, 1, 1, 1, [1])],
        [packed(99)],
        [],
        [bytes(MAX_HEADER + 1)],
        [packed(REQUEST, 1, CALL, 1, "m", None, None, 1, 0), *[b""] * MAX_FRAMES],
    ],
)
def test_other_messages_out_of_range_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(WireError):
        read_header(frames)


@pytest.mark.parametrize("version", [3, VERSION - 1, VERSION + 1])
@pytest.mark.parametrize("rest", [["c", 1, "i"], ["c", "1", b"i"], ["c", 1, "i", "more"], []])
def test_a_hello_of_another_version_says_so_whatever_else_it_has(version: int, rest: list[object]) -> None:
    with pytest.raises(VersionMismatch, match=f"version {version} .* version {VERSION}$"):
        read_header([packed(HELLO, "corps", version, *rest)])


@pytest.mark.parametrize(
    "fields", [["other", VERSION, "c", 1, "i"], ["other", 3], ["corps", "3"], ["corps", True], ["corps"], []]
)
def test_a_hello_of_another_protocol_is_none_of_another_version(fields: list[object]) -> None:
    with pytest.raises(WireError) as caught:
        read_header([packed(HELLO, *fields)])
    assert type(caught.value) is WireError


def test_the_longest_request_fits_into_a_header() -> None:
    method = "m" * MAX_METHOD
    header = RequestHeader(MAX_NUMBER, CALL, MAX_NUMBER, method, (MAX_NUMBER, MAX_NUMBER), 1e9, MAX_CODEC)
    assert read_header(with_body(header)) == header


@pytest.mark.parametrize("present", [{}, {"capability": bytes(16)}])
def test_a_request_says_that_it_yields(present: dict[str, bytes]) -> None:
    header = RequestHeader(7, CALL, 3, "method", (1, 2), 0.5, 1, present or None)
    (frame, *_) = with_body(header)
    read = read_header([yielding(bytes(frame)), b"body"])
    assert read == header._replace(optional={**present, "when_full": DROP_OLDEST})
