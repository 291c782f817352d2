"""Large buffers for other processes of this host, in shared memory that is used again and again.

Fresh memory costs several times what the copying costs, because the kernel fetches and clears every page. So
segments are kept, and the next message of about that size goes into one whose receiver is done with it.
`corps.transport.shared_memory.mappings` is the other side; `docs/design/large-data.md` has the numbers.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from threading import Lock
from typing import Final

from corps.errors import ClosedError, Overloaded
from corps.packing.packer import Buffer
from corps.transport.shared_memory.segments import FREE, HEAD, LEASED, Segment, capacity_for

_LOOKS: Final = 16  # leases that each `place` looks at: so it takes no longer when there are many
_ALIGNED: Final = 64  # bytes: so that the widest instructions of a processor suit every buffer
_STRETCH: Final = 2  # a free segment may be so many times as large as needed


@dataclass(frozen=True, slots=True)
class Placed:
    """The buffers of a message in shared memory, leased to one receiver."""

    segment: Segment  # keeps the descriptor open: keep this object until the descriptor is sent
    size: int  # bytes from the beginning of the first buffer to the end of the last
    offsets: tuple[int, ...]  # where each of them begins
    is_first: bool  # the holder has never had this segment: the descriptor has to go with the message
    lease: int  # of the segment


class Arenas:
    """All shared memory that one process fills for others. Thread-safe.

    A lease ends when the receiver is done with the memory, without a message: `place` looks at segments.
    """

    def __init__(self, limit: int, kept: int, *, most: int = 256) -> None:
        self._limit = limit  # bytes of all segments together, leased or kept
        self._kept = kept  # bytes of free segments that are kept to be used again
        self._most = most  # segments; each takes two descriptors here and one at each receiver
        # Protects all below, and who holds a segment; nothing is copied and no memory is given back under it.
        self._lock = Lock()
        self._leased: dict[int, Segment] = {}  # by id, the oldest lease first
        self._round: Iterator[int] = iter(())  # ids of leases that are still to be looked at in this round
        self._vacant: dict[int, Segment] = {}  # by id, the longest vacant first
        self._bytes = 0  # of all segments
        self._vacant_bytes = 0
        self._retired: deque[Segment] = deque()  # given up; `_give_back` takes them without the lock
        self._numbers = count(1)
        self._is_closed = False

    def place(self, buffers: Sequence[Buffer], holder: int) -> Placed:
        """Copy the buffers of a message into one segment, and lease that to a holder: a connection.

        If the message is not sent after all, say so with `take_back`; if that is not known, with `release`.

        Raises:
            Overloaded: The limit is reached, or the system's memory or descriptors are at an end. The buffers
                can still be sent another way.
            ClosedError: It is closed.
        """
        sources = [_plain(buffer) for buffer in buffers]
        offsets, size = _in_a_row(sources)
        try:
            with self._lock:
                placed = self._lease(size, offsets, holder)
        finally:
            self._give_back()
        try:
            for source, offset in zip(sources, offsets, strict=True):
                placed.segment.fill(source, offset)
        except BaseException as error:
            self.take_back(placed)
            if isinstance(error, OSError):
                raise _out_of(error, size) from error
            raise
        return placed

    def lent_number(self) -> int:
        """Return a number for a segment of another process, which no segment of this one has."""
        return next(self._numbers)

    def take_back(self, placed: Placed) -> None:
        """End a lease, unless it has ended: what was placed was not sent, not even its descriptor."""
        segment = placed.segment
        with self._lock:
            if self._leased.get(segment.number) is not segment or segment.lease != placed.lease:
                return
            if placed.is_first:
                segment.known_by.discard(segment.holder)
            segment.mark(FREE)
            self._end_lease(segment, FREE)
            self._drop_surplus()
        self._give_back()

    def release(self, holder: int) -> None:
        """End all leases of a connection that has ended. Nothing may be placed for it any more.

        Segments that it was not done with are never used again, because its process may be alive all the
        same, and write to them. What it has received stays valid there.
        """
        with self._lock:
            for segment in list(self._leased.values()):
                if segment.holder == holder:
                    self._end_lease(segment, segment.state)
            for segment in (*self._leased.values(), *self._vacant.values()):
                segment.known_by.discard(holder)
            self._drop_surplus()
        self._give_back()

    def tidy(self) -> None:
        """Find all leases that have ended, and give back free memory beyond what is kept."""
        with self._lock:
            self._look(list(self._leased))
            self._drop_surplus()
        self._give_back()

    def close(self) -> None:
        """Let go of everything. What was received stays valid there. Idempotent."""
        with self._lock:
            self._is_closed = True
            self._retired.extend((*self._leased.values(), *self._vacant.values()))
            self._leased.clear()
            self._vacant.clear()
            self._bytes = self._vacant_bytes = 0
        self._give_back()

    def _give_back(self) -> None:
        """Give memory back, without the lock: it takes the kernel a millisecond for every 20 MiB."""
        while self._retired:
            with suppress(IndexError):  # another thread does the same
                self._retired.popleft().retire()

    def statistics(self) -> dict[str, int]:
        """Return segments and bytes, as far as known without looking: all, and those that are kept free."""
        with self._lock:
            return {
                "segments": len(self._leased) + len(self._vacant),
                "bytes": self._bytes,
                "free_segments": len(self._vacant),
                "free_bytes": self._vacant_bytes,
            }

    # --- under the lock ---

    def _lease(self, size: int, offsets: tuple[int, ...], holder: int) -> Placed:
        if self._is_closed:
            raise ClosedError("shared memory was asked for after this Env had closed")
        self._look_at_some()
        segment = self._take_vacant(size) or self._take_ended(size) or self._make(size)
        is_first = holder not in segment.known_by
        segment.known_by.add(holder)
        segment.holder = holder
        segment.lease += 1
        segment.mark(LEASED)
        self._leased[segment.number] = segment
        self._drop_surplus()
        return Placed(segment, size, offsets, is_first, segment.lease)

    def _look_at_some(self) -> None:
        """Look at a few leases, others each time: in the end all that have ended are found."""
        some = list(islice(self._round, _LOOKS))
        if not some:
            self._round = iter(list(self._leased))
            some = list(islice(self._round, _LOOKS))
        self._look(some)

    def _look(self, numbers: Iterable[int]) -> None:
        """Find out which of these leases have ended."""
        for number in numbers:
            segment = self._leased.get(number)  # None: it ended while the round went on
            if segment is not None:
                state = segment.state
                if state != LEASED:
                    self._end_lease(segment, state)

    def _end_lease(self, segment: Segment, state: int) -> None:
        del self._leased[segment.number]
        if state != FREE:  # spoiled, nonsense, or a lease of a peer that has gone
            self._bytes -= segment.size
            self._retired.append(segment)
            return
        self._vacant[segment.number] = segment
        self._vacant_bytes += segment.size

    def _take_ended(self, size: int) -> Segment | None:
        """Look until a lease has ended that leaves room, young ones first: most are short.

        Looking at all of them takes less time than making a segment.
        """
        needed = capacity_for(size)
        for segment in reversed(list(self._leased.values())):
            self._look((segment.number,))
            if segment.number in self._vacant and needed <= segment.capacity <= _STRETCH * needed:
                self._remove_vacant(segment)
                return segment
        return None

    def _take_vacant(self, size: int) -> Segment | None:
        """Take the smallest segment that is large enough; of those, the one that was vacated last.

        The caches may still know that one, and the others can grow old.
        """
        needed = capacity_for(size)
        found: Segment | None = None
        for segment in reversed(self._vacant.values()):
            capacity = segment.capacity
            if needed <= capacity <= _STRETCH * needed and (found is None or capacity < found.capacity):
                found = segment
                if capacity == needed:
                    break
        if found is not None:
            self._remove_vacant(found)
        return found

    def _remove_vacant(self, segment: Segment) -> None:
        del self._vacant[segment.number]
        self._vacant_bytes -= segment.size

    def _make(self, size: int) -> Segment:
        capacity = capacity_for(size)
        leased = self._bytes - self._vacant_bytes
        if leased + HEAD + capacity > self._limit or len(self._leased) >= self._most:
            raise self._overloaded(size)
        while (
            self._bytes + HEAD + capacity > self._limit or len(self._leased) + len(self._vacant) >= self._most
        ):
            self._drop_oldest()
        try:
            segment = Segment(next(self._numbers), capacity)
        except OSError as error:
            raise _out_of(error, size) from error
        self._bytes += segment.size
        return segment

    def _drop_surplus(self) -> None:
        while self._vacant_bytes > self._kept:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = next(iter(self._vacant.values()))
        self._remove_vacant(oldest)
        self._bytes -= oldest.size
        self._retired.append(oldest)

    def _overloaded(self, wanted: int) -> Overloaded:
        counts: Counter[int] = Counter()
        held: Counter[int] = Counter()
        for segment in self._leased.values():
            counts[segment.holder] += 1
            held[segment.holder] += segment.size
        peers = ", ".join(
            f"peer {peer}: {size} bytes in {counts[peer]}" for peer, size in held.most_common(8)
        )
        return Overloaded(
            f"there is no shared memory for {wanted} bytes: {held.total()} of {self._limit} bytes, in "
            f"{len(self._leased)} of {self._most} segments, are held by receivers ({peers or 'by none'}); "
            "let go there of what was received, copy what is kept for long, send smaller parts, or raise the "
            "setting shared_memory.bytes"
        )


def _plain(buffer: Buffer) -> memoryview:
    """Return a buffer as bytes, one after the other."""
    source = memoryview(buffer)
    if source.format != "B" or source.ndim != 1 or not source.c_contiguous:
        source = source.cast("B")
    return source


def _in_a_row(sources: Sequence[memoryview]) -> tuple[tuple[int, ...], int]:
    """Return where each buffer begins if they lie one after the other, and where the last one ends."""
    offsets = []
    end = 0
    for source in sources:
        begin = -(-end // _ALIGNED) * _ALIGNED
        offsets.append(begin)
        end = begin + source.nbytes
    return tuple(offsets), end


def _out_of(error: OSError, size: int) -> Overloaded:
    return Overloaded(
        f"the system gives no shared memory for {size} bytes: {error}; free memory or descriptors, or lower "
        "the setting shared_memory.bytes"
    )
