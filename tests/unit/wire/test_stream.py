"""Claims about messages in a stream of bytes: whole, in order, however the stream is cut."""

import resource
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.errors import WireError
from corps.wire.frames import MAX_FRAMES
from corps.wire.stream import OWN_MEMORY, AnyFrame, Cutter, SharedFrame, head
from corps.wire.stream import as_bytes as with_places

messages = st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=12), max_size=8)


def as_bytes(message: list[bytes]) -> bytes:
    return b"".join((head(message), *message))


def read_through(cutter: Cutter, pieces: Sequence[bytes]) -> list[Sequence[AnyFrame]]:
    """What comes out, when so many bytes can be read at a time."""
    out: list[Sequence[AnyFrame]] = []
    for piece in pieces:
        rest = piece
        while rest:
            room = cutter.room
            if room is None:
                is_first = not out
                out += cutter.cut(rest)
                if is_first and out:
                    out += cutter.trust()
                break
            size = min(len(room), len(rest))
            room[:size] = rest[:size]
            rest = rest[size:]
            message = cutter.filled(size)
            if message is not None:
                out.append(message)
    return out


def received(cutter: Cutter, pieces: Sequence[bytes]) -> list[list[bytes]]:
    """The same, without what lies elsewhere."""
    messages = read_through(cutter, pieces)
    return [[bytes(piece) for piece in message if not isinstance(piece, SharedFrame)] for message in messages]


@given(messages, st.lists(st.integers(0, 5_000)))
def test_messages_come_out_as_they_went_in_wherever_the_stream_is_cut(
    sent: list[list[bytes]], cuts: list[int]
) -> None:
    stream = b"".join(map(as_bytes, sent))
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[begin:end] for begin, end in pairwise(places)]
    assert received(Cutter(2**20, 2**20), pieces) == sent


@pytest.mark.parametrize("cut", [1, 4, 20, 21, 1000, OWN_MEMORY, 3 * OWN_MEMORY])
def test_a_large_message_comes_out_whole(cut: int) -> None:
    large = [b"header", bytes(range(256)) * 1024, b"", b"end"]
    stream = as_bytes([b"first"]) + as_bytes(large) + as_bytes([b"last"])
    pieces = [stream[at : at + cut] for at in range(0, len(stream), cut)]
    assert received(Cutter(100, 2**30), pieces) == [[b"first"], large, [b"last"]]


def test_frames_of_a_large_message_are_views_of_memory_of_its_own() -> None:
    cutter = Cutter(100, 2**30)
    body = bytes(OWN_MEMORY * 2)
    stream = as_bytes([b"first"]) + as_bytes([b"h", body])
    cutter.cut(stream[: OWN_MEMORY + 200])
    cutter.trust()
    room = cutter.room
    assert room is not None
    room[:] = stream[OWN_MEMORY + 200 :]
    frames = cutter.filled(len(room))
    assert frames is not None
    assert isinstance(frames[1], memoryview)
    frames[1][0] = 7
    assert cutter.room is None


def test_the_first_message_may_not_be_long() -> None:
    with pytest.raises(WireError, match="a message of 101 bytes came; 100 are the most"):
        Cutter(100, 2**30).cut(head([bytes(101)]))


def test_a_whole_first_message_may_not_be_long_either() -> None:
    with pytest.raises(WireError, match="a message of 101 bytes came; 100 are the most"):
        Cutter(100, 2**30).cut(as_bytes([bytes(101)]))


def test_nothing_behind_the_first_message_is_looked_at_before_that_was_found_true() -> None:
    """Was a defect: by an empty message and a length anybody made an Env allocate what 25 bytes said."""
    first, second, third = (as_bytes([text]) for text in (b"first", b"second", b"third"))
    cutter = Cutter(100, 2**40)
    assert cutter.cut(as_bytes([]) + (1).to_bytes(4, "little") + (2**39).to_bytes(8, "little")) == [[]]
    assert cutter.room is None
    cutter = Cutter(100, 1000)
    assert cutter.cut(first + second + as_bytes([bytes(1001)])[:12]) == [[b"first"]]
    with pytest.raises(WireError, match="a message of 1001 bytes came; 1000 are the most"):
        cutter.trust()
    cutter = Cutter(100, 1000)
    assert cutter.cut(first + second + third[:12]) == [[b"first"]]
    assert cutter.trust() == [[b"second"]]
    assert cutter.cut(b"third") == [[b"third"]]


def test_a_length_takes_no_memory_before_the_bytes_come() -> None:
    cutter = Cutter(100, 2**40)
    cutter.cut(as_bytes([b"first"]))
    cutter.trust()
    before = resident()
    cutter.cut(head([b""])[:4] + (4 * 2**30).to_bytes(8, "little"))
    assert cutter.room is not None
    assert resident() - before < 64 * 2**20


def resident() -> int:
    """Bytes of memory that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_no_message_may_be_longer_than_the_limit() -> None:
    cutter = Cutter(100, 1000)
    cutter.cut(as_bytes([b"first"]))
    cutter.trust()
    with pytest.raises(WireError, match="a message of 1001 bytes came; 1000 are the most"):
        cutter.cut(head([bytes(1001)]))


def test_a_message_for_which_there_is_no_memory_can_be_cut_later(monkeypatch: pytest.MonkeyPatch) -> None:
    cutter = Cutter(100, 2**62)
    cutter.cut(as_bytes([b"first"]))
    cutter.trust()
    lengths = (1).to_bytes(4, "little") + (2**61).to_bytes(8, "little")
    with pytest.raises(MemoryError, match="no memory"):
        cutter.cut(lengths)
    cutter = Cutter(100, 2**62)
    cutter.cut(as_bytes([b"first"]))
    cutter.trust()
    large = bytes(range(256)) * 1024
    came = as_bytes([b"small"]) + as_bytes([b"h", large])[:1000]

    def none_left(size: int) -> memoryview:
        raise MemoryError

    with monkeypatch.context() as scarce:
        scarce.setattr("corps.wire.stream.new_memory", none_left)
        for _ in range(3):
            with pytest.raises(MemoryError):
                cutter.cut(came)
    assert cutter.cut(came) == [[b"small"]]
    room = cutter.room
    assert room is not None
    room[:] = as_bytes([b"h", large])[1000:]
    assert cutter.filled(len(room)) == [b"h", large]


def test_a_message_of_too_many_frames_is_refused_before_its_lengths_have_come() -> None:
    with pytest.raises(WireError, match="10000 are the most"):
        Cutter(100, 100).cut((MAX_FRAMES + 1).to_bytes(4, "little"))


places = st.builds(SharedFrame, *[st.integers(0, 2**63)] * 4, st.booleans())


@given(st.lists(st.lists(st.binary(max_size=50) | places, min_size=1, max_size=12), max_size=8))
def test_where_a_frame_lies_comes_out_in_its_place(sent: list[list[AnyFrame]]) -> None:
    stream = b"".join(map(with_places, sent))
    assert read_through(Cutter(2**20, 2**20), [stream]) == sent


def test_a_large_message_may_have_places_too() -> None:
    place = SharedFrame(7, 4096, 64, 10, True)
    large: list[AnyFrame] = [b"h", place, bytes(3 * OWN_MEMORY), place, b"end"]
    stream = with_places([b"first"]) + with_places(large) + with_places([b"last"])
    pieces = [stream[at : at + OWN_MEMORY] for at in range(0, len(stream), OWN_MEMORY)]
    out = read_through(Cutter(100, 2**30), pieces)
    assert out == [[b"first"], large, [b"last"]]


def test_a_place_of_a_wrong_length_is_refused() -> None:
    with pytest.raises(WireError, match="3 bytes are said to tell where a frame is; it takes 40"):
        Cutter(100, 100).cut((1).to_bytes(4, "little") + (3 | 1 << 63).to_bytes(8, "little") + b"abc")


@pytest.mark.parametrize("flags", [4, 255, 2**63])
def test_flags_of_a_shared_frame_that_are_unknown_are_refused(flags: int) -> None:
    frames = with_places([b"header", SharedFrame(1, 4096, 0, 10, is_first=True)])
    damaged = frames[:-8] + flags.to_bytes(8, "little")
    cutter = Cutter(1000, 1000)
    with pytest.raises(WireError, match=f"are {flags}"):
        cutter.cut(damaged)
