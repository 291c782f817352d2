"""Every transport refuses peers of another version; they hear of it if they are the side that connects."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgpack
import pytest
import zmq

from corps.launchers.local.runtime_dir import make_runtime_dir, remove_runtime_dir
from corps.messages.members import Member
from corps.security.keys import KeyPair, new_key_pair
from corps.transport.link import Transport
from corps.transport.unix.transport import UnixTransport
from corps.transport.zeromq.transport import ZmqTransport
from corps.wire.frames import HELLO, VERSION, Hello
from corps.wire.link_frames import PREFIX
from corps.wire.stream import head
from tests.contract.stations import Station

CORPS = "0123456789abcdef"


def hello_of(version: int, *rest: object) -> bytes:
    data: bytes = msgpack.packb([HELLO, "corps", version, *rest])
    return data


class OtherHello(Hello):
    """Says that it is of another version."""

    version = 3

    def header(self) -> bytes:
        return hello_of(self.version, *self)


@pytest.fixture
def directory() -> Iterator[str]:
    made = make_runtime_dir()
    yield made
    remove_runtime_dir(made)


def station(way: str, directory: str, env: int, make: type[Hello] = Hello) -> Station:
    hello = make(CORPS, env, secrets.token_hex(16))
    keys: KeyPair | None = None
    transport: Transport
    if way == "unix":
        transport = UnixTransport(hello, runtime_dir=directory)
    elif way == "ipc":
        transport = ZmqTransport(hello, runtime_dir=directory)
    else:
        keys = new_key_pair()
        transport = ZmqTransport(hello, runtime_dir=None, keys=keys)
    member = Member(env, hello.incarnation, transport.endpoint, keys.public if keys is not None else "")
    return Station(transport, member)


@pytest.mark.parametrize("version", [3, VERSION - 1, VERSION + 1])
@pytest.mark.parametrize("way", ["unix", "ipc", "tcp"])
def test_a_member_of_another_version_is_refused_and_others_are_served(
    directory: str, way: str, version: int
) -> None:
    class Other(OtherHello):
        pass

    Other.version = version
    one, other, third = (
        station(way, directory, env, kind) for env, kind in ((1, Hello), (2, Other), (3, Hello))
    )
    try:
        for each in (one, other, third):
            for peer in (one, other, third):
                if peer is not each:
                    each.transport.admit(peer.member)
        for each in (one, other, third):
            each.start()
        other.transport.connect(one.member).send([b"of another version"])
        one.wait_refused()
        third.transport.connect(one.member).send([b"hello"])
        assert one.wait_for(1) == [(3, [b"hello"])]
        assert one.transport.audit.counts["version"] >= 1
    finally:
        for each in (one, other, third):
            each.close()


def test_over_unix_a_peer_of_another_version_hears_which_one_this_is(directory: str) -> None:
    one = station("unix", directory, 1)
    one.start()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(30)
            sock.connect(one.member.endpoint.removeprefix("unix:"))
            hello = hello_of(3, CORPS, 2, "2" * 32)
            sock.sendall(head([hello]) + hello + head([b"more"]) + b"more")
            came = b""
            with suppress(ConnectionResetError):  # it did not read all that was sent
                while more := sock.recv(10_000):
                    came += more
        own = Hello(CORPS, 1, one.member.incarnation).header()
        assert came == head([own]) + own
    finally:
        one.close()


def test_over_zeromq_a_peer_of_another_version_hears_which_one_this_is(directory: str) -> None:
    one = station("ipc", directory, 1)
    one.start()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    try:
        dealer.linger = 0
        dealer.setsockopt(zmq.ROUTING_ID, b"E" + bytes.fromhex("2" * 32) + bytes(4))
        dealer.connect(one.member.endpoint)
        dealer.send(PREFIX.pack(0, 0) + hello_of(3, CORPS, 2, "2" * 32))
        assert dealer.poll(30_000)
        own = Hello(CORPS, 1, one.member.incarnation).header()
        assert dealer.recv_multipart() == [PREFIX.pack(0, 0) + own]
    finally:
        dealer.close(linger=0)
        context.term()
        one.close()


def test_over_unix_it_hears_of_it_when_its_link_is_refused(directory: str) -> None:
    one = station("unix", directory, 1)
    path = Path(directory, "other.sock")
    other = Member(2, "2" * 32, f"unix:{path}")
    one.start()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            listener.listen()
            link = one.transport.connect(other)
            link.send([b"lost"])
            accepted, _ = listener.accept()
            answer = hello_of(VERSION + 1, "whatever", "that", "version", "has")
            accepted.sendall(head([answer]) + answer)
            accepted.close()
            one.wait_broken()
        assert one.broken == [other]
        assert f"version {VERSION + 1} of the protocol, this is version {VERSION}" in str(one.refusals[0])
    finally:
        one.close()


@pytest.mark.parametrize("answer", [b"", head([b"x"]) + b"x", b"\xff" * 100, head([bytes(3000)])])
def test_over_unix_other_last_words_are_no_refusal(directory: str, answer: bytes) -> None:
    one = station("unix", directory, 1)
    path = Path(directory, "other.sock")
    other = Member(2, "2" * 32, f"unix:{path}")
    one.start()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            listener.listen()
            one.transport.connect(other)
            accepted, _ = listener.accept()
            accepted.sendall(answer)
            accepted.close()
            one.wait_broken()
        assert (one.broken, one.refusals) == ([other], [None])
    finally:
        one.close()


def test_over_zeromq_it_hears_of_it_when_its_link_is_refused(directory: str) -> None:
    one = station("ipc", directory, 1)
    other = Member(2, "2" * 32, f"ipc://{directory}/other.sock")
    one.start()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router = context.socket(zmq.ROUTER)
    try:
        router.linger = 0
        router.bind(other.endpoint)
        one.transport.connect(other).send([b"lost"])
        routing_id, _ = router.recv_multipart()
        router.send_multipart([routing_id, PREFIX.pack(0, 0) + hello_of(VERSION + 1, "whatever")])
        one.wait_broken()
        assert one.broken == [other]
        assert f"version {VERSION + 1} of the protocol, this is version {VERSION}" in str(one.refusals[0])
    finally:
        router.close(linger=0)
        context.term()
        one.close()
