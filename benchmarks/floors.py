"""What the media cost by themselves: as plainly as it can be done, without packing, checks or names."""

import mmap
import os
import pickle
import queue
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import zmq

from benchmarks.cases import (
    BETWEEN,
    BOOT,
    BOOT_2,
    BOOT_8,
    CALL,
    KIB,
    MIB,
    ONE,
    PACKING,
    Subject,
    echo,
)
from benchmarks.packing import round_trips
from benchmarks.processes import served
from benchmarks.timing import Works, each
from benchmarks.workers import burn
from benchmarks.works import cpu_map, echoes, payload

_MESSAGE: Final = b"x" * 64
_LENGTH: Final = 8
_PACKETS_UP_TO: Final = 64 * KIB  # longer ones may not fit into the buffer of a socket

STREAM: Final = "raw AF_UNIX stream"
PACKETS: Final = "raw AF_UNIX seqpacket"
RING: Final = "raw shared memory ring, eventfd"
ZMQ_IPC: Final = "raw ZeroMQ PAIR, ipc"
ZMQ_TCP: Final = "raw ZeroMQ PAIR, tcp"
ZMQ_CURVE: Final = "raw ZeroMQ PAIR, tcp with CURVE"
MEMCPY: Final = "memcpy"
ONE_PROCESS: Final = "a loop in one process"
QUEUES: Final = "two threads, SimpleQueue"
START_PYTHON: Final = "python -c pass"
PICKLE: Final = "pickle, protocol 5"


@contextmanager
def two_threads(share: float) -> Iterator[Works]:
    """A queue to another thread, and a queue back."""
    there: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    back: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def answer() -> None:
        while (message := there.get()) is not None:
            back.put(message)

    thread = threading.Thread(target=answer)
    thread.start()

    def once() -> None:
        there.put(_MESSAGE)
        back.get()

    try:
        yield {CALL: each(once)}
    finally:
        there.put(None)
        thread.join()


@contextmanager
def _connected(kind: socket.SocketKind, serve: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """A socket whose other end is served by another process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)

    def child(tell: Callable[[Any], None]) -> None:
        ours.close()
        tell("ready")
        with suppress(ConnectionError):
            serve(theirs)

    with ours, served(child):
        theirs.close()
        yield ours


def _answer_each(sock: socket.socket) -> None:
    while message := sock.recv(_PACKETS_UP_TO):
        sock.send(message)


@contextmanager
def unix_packets(share: float) -> Iterator[Works]:
    """A socket that keeps the borders of messages."""
    with _connected(socket.SOCK_SEQPACKET, _answer_each) as sock:

        def ask(message: bytes) -> bytes:
            sock.send(message)
            return sock.recv(_PACKETS_UP_TO)

        yield {
            CALL: each(lambda: ask(_MESSAGE)),
            **echoes(ask, kinds=("bytes",), largest=_PACKETS_UP_TO),
        }


class _Ring:
    """Messages to one other process, in memory that both see; an eventfd wakes who waits for them."""

    _SLOTS: Final = 16
    _SLOT: Final = 128

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self._SLOTS * self._SLOT)
        self._signal = os.eventfd(0, os.EFD_SEMAPHORE)
        self._next = 0

    def put(self, message: bytes) -> None:
        at = self._next % self._SLOTS * self._SLOT
        self._next += 1
        self._memory[at] = len(message)
        self._memory[at + 1 : at + 1 + len(message)] = message
        os.eventfd_write(self._signal, 1)

    def get(self) -> bytes:
        os.eventfd_read(self._signal)
        at = self._next % self._SLOTS * self._SLOT
        self._next += 1
        return self._memory[at + 1 : at + 1 + self._memory[at]]

    def close(self) -> None:
        self._memory.close()
        os.close(self._signal)


@contextmanager
def shared_ring(share: float) -> Iterator[Works]:
    """A ring of slots in shared memory in each direction."""
    there, back = _Ring(), _Ring()

    def answer(tell: Callable[[Any], None]) -> None:
        tell("ready")
        while True:
            back.put(there.get())

    with closing(there), closing(back), served(answer):

        def call() -> None:
            there.put(_MESSAGE)
            back.get()

        yield {CALL: each(call)}


def _send_framed(sock: socket.socket, content: bytes | bytearray) -> None:
    rest = memoryview(content)
    sent = sock.sendmsg([len(content).to_bytes(_LENGTH), rest]) - _LENGTH
    while sent < len(rest):
        sent += sock.send(rest[sent:])


def _receive_framed(sock: socket.socket) -> bytearray:
    header = sock.recv(_LENGTH, socket.MSG_WAITALL)
    if len(header) < _LENGTH:
        raise ConnectionResetError
    content = bytearray(int.from_bytes(header))
    rest = memoryview(content)
    while rest:
        count = sock.recv_into(rest)
        if not count:
            raise ConnectionResetError
        rest = rest[count:]
    return content


def _answer_framed(sock: socket.socket) -> None:
    while True:
        _send_framed(sock, _receive_framed(sock))


@contextmanager
def unix_stream(share: float) -> Iterator[Works]:
    """A stream of bytes: for calls as it is, for payloads with the length before each."""
    with (
        _connected(socket.SOCK_STREAM, _answer_each) as plain,
        _connected(socket.SOCK_STREAM, _answer_framed) as framed,
    ):

        def call() -> None:
            plain.send(_MESSAGE)
            plain.recv(len(_MESSAGE))

        def ask(content: bytes) -> bytearray:
            _send_framed(framed, content)
            return _receive_framed(framed)

        yield {CALL: each(call), **echoes(ask, kinds=("bytes",))}


Keys = tuple[bytes, bytes]
"""The public and the secret key of an end."""


def _serve_zmq(tell: Callable[[str], None], endpoint: str, keys: Keys | None) -> None:
    with zmq.Context() as context, context.socket(zmq.PAIR) as sock:
        if keys is not None:
            sock.curve_server = True
            sock.curve_publickey, sock.curve_secretkey = keys
        sock.bind(endpoint)
        tell(sock.getsockopt_string(zmq.LAST_ENDPOINT))
        while True:
            sock.send(sock.recv(copy=False), copy=False)


@contextmanager
def _zmq_pair(endpoint: str, keys: Keys | None = None) -> Iterator[Works]:
    with (
        served(_serve_zmq, endpoint, keys) as bound,
        zmq.Context() as context,
        context.socket(zmq.PAIR) as sock,
    ):
        sock.linger = 0
        if keys is not None:
            sock.curve_serverkey = keys[0]
            sock.curve_publickey, sock.curve_secretkey = zmq.curve_keypair()
        sock.connect(bound)

        def call() -> None:
            sock.send(_MESSAGE)
            sock.recv()

        def ask(content: bytes) -> object:
            sock.send(content, copy=False)
            return sock.recv(copy=False)

        call()
        yield {CALL: each(call), **echoes(ask, kinds=("bytes",))}


@contextmanager
def zmq_ipc(share: float) -> Iterator[Works]:
    """A ZeroMQ PAIR over `ipc`."""
    with (
        tempfile.TemporaryDirectory() as directory,
        _zmq_pair(f"ipc://{Path(directory) / 'pair'}") as works,
    ):
        yield works


@contextmanager
def zmq_tcp(share: float) -> Iterator[Works]:
    """A ZeroMQ PAIR over `tcp` on the loopback."""
    with _zmq_pair("tcp://127.0.0.1:*") as works:
        yield works


@contextmanager
def zmq_curve(share: float) -> Iterator[Works]:
    """The same, with what CURVE does to each message."""
    with _zmq_pair("tcp://127.0.0.1:*", zmq.curve_keypair()) as works:
        yield {CALL: works[CALL]}


@contextmanager
def memcpy(share: float) -> Iterator[Works]:
    """One copy of 64 MiB, from and into memory that has been written before.

    Fresh zeros would all be one and the same page, and copied from the cache.
    """
    source = payload("bytes", 64 * MIB)
    target = memoryview(bytearray(source))

    def copy() -> None:
        target[:] = source

    yield {echo(kind, "64 MiB"): each(copy) for kind in ("bytes", "array")}


@contextmanager
def one_process(share: float) -> Iterator[Works]:
    """The tasks of the map, one after the other."""
    yield cpu_map(lambda number: [burn(n) for n in range(number)])


@contextmanager
def start_python(share: float) -> Iterator[Works]:
    """Start interpreters that do nothing, all at once, and wait for their ends."""

    def once(number: int) -> None:
        started = [subprocess.Popen([sys.executable, "-c", "pass"]) for _ in range(number)]
        for process in started:
            process.wait()

    yield {BOOT_2: each(lambda: once(2)), BOOT_8: each(lambda: once(8))}


@contextmanager
def plain_pickle(share: float) -> Iterator[Works]:
    """What the C pickler of the standard library needs, where it suffices."""
    yield round_trips(lambda value: pickle.loads(pickle.dumps(value, 5)))


SUBJECTS: Final = (
    Subject(ONE, QUEUES, "floor", two_threads),
    Subject(BETWEEN, STREAM, "floor", unix_stream),
    Subject(BETWEEN, PACKETS, "floor", unix_packets),
    Subject(BETWEEN, RING, "floor", shared_ring),
    Subject(BETWEEN, ZMQ_IPC, "floor", zmq_ipc),
    Subject(BETWEEN, ZMQ_TCP, "floor", zmq_tcp),
    Subject(BETWEEN, ZMQ_CURVE, "floor", zmq_curve),
    Subject(BETWEEN, MEMCPY, "floor", memcpy),
    Subject(BETWEEN, ONE_PROCESS, "floor", one_process),
    Subject(BOOT, START_PYTHON, "floor", start_python),
    Subject(PACKING, PICKLE, "floor", plain_pickle),
)
