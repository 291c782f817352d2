"""Claims about the side that fills shared memory. The receivers are played by hand: they write one byte."""

import os
import threading
from itertools import count
from typing import Any

import pytest

from corps.errors import ClosedError, Overloaded
from corps.transport.shared_memory import arenas as arenas_file
from corps.transport.shared_memory.arenas import Arenas, Placed
from corps.transport.shared_memory.segments import FREE, HEAD, LEASED, SPOILED, Segment

MIB = 2**20
KIB64 = 65536


def free(placed: Placed) -> None:
    """What the end of the last view does, in the receiver."""
    placed.segment.mark(FREE)


def content(placed: Placed) -> bytes:
    return os.pread(placed.segment.fd, placed.size, HEAD)


def roomy() -> Arenas:
    return Arenas(1024 * MIB, 1024 * MIB)


def test_what_is_placed_is_in_the_segment_that_is_told() -> None:
    data = os.urandom(100_000)
    placed = roomy().place([data], 1)
    assert content(placed) == data
    assert (placed.size, placed.is_first, placed.segment.state) == (100_000, True, LEASED)
    assert placed.segment.capacity >= placed.size


@pytest.mark.parametrize(
    "buffer",
    [
        b"x" * 24,
        bytearray(b"x" * 24),
        memoryview(b"x" * 24),
        memoryview(b"x" * 24).cast("q"),
        memoryview(b"x" * 24).cast("B", (2, 3, 4)),
        memoryview(b"y" * 8 + b"x" * 24)[8:],
        b"",
    ],
)
def test_every_contiguous_buffer_can_be_placed(buffer: Any) -> None:
    assert content(roomy().place([buffer], 1)) == b"x" * memoryview(buffer).nbytes


def test_a_buffer_with_gaps_is_refused_and_leases_nothing() -> None:
    arenas = roomy()
    for gappy in (memoryview(b"abcd")[::2], memoryview(b"abcd")[::-1], memoryview(b"x" * 24).cast("q")[::2]):
        with pytest.raises(TypeError):
            arenas.place([gappy], 1)
    assert arenas.statistics()["segments"] == 0


def test_all_buffers_of_a_message_lie_in_one_segment() -> None:
    buffers = [os.urandom(size) for size in (100_000, 1, 0, 5000, 64)]
    arenas = roomy()
    placed = arenas.place(buffers, 1)
    found = [content(placed)[at:][: len(buffer)] for at, buffer in zip(placed.offsets, buffers, strict=True)]
    assert found == buffers
    assert [at % 64 for at in placed.offsets] == [0] * 5
    assert arenas.statistics()["segments"] == 1
    free(placed)
    again = arenas.place([b"short", bytes(105_000)], 1)  # some of it was written before, and some never
    assert again.segment is placed.segment
    assert (content(again)[:5], content(again)[64:]) == (b"short", bytes(105_000))


def test_a_segment_is_leased_once_at_a_time() -> None:
    arenas = roomy()
    first, second = arenas.place([b"1" * KIB64], 1), arenas.place([b"2" * KIB64], 1)
    assert first.segment != second.segment
    assert content(first) == b"1" * KIB64


def test_a_segment_that_its_receiver_freed_is_used_again() -> None:
    arenas = roomy()
    first = arenas.place([b"1" * KIB64], 1)
    free(first)
    second = arenas.place([b"2" * KIB64], 1)
    assert second.segment is first.segment
    assert content(second) == b"2" * KIB64
    assert second.segment.state == LEASED


def test_the_descriptor_is_wanted_once_for_each_holder() -> None:
    arenas = roomy()
    seen = []
    for holder in (1, 1, 2, 1, 2, 3):
        placed = arenas.place([b"x" * KIB64], holder)
        free(placed)
        seen.append(placed.is_first)
    assert seen == [True, False, True, False, False, True]
    arenas.release(1)
    assert arenas.place([b"x" * KIB64], 1).is_first


def test_a_free_segment_takes_a_buffer_of_half_its_size_and_none_that_is_smaller() -> None:
    arenas = roomy()
    large = arenas.place([b"x" * MIB], 1)
    free(large)
    half = arenas.place([b"x" * (MIB // 2)], 1)
    assert half.segment == large.segment
    free(half)
    assert arenas.place([b"x" * (MIB // 4)], 1).segment != large.segment


def test_what_fits_exactly_is_taken_before_what_is_larger() -> None:
    arenas = roomy()
    large, exact = arenas.place([b"x" * MIB], 1), arenas.place([b"x" * (MIB // 2)], 1)
    free(large)
    free(exact)
    assert arenas.place([b"x" * (MIB // 2)], 1).segment == exact.segment


def test_a_freed_segment_is_found_among_many_that_are_leased() -> None:
    arenas = roomy()
    many = [arenas.place([b"x" * 5000], 1) for _ in range(200)]
    for placed in (many[0], many[100], many[199]):
        free(placed)
        assert arenas.place([b"x" * 5000], 2).segment is placed.segment
    assert arenas.statistics()["segments"] == 200


def test_freed_segments_that_fit_nothing_are_found_too_and_given_back() -> None:
    arenas = Arenas(1024 * MIB, 0)
    held = [arenas.place([b"x" * KIB64], 1) for _ in range(100)]
    small = arenas.place([b"x"], 1)
    for placed in (*held, small):
        free(placed)
    for _ in range(20):
        free(arenas.place([b"x"], 1))
    assert arenas.statistics()["segments"] <= 1


def test_past_the_limit_it_is_overloaded_and_says_who_holds_what() -> None:
    arenas = Arenas(4 * MIB, MIB)
    held = [arenas.place([b"x" * MIB], holder) for holder in (7, 8, 8)]
    whose = f"peer 8: {2 * (MIB + HEAD)} bytes in 2, peer 7: {MIB + HEAD} bytes in 1.*shared_memory.bytes"
    with pytest.raises(Overloaded, match=whose):
        arenas.place([b"x" * MIB], 9)
    free(held[0])
    assert arenas.place([b"x" * MIB], 9).segment == held[0].segment


def test_a_buffer_larger_than_the_limit_is_overloaded_at_once_and_drops_nothing() -> None:
    arenas = Arenas(4 * MIB, 4 * MIB)
    free(arenas.place([b"x" * MIB], 1))
    with pytest.raises(Overloaded, match="held by receivers \\(by none\\)"):
        arenas.place([b"x" * (4 * MIB)], 1)
    assert arenas.statistics()["free_segments"] == 1


def test_free_segments_make_room_for_one_of_another_size_the_oldest_first() -> None:
    arenas = Arenas(4 * MIB + 2 * HEAD, 4 * MIB)
    young, old = arenas.place([b"x" * MIB], 1), arenas.place([b"x" * (MIB // 4)], 1)
    free(old)
    arenas.tidy()
    free(young)
    arenas.tidy()
    arenas.place([b"x" * (3 * MIB)], 1)
    assert arenas.statistics() == {
        "segments": 2,
        "bytes": 4 * MIB + 2 * HEAD,
        "free_segments": 1,
        "free_bytes": MIB + HEAD,
    }
    assert arenas.place([b"x" * MIB], 1).segment == young.segment


def test_no_more_segments_than_allowed_are_made() -> None:
    arenas = Arenas(1024 * MIB, 1024 * MIB, most=3)
    held = [arenas.place([b"x"], 1) for _ in range(3)]
    with pytest.raises(Overloaded, match="3 of 3 segments"):
        arenas.place([b"x"], 1)
    free(held[1])
    arenas.place([b"x" * MIB], 1)  # the free one is too small, and makes place
    assert arenas.statistics()["segments"] == 3


def test_free_memory_beyond_what_is_kept_goes_back() -> None:
    arenas = Arenas(1024 * MIB, 3 * MIB)
    held = [arenas.place([b"x" * MIB], 1) for _ in range(5)]
    for placed in held:
        free(placed)
    arenas.tidy()
    assert arenas.statistics()["free_segments"] == 2
    assert sum(os.fstat(placed.segment.fd).st_blocks * 512 == HEAD for placed in held) == 3


def test_what_was_not_sent_is_free_again_and_not_known() -> None:
    arenas = roomy()
    first = arenas.place([b"x" * KIB64], 1)
    arenas.take_back(first)
    again = arenas.place([b"x" * KIB64], 1)
    assert again.segment == first.segment
    assert again.is_first
    free(again)
    third = arenas.place([b"x" * KIB64], 1)
    arenas.take_back(third)
    assert not arenas.place([b"x" * KIB64], 1).is_first


def test_taking_back_a_lease_that_has_ended_makes_no_difference() -> None:
    arenas = roomy()
    first = arenas.place([b"x" * KIB64], 1)
    free(first)
    second = arenas.place([b"y" * KIB64], 1)
    arenas.take_back(first)
    assert second.segment.state == LEASED
    arenas.release(1)
    arenas.take_back(second)
    assert arenas.statistics()["segments"] == 0


def test_what_a_lost_peer_holds_is_never_used_again() -> None:
    arenas = roomy()
    lost = arenas.place([b"1" * KIB64], 1)
    other = arenas.place([b"2" * KIB64], 2)
    arenas.release(1)
    assert arenas.place([b"3" * KIB64], 2).segment not in {lost.segment, other.segment}
    assert content(lost) == b"1" * KIB64  # it may still be read over there
    assert arenas.statistics()["segments"] == 2


def test_what_a_lost_peer_had_given_back_is_used_again() -> None:
    arenas = roomy()
    placed = arenas.place([b"1" * KIB64], 1)
    free(placed)
    arenas.release(1)
    assert arenas.place([b"1" * KIB64], 2).segment is placed.segment


@pytest.mark.parametrize("state", [SPOILED, 3, 255])
def test_a_segment_with_any_other_state_is_never_used_again(state: int) -> None:
    arenas = roomy()
    spoiled = arenas.place([b"x" * KIB64], 1)
    spoiled.segment.mark(state)
    assert arenas.place([b"y" * KIB64], 1).segment != spoiled.segment
    assert content(spoiled) == b"x" * KIB64
    assert arenas.statistics()["segments"] == 1


def test_a_closed_one_places_nothing_and_leaves_what_was_received() -> None:
    arenas = roomy()
    placed, freed = arenas.place([b"x" * KIB64], 1), arenas.place([b"x"], 1)
    free(freed)
    arenas.close()
    arenas.close()
    with pytest.raises(ClosedError):
        arenas.place([b"x"], 1)
    assert content(placed) == b"x" * KIB64
    arenas.take_back(placed)
    arenas.release(1)
    arenas.tidy()
    assert arenas.statistics()["bytes"] == 0


def test_a_descriptor_stays_open_while_it_is_sent_whoever_closes() -> None:
    arenas = roomy()
    placed = arenas.place([b"x"], 1)
    arenas.release(1)
    arenas.close()
    fd = placed.segment.fd
    os.fstat(fd)
    del placed
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


def test_a_system_that_gives_no_memory_is_overloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(24, "Too many open files")

    arenas = roomy()
    with monkeypatch.context() as patch:
        patch.setattr(os, "memfd_create", refused)
        with pytest.raises(Overloaded, match="Too many open files"):
            arenas.place([b"x"], 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", refused)
        with pytest.raises(Overloaded, match="Too many open files"):
            arenas.place([b"x"], 1)
    assert arenas.place([b"x"], 1).is_first
    assert arenas.statistics()["segments"] == 1


def test_nothing_is_copied_under_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    arenas = roomy()
    has_begun, may_go_on = threading.Event(), threading.Event()
    real = Segment.fill

    def slow(self: Segment, source: memoryview, offset: int) -> None:
        if source.nbytes == 1:
            has_begun.set()
            assert may_go_on.wait(30)
        real(self, source, offset)

    monkeypatch.setattr(Segment, "fill", slow)
    placed: list[Placed] = []
    thread = threading.Thread(target=lambda: placed.append(arenas.place([b"x"], 1)))
    thread.start()
    assert has_begun.wait(30)
    other = arenas.place([b"y" * KIB64], 2)
    arenas.release(1)  # in the midst of the copying
    may_go_on.set()
    thread.join()
    assert content(placed[0]) == b"x"
    assert content(other) == b"y" * KIB64
    assert arenas.statistics()["segments"] == 1


def test_the_time_for_a_lease_does_not_grow_with_the_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = count()

    class Watched(Segment):
        @property
        def state(self) -> int:
            next(looks)
            return super().state

    monkeypatch.setattr(arenas_file, "Segment", Watched)
    arenas = roomy()
    for _ in range(200):
        arenas.place([b"x" * 5000], 1)
    free(arenas.place([b"x" * 5000], 2))
    before = next(looks)
    for _ in range(100):
        free(arenas.place([b"x" * 5000], 2))
    assert next(looks) - before < 100 * 20


def test_many_threads_never_share_a_segment() -> None:
    arenas = Arenas(64 * MIB, MIB)
    faults: list[str] = []

    def work(holder: int) -> None:
        data = bytes([holder]) * 20_000
        for turn in range(200):
            placed = arenas.place([data], holder)
            if content(placed) != data:
                faults.append(f"peer {holder}, turn {turn}")
            if turn % 50 == 49:
                arenas.release(holder)
            elif turn % 3:
                free(placed)
            else:
                arenas.take_back(placed)

    threads = [threading.Thread(target=work, args=(holder,)) for holder in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    arenas.tidy()
    statistics = arenas.statistics()
    assert statistics["bytes"] == statistics["free_bytes"] <= MIB
