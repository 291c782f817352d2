"""Claims about the proxy that tests break connections with: plain sockets at both ends."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from corps.clock import now
from tests.lines.passages import Side
from tests.lines.proxy import Proxy

SIDES: tuple[Side, Side] = ("client", "server")


@contextmanager
def proxied() -> Iterator[tuple[Proxy, socket.socket, socket.socket]]:
    """A proxy with one connection, its client end and its server end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        with Proxy(f"tcp://{host}:{port}") as proxy:
            front = proxy.endpoint.removeprefix("tcp://").split(":")
            with socket.create_connection((front[0], int(front[1])), timeout=20) as client:
                server, _ = listener.accept()
                server.settimeout(20)
                with server:
                    yield proxy, client, server


def read(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            break
        data += part
    return data


def test_it_passes_on_what_comes_in_both_directions_and_the_end() -> None:
    with proxied() as (proxy, client, server):
        client.sendall(b"there")
        assert read(server, 5) == b"there"
        server.sendall(b"back")
        assert read(client, 4) == b"back"
        assert proxy.statistics() == {"accepted": 1, "open": 1, "bytes": 9}
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
        server.sendall(b"still")
        assert read(client, 5) == b"still"
        server.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_a_cut_resets_both_ends() -> None:
    with proxied() as (proxy, client, server):
        assert proxy.cut() == 1
        for sock in (client, server):
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
        assert proxy.cut() == 0


@pytest.mark.parametrize("side", SIDES)
def test_a_cut_of_one_side_leaves_the_other_in_the_dark(side: Side) -> None:
    with proxied() as (proxy, client, server):
        proxy.cut(side)
        told, untold = (client, server) if side == "client" else (server, client)
        with pytest.raises(ConnectionResetError):
            told.recv(1)
        untold.sendall(b"into the dark")
        untold.setblocking(False)
        with pytest.raises(BlockingIOError):
            untold.recv(1)


def test_what_is_stalled_gets_through_later() -> None:
    with proxied() as (proxy, client, server):
        proxy.stall()
        client.sendall(b"there")
        assert proxy.statistics()["bytes"] == 0
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.recv(1)
        server.settimeout(20)
        proxy.go_on()
        assert read(server, 5) == b"there"


def test_what_is_delayed_comes_later_and_in_order() -> None:
    with proxied() as (proxy, client, server):
        proxy.delay(0.2)
        began = now()
        client.sendall(b"one ")
        proxy.statistics()
        proxy.delay(0.0)
        client.sendall(b"two")
        assert read(server, 7) == b"one two"
        assert now() - began >= 0.2


@pytest.mark.parametrize("side", SIDES)
def test_half_closed_it_passes_on_what_goes_the_other_way(side: Side) -> None:
    with proxied() as (proxy, client, server):
        proxy.half_close(side)
        told, other = (client, server) if side == "client" else (server, client)
        assert told.recv(1) == b""
        told.sendall(b"still")
        assert read(other, 5) == b"still"


def test_more_than_it_buffers_gets_through() -> None:
    data = bytes(range(256)) * 20_000
    with proxied() as (_, client, server):
        client.setblocking(False)
        sent, got = 0, b""
        while len(got) < len(data):
            if sent < len(data):
                try:
                    sent += client.send(data[sent:])
                except BlockingIOError:
                    pass
            got += server.recv(1_000_000)
        assert got == data
