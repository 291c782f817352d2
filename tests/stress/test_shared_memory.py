"""Shared memory against a model, without growth, and under many threads."""

import gc
import os
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from corps.errors import Overloaded
from corps.transport.shared_memory.arenas import Arenas, Placed
from corps.transport.shared_memory.mappings import Mappings
from corps.transport.shared_memory.segments import HEAD

pytestmark = [pytest.mark.stress, pytest.mark.timeout(240)]

KIB = 1024
LIMIT = 400 * KIB
KEPT = 150 * KIB
MOST = 12
HOLDERS = st.integers(1, 4)

View = tuple[int, memoryview, bytes]
Line = tuple[Mappings, SimpleQueue[Any]]


class Model(RuleBasedStateMachine):
    """One sender and four receivers. What is in use shows what was placed, whatever else goes on."""

    placed: Bundle[tuple[int, Placed, bytes]] = Bundle("placed")
    views: Bundle[View] = Bundle("views")

    def __init__(self) -> None:
        super().__init__()
        self.arenas = Arenas(LIMIT, KEPT, most=MOST)
        self.receivers = {holder: Mappings() for holder in range(1, 5)}
        self.connections = dict.fromkeys(range(1, 5), 0)
        self.in_use: dict[int, View] = {}
        self.fill = random.Random(0)

    def connection(self, holder: int) -> int:
        return holder * 1000 + self.connections[holder]

    @rule(target=placed, holder=HOLDERS, size=st.integers(0, 120 * KIB))
    def place(self, holder: int, size: int) -> Any:
        data = bytes([self.fill.randrange(256)]) * size
        try:
            return holder, self.arenas.place([data], self.connection(holder)), data
        except Overloaded:
            self.arenas.tidy()
            statistics = self.arenas.statistics()
            leased = statistics["bytes"] - statistics["free_bytes"]
            count = statistics["segments"] - statistics["free_segments"]
            assert leased + size * 5 // 4 + 2 * HEAD > LIMIT or count == MOST
            return multiple()

    @rule(target=views, item=consumes(placed))
    def receive(self, item: tuple[int, Placed, bytes]) -> Any:
        holder, placed, data = item
        if placed.segment.holder != self.connection(holder) or placed.segment.lease != placed.lease:
            return multiple()  # its connection has ended meanwhile
        view = self.receivers[holder].open(
            placed.segment.number,
            placed.segment.fd if placed.is_first else None,
            placed.segment.capacity,
            placed.size,
        )
        # The key takes the place of the view, so that only this table refers to it.
        key = len(self.in_use) and max(self.in_use) + 1
        self.in_use[key] = (holder, view, data)
        return (key, memoryview(b""), b"")

    @rule(item=consumes(placed))
    def take_back(self, item: tuple[int, Placed, bytes]) -> None:
        self.arenas.take_back(item[1])

    @rule(item=consumes(views))
    def end(self, item: View) -> None:
        self.in_use.pop(item[0], None)

    @rule(holder=HOLDERS)
    def break_connection(self, holder: int) -> None:
        """The receiver lives on, with what it has; both sides begin anew."""
        self.arenas.release(self.connection(holder))
        self.receivers[holder].close()
        self.receivers[holder] = Mappings()
        self.connections[holder] += 1

    @rule(holder=HOLDERS)
    def fork(self, holder: int) -> None:
        self.receivers[holder].forking()

    @rule()
    def tidy(self) -> None:
        self.arenas.tidy()
        statistics = self.arenas.statistics()
        assert statistics["free_bytes"] <= KEPT

    @invariant()
    def what_is_in_use_is_as_it_was_placed(self) -> None:
        for _, view, data in self.in_use.values():
            assert view == data

    @invariant()
    def limits_hold(self) -> None:
        statistics = self.arenas.statistics()
        assert 0 <= statistics["free_bytes"] <= statistics["bytes"] <= LIMIT
        assert statistics["segments"] <= MOST

    def teardown(self) -> None:
        self.in_use.clear()
        for holder, mappings in self.receivers.items():
            self.arenas.release(self.connection(holder))
            mappings.close()
        assert self.arenas.statistics()["bytes"] == self.arenas.statistics()["free_bytes"]
        self.arenas.close()


def test_the_model_holds() -> None:
    run_state_machine_as_test(
        Model, settings=settings(max_examples=150, stateful_step_count=60, deadline=None)
    )
    gc.collect()  # the machines refer to themselves


def test_a_hundred_thousand_buffers_leave_nothing_behind() -> None:
    arenas, mappings = Arenas(64 * KIB * KIB, 8 * KIB * KIB), Mappings()
    process = psutil.Process()
    sizes = random.Random(1)
    data = memoryview(bytearray(512 * KIB))
    held: list[memoryview] = []

    def work(turns: int) -> tuple[int, int]:
        for _ in range(turns):
            placed = arenas.place([data[: sizes.randrange(4 * KIB, 64 * KIB)]], 1)
            fd = placed.segment.fd if placed.is_first else None
            held.append(mappings.open(placed.segment.number, fd, placed.segment.capacity, placed.size))
            if len(held) > 10:
                held.pop(sizes.randrange(10))
        return process.num_fds(), process.memory_info().rss

    fds, memory = work(20_000)
    fds_later, memory_later = work(80_000)
    assert fds_later <= fds + 20  # how many of which size are free differs from time to time
    assert memory_later <= memory + 16 * KIB * KIB
    assert arenas.statistics()["segments"] < 200
    held.clear()
    arenas.close()
    mappings.close()


def receivers(lines: list[Line], faults: Counter[str]) -> Iterator[threading.Thread]:
    """For each line a thread that reads, and hands on to two that check, keep for a while, and let go."""

    def check(inbox: SimpleQueue[Any], seed: int) -> None:
        chance = random.Random(seed)
        kept: list[tuple[np.ndarray[Any, Any], int]] = []
        while (item := inbox.get()) is not None:
            view, mark = item
            array = np.frombuffer(view, np.uint8)
            del view, item
            kept.append((array, mark))
            if chance.random() < 0.1:  # in a cycle
                cycle: list[Any] = [kept.pop()]
                cycle.append(cycle)
                del cycle
            if len(kept) > 5:
                array, mark = kept.pop(chance.randrange(5))
                if not (array == mark).all():
                    faults["another buffer shows"] += 1
            del array

    def read(mappings: Mappings, queue: SimpleQueue[Any], inboxes: list[SimpleQueue[Any]]) -> None:
        turn = 0
        while (item := queue.get()) is not None:
            segment, fd, capacity, size, mark = item
            try:
                view = mappings.open(segment, fd, capacity, size)
            except Exception as error:
                faults[str(error)] += 1
                continue
            finally:
                if fd is not None:
                    os.close(fd)
            inboxes[turn % 2].put((view, mark))
            del view
            turn += 1
        for inbox in inboxes:
            inbox.put(None)

    for number, (mappings, queue) in enumerate(lines):
        inboxes: list[SimpleQueue[Any]] = [SimpleQueue(), SimpleQueue()]
        yield threading.Thread(target=read, args=(mappings, queue, inboxes))
        for inbox in inboxes:
            yield threading.Thread(target=check, args=(inbox, number))


@pytest.mark.parametrize("seed", range(5))
def test_many_threads_on_both_sides_see_what_was_placed(seed: int) -> None:
    arenas = Arenas(16 * KIB * KIB, KIB * KIB, most=64)
    lines = [(Mappings(), SimpleQueue[Any]()) for _ in range(3)]
    send_locks = [threading.Lock() for _ in lines]
    faults: Counter[str] = Counter()

    def send(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        for _ in range(1000):
            holder = chance.randrange(3)
            mark = chance.randrange(256)
            try:
                placed = arenas.place([bytes([mark]) * chance.randrange(1, 100 * KIB)], holder)
            except Overloaded:
                continue
            if chance.random() < 0.1:
                arenas.take_back(placed)
                continue
            with send_locks[holder]:
                fd = os.dup(placed.segment.fd) if placed.is_first else None
                lines[holder][1].put((placed.segment.number, fd, placed.segment.capacity, placed.size, mark))

    readers = list(receivers(lines, faults))
    senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in readers + senders:
        thread.start()
    for thread in senders:
        thread.join()
    for _, queue in lines:
        queue.put(None)
    for thread in readers:
        thread.join()
    gc.collect()
    assert faults == Counter()
    arenas.tidy()
    statistics = arenas.statistics()
    assert statistics["bytes"] == statistics["free_bytes"] <= KIB * KIB
    arenas.close()
    for mappings, _ in lines:
        mappings.close()


def test_two_processes_exchange_many_buffers() -> None:
    """The receiver sums them up, keeps some, and lets go in any order."""
    here, there = socket.socketpair()
    here.settimeout(60)
    header = struct.Struct("QQQB")
    turns = 5000
    pid = os.fork()
    if pid == 0:
        wrong = 255
        try:
            wrong = _sum_up(there, header, turns)
        finally:
            os._exit(wrong)
    there.close()
    arenas = Arenas(8 * KIB * KIB, 2 * KIB * KIB)
    chance = random.Random(2)
    for turn in range(turns):
        mark = turn % 251
        placed = arenas.place([bytes([mark]) * chance.randrange(1, 300 * KIB)], 1)
        socket.send_fds(
            here,
            [header.pack(placed.segment.number, placed.segment.capacity, placed.size, mark)],
            [placed.segment.fd] if placed.is_first else [],
        )
        if turn % 8 == 7:
            here.recv(1)  # what is under way has bounds
    here.close()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    arenas.close()


def _sum_up(line: socket.socket, header: struct.Struct, turns: int) -> int:
    mappings = Mappings()
    kept: list[tuple[np.ndarray[Any, Any], int]] = []
    chance = random.Random(3)
    wrong = 0
    for turn in range(turns):
        packet, fds, _, _ = socket.recv_fds(line, header.size, 1)
        segment, capacity, size, mark = header.unpack(packet)
        view = mappings.open(segment, fds[0] if fds else None, capacity, size)
        for fd in fds:
            os.close(fd)
        kept.append((np.frombuffer(view, np.uint8), mark))
        del view
        if len(kept) > 4:
            array, expected = kept.pop(chance.randrange(4))
            wrong += not bool((array == expected).all())
            del array
        if turn % 8 == 7:
            line.sendall(b"k")
    return min(wrong, 254)
