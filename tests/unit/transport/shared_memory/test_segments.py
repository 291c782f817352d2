"""Claims about one segment: its sizes, its seals, and what is taken for one."""

import mmap
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.errors import WireError
from corps.transport.shared_memory.segments import (
    FREE,
    HEAD,
    LEASED,
    RETIRED,
    Segment,
    capacity_for,
    check_segment,
)

PAGE = mmap.PAGESIZE


@contextmanager
def memfd(size: int, flags: int = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING) -> Iterator[int]:
    fd = os.memfd_create("test", flags)
    try:
        os.ftruncate(fd, size)
        yield fd
    finally:
        os.close(fd)


def content(segment: Segment, size: int) -> bytes:
    return os.pread(segment.fd, size, HEAD)


@given(st.integers(0, 2**40))
def test_a_capacity_is_whole_pages_and_at_most_a_fifth_or_less_than_a_page_is_unused(size: int) -> None:
    capacity = capacity_for(size)
    assert capacity >= max(size, 1)
    assert capacity % PAGE == 0
    assert capacity - size <= max(PAGE, capacity // 5)
    assert capacity_for(capacity) == capacity


@given(st.integers(14, 40))
def test_a_power_of_two_fits_exactly_and_a_doubling_has_four_sizes(power: int) -> None:
    size = 2**power
    assert capacity_for(size) == size
    assert len({capacity_for(size + part * size // 64) for part in range(1, 65)}) == 4


@pytest.mark.parametrize("is_read_only", [False, True])
@pytest.mark.parametrize("size", [0, 1, PAGE - 1, PAGE + 1, 100_000, 5 * 2**20 + 3])
def test_what_is_filled_in_arrives_however_often_it_is_reused(size: int, is_read_only: bool) -> None:
    segment = Segment(1, capacity_for(size))
    for turn in range(3):
        source = memoryview(bytearray((turn + 1).to_bytes(1, "big") * size))
        segment.fill(source.toreadonly() if is_read_only else source)
        assert content(segment, size) == bytes(source)
        source.release()  # nothing holds on to it


def test_a_shorter_and_then_a_longer_buffer_fit_into_the_same_segment() -> None:
    segment = Segment(1, 10 * PAGE)
    for size in (5 * PAGE, 2 * PAGE, 5 * PAGE, 10 * PAGE, 1, 10 * PAGE):
        data = os.urandom(size)
        segment.fill(memoryview(data))
        assert content(segment, size) == data


def test_memory_that_was_filled_before_is_filled_again_without_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    segment = Segment(1, 10 * PAGE)
    segment.fill(memoryview(b"x" * 8 * PAGE))
    with monkeypatch.context() as patch:
        patch.delattr(os, "pwrite")
        for size in (5 * PAGE, 8 * PAGE, PAGE):
            segment.fill(memoryview(b"y" * size))
    assert content(segment, 9 * PAGE) == b"y" * 8 * PAGE + b"\0" * PAGE


def test_filling_changes_no_state() -> None:
    segment = Segment(1, PAGE)
    assert segment.state == FREE
    segment.mark(LEASED)
    segment.fill(memoryview(b"x" * PAGE))
    assert segment.state == LEASED


def test_nobody_can_change_the_size_of_a_segment() -> None:
    segment = Segment(1, PAGE)
    for size in (0, HEAD, HEAD + PAGE - 1, HEAD + PAGE + 1):
        with pytest.raises(PermissionError):
            os.ftruncate(segment.fd, size)
    with pytest.raises(PermissionError):
        os.pwrite(segment.fd, b"x", segment.size)


def test_the_descriptor_lives_as_long_as_the_segment_and_is_not_inherited() -> None:
    segment = Segment(1, PAGE)
    fd = segment.fd
    assert not os.get_inheritable(fd)
    del segment
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


def test_a_free_segment_that_retires_gives_its_memory_back_though_others_have_it() -> None:
    segment = Segment(1, 64 * PAGE)
    with closing(mmap.mmap(segment.fd, segment.size)) as other:
        segment.fill(memoryview(b"x" * 64 * PAGE))
        segment.retire()
        assert os.fstat(segment.fd).st_blocks * 512 == HEAD
        assert other[RETIRED]
        assert other[HEAD : HEAD + 2] == b"\0\0"


def test_a_leased_segment_that_retires_keeps_what_is_in_it() -> None:
    segment = Segment(1, PAGE)
    segment.mark(LEASED)
    segment.fill(memoryview(b"x" * PAGE))
    segment.retire()
    assert content(segment, PAGE) == b"x" * PAGE


def test_a_segment_is_taken_for_one() -> None:
    segment = Segment(1, 3 * PAGE)
    check_segment(segment.fd, 3 * PAGE)


@pytest.mark.parametrize("capacity", [0, PAGE - 1, PAGE + 1, 2 * PAGE, -HEAD, -1, 2**63, 2**80])
def test_a_segment_of_another_size_is_refused(capacity: int) -> None:
    segment = Segment(1, PAGE)
    with pytest.raises(WireError, match="announced"):
        check_segment(segment.fd, capacity)


def test_shared_memory_that_could_shrink_is_refused() -> None:
    with memfd(HEAD + PAGE) as fd, pytest.raises(WireError, match="could shrink"):
        check_segment(fd, PAGE)
    with memfd(HEAD + PAGE, os.MFD_CLOEXEC) as fd, pytest.raises(WireError, match="could shrink"):
        check_segment(fd, PAGE)


def test_what_is_no_shared_memory_is_refused() -> None:
    read, write = os.pipe()
    with open("/dev/null", "rb") as null, open(__file__, "rb") as plain:
        for fd in (read, write, null.fileno(), plain.fileno()):
            with pytest.raises(WireError):
                check_segment(fd, PAGE)
    os.close(read)
    os.close(write)
