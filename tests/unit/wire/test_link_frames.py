"""Claims about what the ends of a link say about it: what is written is read, and nothing else is let in."""

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corps.errors import WireError
from corps.wire.frames import MAX_NUMBER, Frame, Header, Hello, read_header
from corps.wire.link_frames import (
    ARRIVED,
    ASK,
    CHUNK,
    MISSED,
    OPEN,
    PREFIX,
    ArrivedHeader,
    AskHeader,
    ChunkHeader,
    DroppedHeader,
    LinkHeader,
    MissedHeader,
    OpenHeader,
    StreamHeader,
    TakenHeader,
    is_chunk,
    is_hello,
    is_of_stream,
    read_link_header,
)
from tests.unit.wire.test_frames import headers, values
from tests.unit.wire.writing import written

numbers = st.integers(0, MAX_NUMBER)

link_headers: st.SearchStrategy[LinkHeader] = st.one_of(
    st.builds(OpenHeader, numbers),
    st.builds(ChunkHeader, numbers, numbers),
    st.builds(TakenHeader, numbers),
    st.builds(DroppedHeader, numbers),
    st.builds(AskHeader, numbers, numbers),
    st.builds(ArrivedHeader, numbers, numbers),
    st.builds(MissedHeader, numbers, numbers, numbers),
)


def whole(header: LinkHeader) -> list[Frame]:
    return [written(header), b"bytes"] if isinstance(header, OpenHeader | ChunkHeader) else [written(header)]


def packed(*fields: object) -> bytes:
    data: bytes = msgpack.packb(list(fields))
    return data


@given(link_headers)
@settings(deadline=None)
def test_every_header_is_read_as_it_was_written(header: LinkHeader) -> None:
    assert read_link_header(whole(header)) == header


@given(link_headers | headers)
@settings(deadline=None)
def test_a_glance_tells_what_a_header_is(header: LinkHeader | Header) -> None:
    packed_header = written(header)
    for frame in (packed_header, memoryview(bytearray(packed_header))):
        assert is_of_stream(frame) == isinstance(header, StreamHeader)
        assert is_hello(frame) == isinstance(header, Hello)
    assert is_chunk(PREFIX.pack(1, 1) + packed_header) == isinstance(header, ChunkHeader)


@given(link_headers)
@settings(deadline=None)
def test_a_peer_never_sees_what_is_about_the_link(header: LinkHeader) -> None:
    with pytest.raises(WireError, match="unknown here"):
        read_header(whole(header))


@given(headers)
@settings(deadline=None)
def test_what_is_for_a_peer_is_not_about_the_link(header: Header) -> None:
    with pytest.raises(WireError, match="unknown here"):
        read_link_header([written(header)])


@given(st.integers(-1, 16), st.lists(values, max_size=5), st.integers(0, 2))
@settings(deadline=None, max_examples=300)
def test_any_fields_are_a_header_or_a_wire_error(kind: int, fields: list[object], bodies: int) -> None:
    try:
        header = read_link_header([packed(kind, *fields), *[b""] * bodies])
    except WireError:
        return
    assert read_link_header(whole(header)) == header


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b""],
        [packed(OPEN, 1)],
        [packed(OPEN, -1), b""],
        [packed(CHUNK, 1, 1)],
        [packed(CHUNK, 1, 1), b"", b""],
        [packed(ASK, 1, -1)],
        [packed(ASK, 1, 1.0)],
        [packed(ARRIVED, 1, True)],
        [packed(MISSED, 1, 1, MAX_NUMBER + 1)],
        [packed(MISSED, 1, 1)],
    ],
)
def test_messages_out_of_range_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(WireError):
        read_link_header(frames)
