"""Large messages in chunks, so that small ones overtake them: what goes when, and what comes to be whole.

A large message is sent as a *stream*: an OPEN with the lengths of its frames, then its bytes in CHUNKs. Only
a window of bytes is under way at any time, and each TAKEN of the receiver lets more go. Messages that must
stay in order have the same *lane*, and wait for the last chunk of a stream of it. The streams of different
lanes take turns. Pure: `transport` sends, receives and locks. `docs/design/large-messages.md` says why.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from struct import Struct
from typing import Final, Protocol

from corps.errors import WireError
from corps.wire.frames import MAX_FRAMES, Frame
from corps.wire.link_frames import ChunkHeader, OpenHeader, frame_of
from corps.wire.memory import new_memory

LARGE_MESSAGE: Final = 1024 * 1024  # messages of more bytes travel in chunks
CHUNK_SIZE: Final = 256 * 1024  # bytes of a chunk at most
WINDOW: Final = 2 * 1024 * 1024
"""So many bytes of all streams of a link are under way at once, and up to one chunk more."""
RETURN: Final = 512 * 1024  # after so many bytes at most the receiver says that it has taken them
MAX_STREAMS: Final = 64  # streams of one link at once, at most. Further ones wait at the sender
MAX_SIZE: Final = 2**40  # bytes of a message at most

_SMALL: Final = 64 * 1024  # bytes of a frame up to which it becomes `bytes`


class ChunkData(Protocol):
    """The bytes of a chunk, in memory of its own."""

    def __len__(self) -> int:
        """Return how many."""


Message = Sequence[Frame | ChunkData]  # the frames of a message


def cut(frames: Sequence[Frame], size: int) -> Iterator[Frame]:
    """Cut a message into chunks of `size`: views of its frames, or bytes of parts of several."""
    parts: list[Frame] = []
    missing = size
    for frame in frames:
        view = memoryview(frame)
        while view:
            part, view = view[:missing], view[missing:]
            parts.append(part)
            missing -= len(part)
            if not missing:
                yield parts[0] if len(parts) == 1 else b"".join(parts)
                parts, missing = [], size
    if parts:
        yield b"".join(parts)


class Stream:
    """A large message on its way out: first a place in its lane, then its chunks. For `Outgoing`."""

    def __init__(self, number: int, lane: int | None) -> None:
        self.number = number
        self.lane = lane
        self.lengths: Sequence[int] = ()  # of the frames of the message
        self.chunks: deque[ChunkData] = deque()  # what is still to be sent
        self.sent = 0
        self.is_started = False  # whether it may be sent


class Outgoing:
    """What is to be sent on one link, but cannot go at once. Its owner's lock protects it.

    After `start`, `give_up`, `taken`, `dropped` and `finish` it sends what `next` gives, until that is None.
    """

    def __init__(self, numbers: Iterator[int], *, window: int = WINDOW, streams: int = MAX_STREAMS) -> None:
        """Begin with nothing; at most `window` bytes are under way, exceeded by less than a chunk."""
        self._numbers = numbers
        self._window: float = window
        self._max_streams = streams
        self._in_flight = 0
        self.size = 0  # bytes of large messages that are to be sent
        # Lanes in which something waits, oldest first. The first of a lane is a stream under way, or due now.
        self._lanes: dict[int, deque[Stream | Message]] = {}
        self._due: deque[int] = deque()  # lanes whose first is a small message, which may go now
        self._queue: deque[Stream] = deque()  # streams that may begin
        self._turns: deque[Stream] = deque()  # streams under way, in the order of their turns

    def has_to_wait(self, lane: int | None) -> bool:
        """Return whether a small message of this lane has to `wait` for others."""
        return lane in self._lanes

    def wait(self, lane: int, message: Message) -> None:
        """Have a small message, which must not change any more, wait for those before it in its lane."""
        self._lanes[lane].append(message)

    def reserve(self, lane: int | None) -> Stream:
        """Take the next place of a lane, if any, for a large message. Then `start` it, or `give_up`."""
        stream = Stream(next(self._numbers), lane)
        if lane is not None:
            self._lanes.setdefault(lane, deque()).append(stream)
        return stream

    def start(self, stream: Stream, lengths: Sequence[int], chunks: Sequence[ChunkData]) -> None:
        """Let a large message go, cut by `cut` and not copied, when it is the first of its lane."""
        stream.lengths, stream.chunks = lengths, deque(chunks)
        stream.is_started = True
        self.size += sum(lengths)
        if stream.lane is None or self._lanes[stream.lane][0] is stream:
            self._queue.append(stream)

    def give_up(self, stream: Stream) -> None:
        """Let a lane go on without a large message of `reserve` that could not be copied."""
        if stream.lane is None:
            return
        lane = self._lanes[stream.lane]
        was_first = lane[0] is stream
        lane.remove(stream)
        if was_first:
            self._advance(stream.lane)

    def next(self) -> Message | None:
        """Return what is to be sent before the next call; None if there is nothing, or the window is full."""
        if self._due:
            number = self._due.popleft()
            message = self._lanes[number].popleft()
            self._advance(number)
            return () if isinstance(message, Stream) else message  # no stream is ever due
        if self._queue and len(self._turns) < self._max_streams:
            stream = self._queue.popleft()
            self._turns.append(stream)
            lengths = Struct(f"<{len(stream.lengths)}Q").pack(*stream.lengths)
            return frame_of(OpenHeader(stream.number)), lengths
        if not self._turns or self._in_flight >= self._window:
            return None
        stream = self._turns.popleft()
        header = frame_of(ChunkHeader(stream.number, stream.sent))
        chunk = stream.chunks.popleft()
        stream.sent += len(chunk)
        self._in_flight += len(chunk)
        self.size -= len(chunk)
        if stream.chunks:
            self._turns.append(stream)
        else:
            self._leave_lane(stream)
        return header, chunk

    def taken(self, size: int) -> None:
        """Note that the receiver has taken so many more bytes; raise WireError if there were fewer."""
        if size > self._in_flight:
            raise WireError(f"{size} bytes of chunks were taken, and {self._in_flight} are under way")
        self._in_flight -= size

    def dropped(self, number: int) -> None:
        """Give up the rest of a stream, as the receiver has. One that is not under way is no error."""
        for stream in self._turns:
            if stream.number == number:
                self._turns.remove(stream)
                self.size -= sum(map(len, stream.chunks))
                self._leave_lane(stream)
                return

    def finish(self) -> None:
        """Let all go at once, but for what is not copied yet: no TAKEN will come any more."""
        self._window = float("inf")
        for lane in list(self._lanes.values()):
            for waiting in list(lane):
                if isinstance(waiting, Stream) and not waiting.is_started:
                    self.give_up(waiting)

    def _leave_lane(self, stream: Stream) -> None:
        if stream.lane is not None:
            self._lanes[stream.lane].popleft()
            self._advance(stream.lane)

    def _advance(self, number: int) -> None:
        """Go on with a lane whose first message has left it."""
        lane = self._lanes[number]
        if not lane:
            del self._lanes[number]
        elif not isinstance(lane[0], Stream):
            self._due.append(number)
        elif lane[0].is_started:
            self._queue.append(lane[0])


class _Assembly:
    """A large message of which not all has come."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self._lengths = lengths
        self._frames: list[memoryview] = []
        self._index = self._at = 0  # where the next byte belongs
        self.early: list[bytes] = []  # chunks that came when there was no memory for the whole
        self.came = 0
        self.missing = sum(lengths)
        self.has_memory()

    def has_memory(self) -> bool:
        """Return whether there is memory for the whole, and ask for it if there was none before."""
        if not self._frames:
            with suppress(MemoryError):
                self._frames = [new_memory(length) for length in self._lengths]
        return bool(self._frames)

    def add(self, chunk: memoryview) -> None:
        self.came += len(chunk)
        self.missing -= len(chunk)
        if self._frames:
            self._fill(chunk)
        else:
            self.early.append(bytes(chunk))

    def fill_early(self) -> int:
        """Move the chunks that came before there was memory to their place; return how many bytes."""
        early, self.early = self.early, []
        for chunk in early:
            self._fill(memoryview(chunk))
        return sum(map(len, early))

    def _fill(self, chunk: memoryview) -> None:
        while chunk:
            frame = self._frames[self._index]
            size = min(len(chunk), len(frame) - self._at)
            frame[self._at : self._at + size] = chunk[:size]
            self._at += size
            chunk = chunk[size:]
            if self._at == len(frame):
                self._index, self._at = self._index + 1, 0

    def message(self) -> list[Frame]:
        return [bytes(frame) if len(frame) <= _SMALL else frame for frame in self._frames]


class Incoming:
    """The large messages of one peer that are not whole; a WireError ends a stream. One thread at a time."""

    def __init__(
        self, max_frame: int | None = None, *, returns: int = RETURN, streams: int = MAX_STREAMS
    ) -> None:
        """Begin with nothing; the sender hears of each `returns` bytes that they were taken."""
        self._max_frame = MAX_SIZE if max_frame is None else max_frame
        self._returns = returns
        self._max_streams = streams
        self._streams: dict[int, _Assembly] = {}
        self._owed = 0

    def __len__(self) -> int:
        """Return how many messages are under way."""
        return len(self._streams)

    def open(self, number: int, lengths: Frame) -> None:
        """Begin a stream with the second frame of its OPEN; raise WireError if it must not begin."""
        if self._streams.pop(number, None) is not None:
            raise WireError(f"the stream {number} was opened a second time")
        if len(self._streams) >= self._max_streams:
            raise WireError(f"more than {self._max_streams} streams were opened at once")
        if len(lengths) % 8 or not 0 < len(lengths) // 8 <= MAX_FRAMES:
            raise WireError(f"a stream was opened with {len(lengths)} bytes of lengths")
        sizes = Struct(f"<{len(lengths) // 8}Q").unpack(lengths)
        if max(sizes) > self._max_frame or not 0 < sum(sizes) <= MAX_SIZE:
            raise WireError(f"a stream of {sum(sizes)} bytes was opened, {max(sizes)} in one frame")
        self._streams[number] = _Assembly(sizes)

    def add(self, number: int, offset: int, chunk: Frame) -> list[Frame] | None:
        """Copy the next bytes of a stream, or raise WireError; return the message if it is whole now."""
        stream = self._streams.get(number)
        if stream is None or stream.has_memory():
            self._owed += len(chunk)
        if stream is not None and stream.early and stream.has_memory():
            self._owed += stream.fill_early()
        if stream is None:
            raise WireError(f"a chunk of the stream {number} came, which is not open")
        if offset != stream.came or not 0 < len(chunk) <= stream.missing:
            del self._streams[number]
            raise WireError(
                f"bytes {offset} to {offset + len(chunk)} of the stream {number} came after {stream.came}, "
                f"and {stream.missing} were missing"
            )
        stream.add(memoryview(chunk))
        if stream.missing or not stream.has_memory():
            return None
        del self._streams[number]
        return stream.message()

    @property
    def lacks_memory(self) -> bool:
        """Return whether there is a message that there was no memory for. Its sender has to wait."""
        return any(stream.early for stream in self._streams.values())

    def try_again(self) -> list[list[Frame]]:
        """Ask for memory again where there was none; return the messages that are whole by that."""
        whole = []
        for number, stream in list(self._streams.items()):
            if stream.early and stream.has_memory():
                self._owed += stream.fill_early()
                if not stream.missing:
                    del self._streams[number]
                    whole.append(stream.message())
        return whole

    def owed(self, at_least: int | None = None) -> int:
        """Return how many bytes the sender is to hear were taken, if they are worth it; else 0."""
        if self._owed < (self._returns if at_least is None else at_least):
            return 0
        owed, self._owed = self._owed, 0
        return owed
