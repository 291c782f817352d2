"""Every transport keeps the contract; and what is ZeroMQ's own."""

import socket
from collections.abc import Iterator
from typing import ClassVar

import pytest

from corps.hosting.runtime_dir import make_runtime_dir, remove_runtime_dir
from corps.security.keys import new_key_pair
from corps.testing.contract import TransportContract
from corps.testing.network import MemoryNetwork
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
