"""Claims about the side that uses shared memory where it lies, and about the end of its use."""

import ctypes
import fcntl
import gc
import os
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from corps.errors import WireError
from corps.transport.shared_memory.arenas import Arenas, Placed
from corps.transport.shared_memory.mappings import Mappings
from corps.transport.shared_memory.segments import FREE, LEASED, SPOILED, STATE, Segment

KIB64 = 65536
MIB = 2**20


class Line:
    """Both sides in one process, with mappings of their own."""

    def __init__(self, kept: int = 64 * MIB) -> None:
        self.arenas = Arenas(256 * MIB, kept)
        self.mappings = Mappings()

    def bring(self, buffer: Any) -> tuple[memoryview, Segment]:
        """Place a buffer, and open it on the other side."""
        placed = self.arenas.place([buffer], 1)
        return self.open(placed), placed.segment

    def open(
        self,
        placed: Placed,
        *,
        with_fd: bool | None = None,
        capacity: int | None = None,
        size: int | None = None,
    ) -> memoryview:
        """Open what was placed, or what is told instead."""
        if with_fd is None:
            with_fd = placed.is_first
        return self.mappings.open(
            placed.segment.number,
            placed.segment.fd if with_fd else None,
            placed.segment.capacity if capacity is None else capacity,
            placed.size if size is None else size,
        )


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.arenas.close()
    line.mappings.close()


def mappings_of_memfds() -> int:
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return sum("/memfd:corps (deleted)" in each for each in maps)  # and no pulse of an Env


# What is opened


def test_a_view_shows_the_buffer_and_can_be_written_to(line: Line) -> None:
    data = os.urandom(100_000)
    view, _ = line.bring(data)
    assert view == data
    assert (view.format, view.ndim, view.nbytes, view.readonly) == ("B", 1, 100_000, False)
    view[0] = 7
    assert view[0] == 7


def test_a_view_is_the_memory_of_the_sender_and_no_copy(line: Line) -> None:
    view, segment = line.bring(b"x" * KIB64)
    segment.fill(memoryview(b"y" * KIB64))
    assert view == b"y" * KIB64


def test_a_view_is_aligned_to_pages(line: Line) -> None:
    view, _ = line.bring(b"x" * KIB64)
    array = np.frombuffer(view, np.float64)
    assert array.ctypes.data % 4096 == 0
    assert array.flags.aligned


def test_a_buffer_of_no_bytes_is_a_lease_too(line: Line) -> None:
    view, segment = line.bring(b"")
    assert view.nbytes == 0
    assert segment.state == LEASED
    del view
    assert segment.state == FREE


def test_whoever_keeps_all_that_he_gets_gets_copies_in_the_end(line: Line) -> None:
    """Was a defect: a receiver that kept 256 arrays, as a replay buffer does, stopped its sender."""
    line.mappings = Mappings(most_in_use=3)
    kept = [line.bring(bytes([number]) * KIB64) for number in range(10)]
    assert [segment.state for _, segment in kept[:3]] == [LEASED] * 3
    assert len({segment.number for _, segment in kept[3:]}) == 1
    assert [(view[0], view.nbytes, view.readonly) for view, _ in kept] == [
        (n, KIB64, False) for n in range(10)
    ]
    large, segment = line.bring(b"x" * (5 * MIB))
    assert segment.state == FREE
    assert large == b"x" * (5 * MIB)
    del kept[0]
    view, segment = line.bring(b"y" * KIB64)
    assert segment.state == LEASED
    assert view == b"y" * KIB64


# The end of its use


def test_the_segment_is_free_when_the_view_is_gone(line: Line) -> None:
    view, segment = line.bring(b"x" * KIB64)
    assert segment.state == LEASED
    del view
    assert segment.state == FREE


def test_a_released_view_frees_the_segment(line: Line) -> None:
    view, segment = line.bring(b"x" * KIB64)
    with view:
        assert segment.state == LEASED
    assert segment.state == FREE


@pytest.mark.parametrize(
    "derive",
    [
        lambda view: view[10:20],
        lambda view: view.cast("q"),
        lambda view: view.cast("B", (256, 256))[3:4],
        lambda view: view.toreadonly()[::7],
        memoryview,
        pickle.PickleBuffer,
        lambda view: pickle.PickleBuffer(view[5:]).raw(),
        np.frombuffer,
        lambda view: np.frombuffer(view, np.int32)[3:9].reshape(2, 3).T,
        lambda view: np.frombuffer(view, np.int32)[5:].data,
        lambda view: np.asarray(view)[::2].view(np.int8),
        lambda view: np.ndarray((4,), np.int16, view, 10),
    ],
)
def test_whatever_is_made_of_a_view_keeps_the_segment(line: Line, derive: Any) -> None:
    view, segment = line.bring(b"x" * KIB64)
    made = derive(view)
    del view
    gc.collect()
    assert segment.state == LEASED
    del made
    assert segment.state == FREE


def test_arrays_of_one_message_each_have_their_segment(line: Line) -> None:
    value: dict[str, Any] = {
        "a": np.arange(30_000),
        "b": [np.ones((300, 400)), np.zeros(20_000, np.complex128)],
    }
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(value, 5, buffer_callback=buffers.append)
    opened = [line.bring(buffer.raw()) for buffer in buffers]
    segments = [segment for _, segment in opened]
    copy = pickle.loads(body, buffers=[view for view, _ in opened])
    del opened, buffers
    assert np.array_equal(copy["a"], value["a"])
    assert copy["b"][0].flags.writeable
    copy["b"][0][:] = 2
    assert [segment.state for segment in segments] == [LEASED] * 3
    del copy["a"]
    assert [segment.state for segment in segments] == [FREE, LEASED, LEASED]
    last = copy["b"].pop()
    del copy
    assert [segment.state for segment in segments] == [FREE, FREE, LEASED]
    del last
    assert segments[2].state == FREE


def test_a_buffer_that_was_pickled_out_of_band_is_the_memory_itself(line: Line) -> None:
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(pickle.PickleBuffer(bytearray(b"x" * KIB64)), 5, buffer_callback=buffers.append)
    view, segment = line.bring(buffers[0].raw())
    value = pickle.loads(body, buffers=[view])
    del view
    assert segment.state == LEASED
    del value
    assert segment.state == FREE


def test_the_end_may_come_in_another_thread_under_any_lock(line: Line) -> None:
    view, segment = line.bring(b"x" * KIB64)
    held = [view]
    del view
    with line.arenas._lock:
        thread = threading.Thread(target=held.clear)
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
        assert segment.state == FREE


class Owner:
    """Has a cycle to itself, and uses its memory when it is finalized."""

    def __init__(self, view: memoryview, segment: Segment, seen: list[Any]) -> None:
        self.view = view
        self.segment = segment
        self.seen = seen
        self.me = self

    def __del__(self) -> None:
        self.seen.append((self.segment.state, bytes(self.view[:2])))


class Reviver(Owner):
    """Brings its memory back to life."""

    def __del__(self) -> None:
        self.seen.append(self.view)


def test_a_view_in_a_garbage_cycle_frees_its_segment(line: Line) -> None:
    view, segment = line.bring(b"x" * KIB64)
    cycle: list[Any] = [view]
    cycle.append(cycle)
    del view, cycle
    assert segment.state == LEASED
    gc.collect()
    assert segment.state == FREE


def test_a_finalizer_in_the_same_garbage_cycle_still_has_the_memory_to_itself(line: Line) -> None:
    seen: list[Any] = []
    for _ in range(10):  # the order of finalizers within a cycle is not ours
        view, segment = line.bring(b"xy" * KIB64)
        cycle: list[Any] = [view, Owner(view, segment, seen), view[1:]]
        cycle.append(cycle)
        del view, cycle
        gc.collect()
        assert segment.state == FREE
    assert seen == [(LEASED, b"xy")] * 10


def test_memory_that_a_finalizer_revives_stays_leased_until_it_really_ends(line: Line) -> None:
    seen: list[Any] = []
    view, segment = line.bring(b"xy" * KIB64)
    Reviver(view, segment, seen)
    del view
    gc.collect()
    assert segment.state == LEASED
    assert seen[0][:2] == b"xy"
    # It is revived again, out of another cycle, and finalized beside others.
    Reviver(seen.pop(), segment, seen)
    gc.collect()
    Owner(seen.pop(), segment, seen)
    gc.collect()
    assert seen == [(LEASED, b"xy")]
    assert segment.state == FREE


def test_the_next_buffer_goes_into_the_same_memory_and_needs_no_descriptor(line: Line) -> None:
    for turn in range(50):
        view, segment = line.bring(bytes([turn]) * KIB64)
        assert segment.number == 1
        assert view == bytes([turn]) * KIB64
        del view
    assert mappings_of_memfds() == 2  # one for each side


# What a broken or hostile peer says


@pytest.mark.parametrize(
    ("other", "text"),
    [
        ({"size": KIB64 + 1}, "65537 bytes are said to be in a segment for 65536"),
        ({"size": -1}, "-1 bytes"),
        ({"size": 0, "capacity": 0}, "0 bytes are said"),
        ({"capacity": 2 * KIB64}, "announced"),
        ({"capacity": 2**64}, "announced"),
        ({"with_fd": False}, "before its descriptor"),
    ],
)
def test_what_cannot_be_is_refused(line: Line, other: dict[str, Any], text: str) -> None:
    placed = line.arenas.place([b"x" * KIB64], 1)
    with pytest.raises(WireError, match=text):
        line.open(placed, **other)
    assert line.open(placed) == b"x" * KIB64  # nothing has changed


def test_what_is_refused_leaves_no_descriptor_open(line: Line) -> None:
    placed = line.arenas.place([b"x" * KIB64], 1)
    before = len(os.listdir("/proc/self/fd"))
    for size in (-1, KIB64 + 1):
        with pytest.raises(WireError):
            line.open(placed, size=size)
    with pytest.raises(WireError):
        line.open(placed, capacity=KIB64 + 4096)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_segment_in_use_is_not_opened_again(line: Line) -> None:
    placed = line.arenas.place([b"x" * KIB64], 1)
    view = line.open(placed)
    with pytest.raises(WireError, match="still in use"):
        line.open(placed, with_fd=False)
    with pytest.raises(WireError, match="a second time"):
        line.open(placed, with_fd=True)
    placed.segment.mark(FREE)  # whatever the peer writes there
    with pytest.raises(WireError, match="still in use"):
        line.open(placed, with_fd=False)
    assert view == b"x" * KIB64
    del view
    assert line.open(placed, with_fd=False) == b"x" * KIB64


def test_a_known_segment_does_not_change_its_capacity(line: Line) -> None:
    placed = line.arenas.place([b"x" * KIB64], 1)
    line.open(placed).release()
    for capacity in (KIB64 - 4096, KIB64 + 4096):
        with pytest.raises(WireError, match="is for 65536 bytes, not for"):
            line.open(placed, with_fd=False, capacity=capacity, size=1)


def test_no_shared_memory_that_cannot_be_written_to(line: Line) -> None:
    fd = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 8192)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    with pytest.raises(WireError, match="cannot be mapped"):
        line.mappings.open(1, fd, 4096, 1)
    os.close(fd)


def test_a_peer_cannot_make_us_map_without_end() -> None:
    line = Line()
    line.mappings = Mappings(most=3)
    views = [line.bring(b"x")[0] for _ in range(3)]
    placed = line.arenas.place([b"x"], 1)
    with pytest.raises(WireError, match="more than 3 segments"):
        line.open(placed)
    views.clear()


# Segments that are given up, and the end of the connection


def test_a_retired_segment_is_let_go_of_when_a_new_one_comes() -> None:
    line = Line(kept=0)
    for size in (KIB64, MIB, KIB64, MIB, KIB64):
        view, segment = line.bring(b"x" * size)
        del view, segment
        line.arenas.tidy()
    assert mappings_of_memfds() == 1
    line.mappings.sweep()
    assert mappings_of_memfds() == 0


def test_a_retired_segment_in_use_is_kept_until_it_is_not() -> None:
    line = Line()
    view, segment = line.bring(b"x" * KIB64)
    segment.retire()
    line.mappings.sweep()
    assert len(line.mappings._segments) == 1  # it still counts among what the peer makes us keep
    assert view == b"x" * KIB64
    del view
    line.mappings.sweep()
    assert len(line.mappings._segments) == 0


def test_what_is_in_use_outlives_the_connection_and_the_sender() -> None:
    line = Line()
    view, segment = line.bring(b"x" * KIB64)
    idle = line.bring(b"y" * KIB64)[0]
    array = np.frombuffer(view, np.uint8)[5:]
    del view, idle
    line.mappings.close()
    line.arenas.release(1)
    line.arenas.close()
    del line, segment
    gc.collect()
    assert mappings_of_memfds() == 1
    array += 1
    assert (array == ord("y")).all()
    del array
    assert mappings_of_memfds() == 0


# Forks


def test_what_a_fork_has_copied_is_not_used_again(line: Line) -> None:
    before, first = line.bring(b"x" * KIB64)
    line.mappings.forking()
    after, second = line.bring(b"y" * KIB64)
    del before, after
    assert (first.state, second.state) == (SPOILED, FREE)
    assert line.bring(b"z" * KIB64)[1] is second
    assert not line.mappings._segments[first.number].is_in_use


def test_what_was_spoiled_is_retired_by_the_sender_and_let_go_of(line: Line) -> None:
    view, first = line.bring(b"x" * KIB64)
    line.mappings.forking()
    del view
    line.arenas.tidy()
    line.mappings.sweep()
    assert first.number not in line.mappings._segments
    assert os.pread(first.fd, 1, 4096) == b"x"  # the child may still read it


def test_the_end_of_a_copy_in_a_forked_child_frees_nothing(line: Line) -> None:
    view, segment = line.bring(b"x" * KIB64)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            del view
            gc.collect()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert segment.state == LEASED
    del view
    assert segment.state == FREE


def test_the_state_is_one_byte_of_the_head(line: Line) -> None:
    view, segment = line.bring(b"x" * KIB64)
    head = os.pread(segment.fd, 4096, 0)
    assert head[STATE] == LEASED
    assert sum(head) == LEASED
    del view
    assert sum(os.pread(segment.fd, 4096, 0)) == FREE


# What is lent


def lent(line: Line, data: bytes, number: int = 1000) -> tuple[memoryview, Segment, Mappings]:
    """Bring something, and lend it on to a third process; return that one's view of it."""
    view, segment = line.bring(data)
    mapped = line.mappings.find(address_of(view), view.nbytes)
    assert mapped is not None
    assert mapped.fd is not None
    mapped.is_lent = True
    third = Mappings()
    return third.open(number, mapped.fd, mapped.capacity, view.nbytes, is_lent=True), segment, third


def address_of(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


def test_what_is_lent_is_read_there_and_what_is_written_stays_there(line: Line) -> None:
    view, segment, _ = lent(line, b"x" * KIB64)
    assert view == b"x" * KIB64
    view[0] = ord("y")
    again, _ = line.bring(b"z" * KIB64)
    assert again == b"z" * KIB64
    assert bytes(view[:2]) == b"yx"
    assert segment.state != FREE


def test_a_segment_that_was_lent_is_spoiled_when_its_view_ends_and_not_when_the_other_one_does(
    line: Line,
) -> None:
    view, segment = line.bring(b"x" * KIB64)
    mapped = line.mappings.find(address_of(view), KIB64)
    assert mapped is not None
    assert mapped.fd is not None
    mapped.is_lent = True
    other = Mappings().open(1000, mapped.fd, mapped.capacity, KIB64, is_lent=True)
    del other
    assert segment.state == LEASED
    del view, mapped
    assert segment.state == SPOILED


def test_the_receiver_keeps_what_was_lent_though_both_others_let_go(line: Line) -> None:
    view, segment, _ = lent(line, b"x" * KIB64)
    line.arenas.tidy()
    line.mappings.sweep()
    segment.retire()
    assert view == b"x" * KIB64


def test_a_segment_is_lent_once(line: Line) -> None:
    view, _ = line.bring(b"x" * KIB64)
    mapped = line.mappings.find(address_of(view), KIB64)
    assert mapped is not None
    assert mapped.fd is not None
    third = Mappings()
    kept = third.open(1000, mapped.fd, mapped.capacity, KIB64, is_lent=True)
    with pytest.raises(WireError, match="segment 1000 is lent, and was used before"):
        third.open(1000, mapped.fd, mapped.capacity, KIB64, is_lent=True)
    with pytest.raises(WireError, match="before its descriptor has come"):
        third.open(1000, None, mapped.capacity, KIB64, is_lent=True)
    assert kept == b"x" * KIB64


def test_memory_of_ones_own_is_not_found(line: Line) -> None:
    view, _ = line.bring(b"x" * KIB64)
    own = memoryview(bytearray(KIB64))
    assert line.mappings.find(address_of(own), KIB64) is None
    assert line.mappings.find(address_of(view), 100 * MIB) is None
