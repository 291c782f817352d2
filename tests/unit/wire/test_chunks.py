"""Claims about large messages: whole and in lane order, whatever is delivered when, and never too many."""

import itertools
from collections import deque
from collections.abc import Sequence
from struct import Struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.errors import WireError
from corps.wire.chunks import MAX_SIZE, Incoming, Outgoing, Stream, cut
from corps.wire.frames import MAX_FRAMES, Frame
from corps.wire.link_frames import ChunkHeader, OpenHeader, read_link_header
from corps.wire.memory import new_memory

SIZE, WINDOW, RETURN, STREAMS = 7, 20, 10, 3


class Wire:
    """Two ends of a link, and what lies between them until the test delivers it."""

    def __init__(self) -> None:
        self.outgoing = Outgoing(itertools.count(1), window=WINDOW, streams=STREAMS)
        self.incoming = Incoming(returns=RETURN, streams=STREAMS)
        self.line: deque[Sequence[Any]] = deque()
        self.back: deque[int] = deque()
        self.arrived: list[list[bytes]] = []
        self.copying: list[tuple[Stream, list[bytes]]] = []

    def send(self, lane: int | None, message: list[bytes]) -> None:
        """A small one."""
        if lane is not None and self.outgoing.has_to_wait(lane):
            self.outgoing.wait(lane, message)
        else:
            self.line.append(message)

    def begin(self, lane: int | None, message: list[bytes]) -> None:
        """A large one, that is not copied yet."""
        self.copying.append((self.outgoing.reserve(lane), message))

    def copy(self, index: int) -> None:
        if self.copying:
            stream, message = self.copying.pop(index % len(self.copying))
            lengths = [len(frame) for frame in message]
            self.outgoing.start(stream, lengths, [bytes(piece) for piece in cut(message, SIZE)])
            self.pump()

    def lose(self, index: int) -> None:
        if self.copying:
            self.outgoing.give_up(self.copying.pop(index % len(self.copying))[0])
            self.pump()

    def pump(self) -> None:
        while (message := self.outgoing.next()) is not None:
            self.line.append(message)

    def deliver(self) -> None:
        if not self.line:
            return
        message = self.line.popleft()
        whole: Sequence[Frame] | None = message
        if message[0][:1] > b"\x7f":
            header = read_link_header([bytes(frame) for frame in message])
            if isinstance(header, OpenHeader):
                self.incoming.open(header.stream, message[1])
                whole = None
            else:
                assert isinstance(header, ChunkHeader)
                whole = self.incoming.add(header.stream, header.offset, message[1])
        if whole is not None:
            self.arrived.append([bytes(frame) for frame in whole])
        if owed := self.incoming.owed():
            self.back.append(owed)

    def acknowledge(self) -> None:
        if self.back:
            self.outgoing.taken(self.back.popleft())
            self.pump()

    def settle(self) -> None:
        """Deliver all there is."""
        while self.copying:
            self.copy(0)
        while self.line or self.back:
            self.deliver()
            self.acknowledge()


lanes = st.none() | st.integers(0, 2)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), lanes),
        st.tuples(st.just("begin"), lanes, st.lists(st.integers(0, 60), max_size=4)),
        st.tuples(st.just("copy"), st.integers(0, 5)),
        st.tuples(st.just("deliver"), st.integers(1, 6)),
        st.tuples(st.just("acknowledge")),
        st.tuples(st.just("lose"), st.integers(0, 5)),
    ),
    max_size=60,
)


def lane_order(messages: list[list[bytes]], lane: int) -> list[list[bytes]]:
    return [message for message in messages if message[0].startswith(b"%d " % lane)]


@given(steps)
def test_every_message_arrives_once_and_whole_and_each_lane_in_order(steps: list[Any]) -> None:
    wire = Wire()
    sent: list[list[bytes]] = []
    for number, (step, *details) in enumerate(steps):
        if step in {"send", "begin"}:
            lane = details[0]
            name = b"%d %d" % (9 if lane is None else lane, number)
            bodies = [bytes([number]) * length for length in details[1]] if step == "begin" else []
            sent.append([name, *bodies])
            getattr(wire, step)(lane, sent[-1])
        elif step == "lose" and wire.copying:
            index = details[0] % len(wire.copying)
            sent.remove(wire.copying[index][1])
            wire.lose(index)
        elif step == "deliver":
            for _ in range(details[0]):
                wire.deliver()
        elif step in {"copy", "acknowledge"}:
            getattr(wire, step)(*details)
        under_way = sum(len(message[1]) for message in wire.line if message[0][:2] == b"\x93\x08")
        assert under_way < WINDOW + SIZE
        assert len(wire.incoming) <= STREAMS
    wire.settle()
    assert sorted(wire.arrived) == sorted(sent)
    for lane in range(3):
        assert lane_order(wire.arrived, lane) == lane_order(sent, lane)
    assert len(wire.incoming) == 0
    assert not any(wire.outgoing.has_to_wait(lane) for lane in range(3))


@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(1, 50))
def test_the_pieces_of_a_message_are_its_bytes(frames: list[bytes], size: int) -> None:
    pieces = [bytes(piece) for piece in cut(frames, size)]
    assert b"".join(pieces) == b"".join(frames)
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(pieces)


def test_a_small_message_is_not_held_up_by_a_large_one_of_another_lane() -> None:
    wire = Wire()
    wire.begin(1, [b"1 large", bytes(200)])
    wire.copy(0)
    wire.send(2, [b"2 small"])
    wire.send(None, [b"small"])
    wire.send(1, [b"1 small"])
    wire.settle()
    assert [message[0] for message in wire.arrived] == [b"2 small", b"small", b"1 large", b"1 small"]


def test_streams_take_turns() -> None:
    wire = Wire()
    wire.begin(1, [b"longer", bytes(300)])
    wire.begin(2, [b"shorter", bytes(100)])
    wire.copy(0)
    wire.copy(0)
    wire.settle()
    assert [message[0] for message in wire.arrived] == [b"shorter", b"longer"]


def test_no_more_streams_than_allowed_are_under_way() -> None:
    wire = Wire()
    for number in range(2 * STREAMS):
        wire.begin(None, [b"%d" % number, bytes(100)])
    while wire.copying:
        wire.copy(0)
    wire.settle()
    assert len(wire.arrived) == 2 * STREAMS


def test_a_message_that_is_still_copied_holds_up_its_lane_and_no_other() -> None:
    wire = Wire()
    wire.begin(1, [b"1 large", bytes(100)])
    wire.send(1, [b"1 small"])
    wire.send(2, [b"2 small"])
    assert [message[0] for message in wire.line] == [b"2 small"]
    wire.lose(0)
    assert [message[0] for message in wire.line] == [b"2 small", b"1 small"]


def test_a_stream_that_the_receiver_has_dropped_makes_room_for_its_lane() -> None:
    wire = Wire()
    wire.begin(1, [b"1 large", bytes(1000)])
    wire.copy(0)
    wire.send(1, [b"1 small"])
    under_way = len(wire.line)
    wire.outgoing.dropped(77)
    wire.pump()
    assert len(wire.line) == under_way
    wire.outgoing.dropped(1)
    wire.pump()
    assert list(wire.line)[under_way:] == [[b"1 small"]]


def test_it_knows_how_many_bytes_are_to_be_sent() -> None:
    outgoing = Outgoing(itertools.count(1), window=4, streams=2)
    for _ in range(2):
        stream = outgoing.reserve(None)
        outgoing.start(stream, (6,), [b"abc", b"def"])
    assert outgoing.size == 12
    while outgoing.next() is not None:
        pass
    assert outgoing.size == 6
    outgoing.dropped(1)
    outgoing.dropped(2)
    assert outgoing.size == 0


def test_in_the_end_all_goes_at_once_but_what_was_never_copied() -> None:
    wire = Wire()
    wire.begin(1, [b"1 large", bytes(1000)])
    wire.copy(0)
    wire.begin(1, [b"never copied"])
    wire.begin(1, [b"1 larger", bytes(2000)])
    wire.copy(1)
    wire.send(1, [b"1 small"])
    wire.outgoing.finish()
    wire.pump()
    while wire.line:
        wire.deliver()
    assert [message[0] for message in wire.arrived] == [b"1 large", b"1 larger", b"1 small"]


def test_nothing_is_taken_that_was_not_sent() -> None:
    wire = Wire()
    wire.begin(1, [bytes(SIZE)])
    wire.copy(0)
    with pytest.raises(WireError, match="8 bytes of chunks were taken, and 7 are under way"):
        wire.outgoing.taken(8)


def lengths(*sizes: int) -> bytes:
    return Struct(f"<{len(sizes)}Q").pack(*sizes)


def test_small_frames_are_bytes_and_large_ones_views_of_memory_of_their_own() -> None:
    incoming = Incoming()
    incoming.open(1, lengths(6, 0, 100_000, 3_000_000))
    message = incoming.add(1, 0, bytes(3_100_006))
    assert message is not None
    assert [type(frame) for frame in message] == [bytes, bytes, memoryview, memoryview]
    assert [len(frame) for frame in message] == [6, 0, 100_000, 3_000_000]
    assert isinstance(message[3], memoryview)
    message[3][0] = 7


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"1234567",
        lengths(0),
        lengths(0, 0),
        lengths(1001),
        lengths(2**64 - 1),
        lengths(*[1] * (MAX_FRAMES + 1)),
        lengths(*[1000] * 2 + [1001]),
    ],
)
def test_a_stream_out_of_range_is_refused(given: bytes) -> None:
    incoming = Incoming(1000)
    with pytest.raises(WireError):
        incoming.open(1, given)
    assert len(incoming) == 0


@pytest.mark.parametrize("given", [lengths(MAX_SIZE + 1), lengths(MAX_SIZE, MAX_SIZE)])
def test_even_without_a_limit_for_frames_a_message_has_one(given: bytes) -> None:
    with pytest.raises(WireError):
        Incoming().open(1, given)


def test_a_stream_that_there_is_no_memory_for_is_whole_when_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was a defect: it was dropped, its request was never answered, and its room never given back."""
    incoming = Incoming(returns=1)
    scarce = [True]

    def allocate(size: int) -> memoryview:
        if scarce:
            raise MemoryError
        return new_memory(size)

    monkeypatch.setattr("corps.wire.chunks.new_memory", allocate)
    incoming.open(1, lengths(6, 3))
    incoming.open(2, lengths(4))
    assert incoming.add(1, 0, b"abcd") is None
    assert incoming.add(2, 0, b"wxyz") is None
    told = [incoming.lacks_memory]
    assert incoming.owed() == 0  # so the sender waits with more
    assert incoming.try_again() == []
    scarce.clear()
    assert incoming.try_again() == [[b"wxyz"]]
    assert [*told, incoming.lacks_memory] == [True, False]
    assert incoming.owed() == 8
    assert incoming.add(1, 4, b"efghi") == [b"abcdef", b"ghi"]
    assert len(incoming) == 0


def test_too_many_streams_are_refused() -> None:
    incoming = Incoming(streams=2)
    incoming.open(1, lengths(1))
    incoming.open(2, lengths(1))
    with pytest.raises(WireError, match="more than 2 streams"):
        incoming.open(3, lengths(1))
    assert incoming.add(1, 0, b"x") == [b"x"]
    incoming.open(3, lengths(1))


def test_a_stream_that_is_opened_twice_is_dropped() -> None:
    incoming = Incoming()
    incoming.open(1, lengths(1))
    with pytest.raises(WireError, match="a second time"):
        incoming.open(1, lengths(1))
    assert len(incoming) == 0


@pytest.mark.parametrize(
    ("number", "offset", "chunk"), [(2, 0, b"x"), (1, 1, b"x"), (1, 0, b""), (1, 0, bytes(11))]
)
def test_a_chunk_that_does_not_fit_is_refused_and_its_bytes_are_taken(
    number: int, offset: int, chunk: bytes
) -> None:
    incoming = Incoming(returns=1)
    incoming.open(1, lengths(10))
    with pytest.raises(WireError):
        incoming.add(number, offset, chunk)
    assert len(incoming) == (number != 1)
    assert incoming.owed() == len(chunk)
