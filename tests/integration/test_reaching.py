"""Claims about addresses that are looked up and tried in turn, with real listeners."""

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from corps.endpoints import TcpEndpoint
from corps.errors import BrokenError
from corps.transport.reaching import candidates, reach
from tests.integration.test_links import has_ipv6

_LIMIT = 30.0  # seconds; nothing waits for them to pass


@pytest.fixture
def port() -> Iterator[int]:
    """A port of 127.0.0.1 at which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def names(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let the name "many.test" stand for these addresses."""
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        hosts = addresses if host == "many.test" else (host,)
        return [found for each in hosts for found in real(each, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_an_address_stands_for_itself(port: int) -> None:
    endpoint = TcpEndpoint("127.0.0.1", port)
    assert candidates(endpoint) == [endpoint]
    assert reach(endpoint, _LIMIT) == endpoint


def test_a_name_gives_what_it_stands_for() -> None:
    assert TcpEndpoint("127.0.0.1", 5000) in candidates(TcpEndpoint("localhost", 5000))


def test_the_next_address_is_tried_where_one_refuses(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    names(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1")
    assert reach(TcpEndpoint("many.test", port), _LIMIT) == TcpEndpoint("127.0.0.1", port)


def test_the_next_address_is_tried_where_one_is_silent(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """A listener whose queue is full drops what comes, as a firewall does."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.2", port))
        silent.listen(0)
        waiting = []
        try:
            for _ in range(3):
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                assert waiting[-1].connect_ex(("127.0.0.2", port)) == errno.EINPROGRESS
            names(monkeypatch, "127.0.0.2", "127.0.0.1")
            assert reach(TcpEndpoint("many.test", port), _LIMIT) == TcpEndpoint("127.0.0.1", port)
            with pytest.raises(BrokenError, match="no answer"):
                reach(TcpEndpoint("127.0.0.2", port), 0.1)
        finally:
            for each in waiting:
                each.close()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_a_family_that_nothing_listens_for_costs_one_try(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    names(monkeypatch, "::1", "127.0.0.1")
    assert reach(TcpEndpoint("many.test", port), _LIMIT) == TcpEndpoint("127.0.0.1", port)


def test_what_went_wrong_is_said_of_each_address(monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    names(monkeypatch, "127.0.0.1", "127.0.0.2")
    refused = os.strerror(errno.ECONNREFUSED)
    with pytest.raises(BrokenError) as error:
        reach(TcpEndpoint("many.test", closed_port), _LIMIT)
    assert str(error.value) == (
        f"nothing answers at tcp://many.test:{closed_port} within 30 s (tcp://127.0.0.1:{closed_port}: "
        f"{refused}; tcp://127.0.0.2:{closed_port}: {refused}); check that it listens there, and that a "
        "firewall lets it through"
    )


def test_a_name_without_an_address_says_so() -> None:
    with pytest.raises(BrokenError, match=r"^tcp://nowhere\.invalid:1: the name has no address \("):
        reach(TcpEndpoint("nowhere.invalid", 1), _LIMIT)
