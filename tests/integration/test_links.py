"""Every transport keeps the contract; and what is ZeroMQ's own."""

import secrets
import socket
from collections.abc import Iterator
from typing import ClassVar

import pytest

from corps.errors import EnvStartError, Overloaded
from corps.hosting.runtime_dir import make_runtime_dir, remove_runtime_dir
from corps.messages.members import Member
from corps.security.keys import new_key_pair
from corps.testing.contract import TransportContract
from corps.testing.network import MemoryNetwork
from corps.testing.stations import Station
from corps.transport.link import Transport
from corps.transport.unix_transport import UnixTransport
from corps.transport.zmq_transport import ZmqTransport
from corps.wire.frames import Hello


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class TestMemory(TransportContract):
    @pytest.fixture(autouse=True)
    def network(self) -> None:
        self._network = MemoryNetwork()

    def make_transport(self, hello: Hello) -> tuple[Transport, str]:
        return self._network.transport(hello), ""


class TestUnix(TransportContract):
    @pytest.fixture(autouse=True)
    def directory(self) -> Iterator[None]:
        self._directory = make_runtime_dir()
        yield
        remove_runtime_dir(self._directory)

    def make_transport(self, hello: Hello) -> tuple[Transport, str]:
        return UnixTransport(hello, runtime_dir=self._directory), ""

    def test_a_link_whose_peer_has_gone_is_said_to_be_broken(self) -> None:
        with self.stations(2) as (one, two):
            link = one.transport.connect(two.member)
            link.send([b"first"])
            two.wait_for(1)
            two.close()
            one.wait_broken()
            link.send([b"into the void"])
            assert one.broken == [two.member]

    def test_what_a_slow_reader_leaves_in_the_socket_comes_later(self) -> None:
        one, two = self.station(1), self.station(2)
        try:
            one.start()
            two.transport.admit(one.member)
            link = one.transport.connect(two.member)
            sent = [b"%d" % number + bytes(1_000) for number in range(2_000)]
            for body in sent:
                link.send([body])
            two.start()
            two.wait_for(len(sent))
            assert two.bodies() == sent
        finally:
            one.close()
            two.close()

    def test_shared_memory_that_cannot_be_had_is_an_error_and_nothing_is_sent(self) -> None:
        small = UnixTransport(Hello("c" * 16, 1, "1" * 32), runtime_dir=self._directory, shared=2**20)
        one, two = Station(small, Member(1, "1" * 32, small.endpoint)), self.station(2, "c" * 16)
        try:
            two.transport.admit(one.member)
            one.start()
            two.start()
            link = one.transport.connect(two.member)
            with pytest.raises(Overloaded, match=r"shared_memory\.bytes"):
                link.send([b"h", bytes(500_000), bytes(800_000)])
            link.send([b"small"])
            assert two.wait_for(1) == [(1, [b"small"])]
        finally:
            one.close()
            two.close()

    def test_received_memory_outlives_both_ends(self) -> None:
        body = secrets.token_bytes(300_000)
        with self.stations(2) as (one, two):
            one.transport.connect(two.member).send([b"h", b"b", body])
            ((_, frames),) = two.wait_for(1)
        assert frames[2] == body
        frames[2][0:3] = b"new"  # type: ignore[index]
        assert bytes(frames[2][:3]) == b"new"

    def test_it_can_listen_only_where_there_is_a_directory(self) -> None:
        with pytest.raises(EnvStartError, match="cannot listen on"):
            UnixTransport(Hello("c" * 16, 1, "1" * 32), runtime_dir="/nowhere")


class TestZmqIpc(TransportContract):
    @pytest.fixture(autouse=True)
    def directory(self) -> Iterator[None]:
        self._directory = make_runtime_dir()
        yield
        remove_runtime_dir(self._directory)

    def make_transport(self, hello: Hello) -> tuple[Transport, str]:
        return ZmqTransport(hello, runtime_dir=self._directory), ""


class TestZmqTcp(TransportContract):
    host: ClassVar = "127.0.0.1"

    def make_transport(self, hello: Hello) -> tuple[Transport, str]:
        keys = new_key_pair()
        return ZmqTransport(hello, runtime_dir=None, host=self.host, keys=keys), keys.public


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
class TestZmqTcpOverIpv6(TestZmqTcp):
    host: ClassVar = "::1"
