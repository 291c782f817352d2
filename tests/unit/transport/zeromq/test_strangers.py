"""Claims about connections over `tcp` that have not proved who they are; libzmq's word is the test's."""

import errno
import socket
from collections import deque
from collections.abc import Iterator
from struct import pack
from typing import Any

import pytest
import zmq

import corps.transport.zeromq.strangers as module
from corps.reserve import Reserve
from corps.security.audit import Audit
from corps.transport.strangers import MOST
from corps.transport.zeromq.strangers import ZmqStrangers

ACCEPTED, GONE, PROVED = zmq.EVENT_ACCEPTED, zmq.EVENT_DISCONNECTED, zmq.EVENT_HANDSHAKE_SUCCEEDED
NONE = 2**30  # no descriptor


class Libzmq:
    """A context, a ROUTER socket and the monitor of it, which tells what the test has it tell."""

    linger = rcvhwm = 0

    def __init__(self) -> None:
        self.time = 100.0
        self.told: deque[tuple[int, int] | None] = deque()  # None: that is all for now

    def now(self) -> float:
        return self.time

    def socket(self, _: int) -> "Libzmq":
        return self

    def tell(self, *events: tuple[int, int]) -> None:
        self.told.extend((*events, None))

    def recv_multipart(self, _: int) -> list[bytes]:
        event = self.told.popleft() if self.told else None
        if event is None:
            raise zmq.Again
        return [pack("=HI", *event), b"tcp://127.0.0.1:1"]

    def monitor(self, *_: Any) -> None: ...

    def connect(self, _: str) -> None: ...


@pytest.fixture
def libzmq(monkeypatch: pytest.MonkeyPatch) -> Libzmq:
    libzmq = Libzmq()
    monkeypatch.setattr(module, "now", libzmq.now)
    return libzmq


@pytest.fixture
def strangers(libzmq: Any) -> Iterator[ZmqStrangers]:
    reserve = Reserve(1)
    yield ZmqStrangers(libzmq, libzmq, 3.0, reserve, Audit("env1"))
    reserve.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The oldest stranger, and the peer of that."""
    own, peer = socket.socketpair()
    with own, peer:
        peer.setblocking(False)
        yield own, peer


def is_shut_down(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) == b""
    except BlockingIOError:
        return False


def others(count: int) -> list[tuple[int, int]]:
    return [(ACCEPTED, NONE + place) for place in range(count)]


def test_the_oldest_is_shut_down_when_there_is_one_too_many(
    libzmq: Libzmq, strangers: ZmqStrangers, pair: tuple[socket.socket, socket.socket]
) -> None:
    own, peer = pair
    libzmq.tell((ACCEPTED, own.fileno()), *others(MOST - 1))
    strangers.look()
    assert not is_shut_down(peer)
    libzmq.tell((ACCEPTED, NONE + MOST))
    strangers.look()
    assert is_shut_down(peer)


@pytest.mark.parametrize("is_accepted_again", [False, True])
def test_a_descriptor_that_is_another_ones_by_now_is_left_alone(
    libzmq: Libzmq,
    strangers: ZmqStrangers,
    pair: tuple[socket.socket, socket.socket],
    is_accepted_again: bool,
) -> None:
    own, peer = pair
    libzmq.tell((ACCEPTED, own.fileno()), *others(MOST))
    libzmq.tell((GONE, own.fileno()), *[(ACCEPTED, own.fileno())] * is_accepted_again)
    strangers.look()
    assert not is_shut_down(peer)


def test_who_is_gone_or_has_said_something_or_has_lived_longer_is_none(
    libzmq: Libzmq, strangers: ZmqStrangers, pair: tuple[socket.socket, socket.socket]
) -> None:
    own, peer = pair
    libzmq.tell((ACCEPTED, own.fileno()), *others(MOST - 1))
    strangers.look()
    libzmq.tell((GONE, NONE), (ACCEPTED, NONE + MOST))
    strangers.look()
    strangers.remove(NONE + 1)
    strangers.remove(NONE + 1)
    libzmq.tell((ACCEPTED, NONE + MOST + 1))
    strangers.look()
    assert not is_shut_down(peer)
    libzmq.time += 3.0
    libzmq.tell((ACCEPTED, NONE))
    strangers.look()
    strangers.remove(NONE)
    assert not strangers.are_some
    assert not is_shut_down(peer)


def test_as_many_more_may_come_as_have_proved_themselves_of_late(
    libzmq: Libzmq, strangers: ZmqStrangers, pair: tuple[socket.socket, socket.socket]
) -> None:
    own, peer = pair
    libzmq.tell((PROVED, 0))
    strangers.look()
    libzmq.time += 2.0
    libzmq.tell((ACCEPTED, own.fileno()), *others(MOST))
    strangers.look()
    assert not is_shut_down(peer)
    libzmq.time += 1.0  # the proof is an old one
    libzmq.tell((ACCEPTED, NONE + MOST), (GONE, NONE + MOST))
    strangers.look()
    assert is_shut_down(peer)


def test_without_a_descriptor_for_it_one_is_left_to_its_time(
    libzmq: Libzmq,
    strangers: ZmqStrangers,
    pair: tuple[socket.socket, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: int) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    own, peer = pair
    monkeypatch.setattr("os.dup", refuse)
    libzmq.tell((ACCEPTED, own.fileno()), *others(MOST))
    strangers.look()
    assert not is_shut_down(peer)


def test_however_many_come_one_look_ends(
    libzmq: Libzmq, strangers: ZmqStrangers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Was a defect: who came again at once kept the thread that reads busy until its Env was killed."""
    shut: list[int] = []

    def shut_down(fd: int) -> None:
        del strangers._since[fd]
        shut.append(fd)

    monkeypatch.setattr(strangers, "_shut_down", shut_down)
    libzmq.tell(*((ACCEPTED, NONE + at) for at in range(MOST + 3 * module._AT_ONCE)))
    for looks in range(1, 4):
        strangers.look()
        assert len(shut) == looks * module._AT_ONCE
    assert shut == [NONE + at for at in range(3 * module._AT_ONCE)]


def test_who_may_have_gone_meanwhile_is_not_shut_down(
    libzmq: Libzmq, strangers: ZmqStrangers, pair: tuple[socket.socket, socket.socket]
) -> None:
    own, peer = pair
    libzmq.tell((ACCEPTED, own.fileno()), *((ACCEPTED, NONE + at) for at in range(MOST)))
    libzmq.told.extend([(GONE, NONE + at) for at in range(module._REPORTS)])  # more than is read in one go
    strangers.look()
    assert not is_shut_down(peer)
