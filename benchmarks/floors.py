"""What the media cost by themselves: a 64-byte message there and back, as plainly as it can be done."""

import multiprocessing
import os
import queue
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from benchmarks.cases import Case, Measure, each

_MESSAGE = b"x" * 64
_FORK = multiprocessing.get_context("fork")


@contextmanager
def two_threads() -> Iterator[Measure]:
    """A queue to another thread, and a queue back."""
    there: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    back: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def echo() -> None:
        while (message := there.get()) is not None:
            back.put(message)

    thread = threading.Thread(target=echo)
    thread.start()

    def once() -> None:
        there.put(_MESSAGE)
        back.get()

    try:
        yield each(once)
    finally:
        there.put(None)
        thread.join()


def _unix_echo(sock: socket.socket) -> None:
    while message := sock.recv(1024):
        sock.send(message)


@contextmanager
def unix_sockets() -> Iterator[Measure]:
    """An AF_UNIX SOCK_SEQPACKET pair to another process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = _FORK.Process(target=_unix_child, args=(ours, theirs), daemon=True)
    process.start()
    theirs.close()

    def once() -> None:
        ours.send(_MESSAGE)
        ours.recv(1024)

    try:
        yield each(once)
    finally:
        ours.close()
        process.join()


def _unix_child(ours: socket.socket, theirs: socket.socket) -> None:
    ours.close()
    _unix_echo(theirs)
    os._exit(0)


def _zmq_child(endpoint: str) -> None:
    with zmq.Context() as context, context.socket(zmq.PAIR) as sock:
        sock.connect(endpoint)
        while message := sock.recv():
            sock.send(message)
        sock.send(b"")
    os._exit(0)


@contextmanager
def _zmq_pair(endpoint: str) -> Iterator[Measure]:
    process = _FORK.Process(target=_zmq_child, args=(endpoint,), daemon=True)
    process.start()
    with zmq.Context() as context, context.socket(zmq.PAIR) as sock:
        sock.bind(endpoint)

        def once() -> None:
            sock.send(_MESSAGE)
            sock.recv()

        once()
        try:
            yield each(once)
        finally:
            sock.send(b"")
            sock.recv()
    process.join()


@contextmanager
def zmq_ipc() -> Iterator[Measure]:
    """A ZeroMQ PAIR over `ipc` to another process."""
    with (
        tempfile.TemporaryDirectory() as directory,
        _zmq_pair(f"ipc://{Path(directory) / 'pair'}") as measure,
    ):
        yield measure


@contextmanager
def zmq_tcp() -> Iterator[Measure]:
    """A ZeroMQ PAIR over `tcp` on the loopback to another process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with _zmq_pair(f"tcp://127.0.0.1:{port}") as measure:
        yield measure


CASES = [
    Case("call in one Env", "two threads, SimpleQueue", two_threads, is_floor=True),
    Case("call between Envs, ipc", "raw AF_UNIX SEQPACKET", unix_sockets, is_floor=True),
    Case("call between Envs, ipc", "raw ZeroMQ PAIR ipc", zmq_ipc, is_floor=True),
    Case("call between Envs, tcp", "raw ZeroMQ PAIR tcp", zmq_tcp, is_floor=True),
]
