"""Claims about shared memory between processes: it passes from one to another, and outlives either."""

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from corps.transport.shared_memory.arenas import Arenas, Placed
from corps.transport.shared_memory.mappings import Mappings
from corps.transport.shared_memory.segments import HEAD, LEASED
from tests.quiet import said_by

MIB = 2**20
HEADER = struct.Struct("QQQ")

Work = Callable[[socket.socket], None]


@contextmanager
def child(work: Work) -> Iterator[tuple[int, socket.socket]]:
    """A forked process that does some work with its end of a socket. It is killed in the end."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            ours.close()
            work(theirs)
            status = 0
        finally:
            os._exit(status)
    theirs.close()
    ours.settimeout(30)
    try:
        yield pid, ours
    finally:
        ours.close()
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def send(line: socket.socket, placed: Placed) -> None:
    header = HEADER.pack(placed.segment.number, placed.segment.capacity, placed.size)
    socket.send_fds(line, [header], [placed.segment.fd] if placed.is_first else [])


def receive(line: socket.socket, mappings: Mappings) -> memoryview | None:
    header, fds, _, _ = socket.recv_fds(line, HEADER.size, 1)
    if not header:
        return None
    segment, capacity, size = HEADER.unpack(header)
    view = mappings.open(segment, fds[0] if fds else None, capacity, size)
    for fd in fds:
        os.close(fd)
    return view


def echo_sums(line: socket.socket) -> None:
    """Answers each buffer by the sum of its bytes, when it is done with the memory."""
    mappings = Mappings()
    while (view := receive(line, mappings)) is not None:
        total = int(np.frombuffer(view, np.uint8).sum())
        del view
        line.sendall(struct.pack("Q", total))


def hold(line: socket.socket) -> None:
    """Keeps what it gets, until it is killed."""
    view = receive(line, Mappings())
    line.sendall(b"k")
    line.recv(1)
    assert view is not None


def test_buffers_go_from_process_to_process_through_the_same_memory() -> None:
    arenas = Arenas(64 * MIB, 64 * MIB)
    generator = np.random.default_rng(1)
    with child(echo_sums) as (_, line):
        for size in (100_000, 5 * MIB, 1, 100_001, 6 * MIB) * 5:
            data = generator.integers(0, 255, size, np.uint8)
            send(line, arenas.place([data.data], 1))
            assert struct.unpack("Q", line.recv(8))[0] == data.sum()
    assert arenas.statistics()["segments"] <= 4
    arenas.close()


def test_what_a_killed_receiver_held_is_retired() -> None:
    arenas = Arenas(64 * MIB, 64 * MIB)
    with child(hold) as (pid, line):
        placed = arenas.place([b"x" * MIB], 1)
        send(line, placed)
        assert line.recv(1) == b"k"
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    arenas.tidy()
    assert placed.segment.state == LEASED  # nobody is left to free it
    assert arenas.statistics()["segments"] == 1
    arenas.release(1)
    assert arenas.statistics() == {"segments": 0, "bytes": 0, "free_segments": 0, "free_bytes": 0}


@pytest.mark.parametrize("ending", [signal.SIGKILL, None])
def test_what_was_received_outlives_its_sender(ending: signal.Signals | None) -> None:
    def sender(line: socket.socket) -> None:
        arenas = Arenas(64 * MIB, 0)
        placed = arenas.place([b"x" * MIB], 1)
        send(line, placed)
        line.recv(1)
        arenas.close()

    with child(sender) as (pid, line):
        mappings = Mappings()
        view = receive(line, mappings)
        assert view is not None
        if ending is None:
            line.sendall(b"k")
        else:
            os.kill(pid, ending)
        os.waitpid(pid, 0)
    mappings.close()
    assert bytes(view) == b"x" * MIB
    view[0] = 1


def test_a_receiver_that_hangs_cannot_change_what_is_sent_to_others() -> None:
    def scribble(line: socket.socket) -> None:
        view = receive(line, Mappings())
        assert view is not None
        line.sendall(b"k")
        line.recv(1)
        view[:] = b"!" * len(view)
        line.sendall(b"k")
        line.recv(1)

    arenas = Arenas(64 * MIB, 64 * MIB)
    with child(scribble) as (_, line):
        send(line, arenas.place([b"1" * MIB], 1))
        assert line.recv(1) == b"k"
        arenas.release(1)  # it does not answer: it is given up
        other = arenas.place([b"2" * MIB], 2)
        line.sendall(b"k")
        assert line.recv(1) == b"k"
        assert os.pread(other.segment.fd, MIB, HEAD) == b"2" * MIB
    arenas.close()


def test_a_fork_of_the_receiver_keeps_what_it_saw() -> None:
    """The child has an array of the receiver, which lets go of it and gets the next one."""
    arenas, mappings = Arenas(64 * MIB, 64 * MIB), Mappings()
    here, there = socket.socketpair()
    here.settimeout(30)
    there.settimeout(30)

    def bring(data: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        send(here, arenas.place([data], 1))
        view = receive(there, mappings)
        assert view is not None
        return np.frombuffer(view, np.uint8)

    arrays = [bring(b"1" * MIB)]

    def look(line: socket.socket) -> None:
        line.recv(1)
        line.sendall(bytes(arrays[0][:1]))

    mappings.forking()
    with child(look) as (_, line):
        mappings.forking()
        arrays.clear()
        again = bring(b"2" * MIB)
        line.sendall(b"k")
        assert line.recv(1) == b"1"
        assert again[0] == ord("2")
    del again
    arenas.close()
    mappings.close()
    here.close()
    there.close()


def test_a_process_may_end_with_views_everywhere_and_says_nothing() -> None:
    script = """
import os, threading
from corps.transport.shared_memory.arenas import Arenas
from corps.transport.shared_memory.mappings import Mappings
arenas, mappings = Arenas(2**24, 2**24), Mappings()
views = []
for holder in range(5):
    placed = arenas.place([b"x" * 70000], 1)
    at = placed.segment
    views.append(mappings.open(at.number, at.fd, at.capacity, placed.size))
cycle = [views[0], views.pop()]
cycle.append(cycle)
os.kept = views[1]
class Late:
    def __init__(self, view): self.view = view; self.me = self
    def __del__(self): assert self.view[0] == 120
late = Late(views[2])
threading.late = Late(views[3])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=os.getcwd()
    )
    assert (done.returncode, done.stdout, said_by(done.stderr)) == (0, "", "")
