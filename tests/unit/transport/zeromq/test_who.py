"""Claims about asking who listens at an address."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from corps.errors import Unreachable
from corps.security.keys import new_key_pair
from corps.transport.zeromq.who import who_listens
from corps.wire.frames import Hello

LIMIT = 20.0


@pytest.fixture
def address() -> Iterator[str]:
    """Where something listens that has a key of its own."""
    pair = new_key_pair()
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger = 0
        router.curve_server = True
        router.curve_publickey, router.curve_secretkey = pair.public.encode(), pair.secret.encode()
        router.bind("tcp://127.0.0.1:*")
        yield str(router.getsockopt_string(zmq.LAST_ENDPOINT)).rstrip("\0")


@pytest.mark.parametrize("is_slow", [False, True], ids=["at once", "when the connection is over"])
def test_one_with_another_key_is_not_waited_for(
    address: str, is_slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = zmq.Socket.connect

    def and_wait(socket: Any, where: str) -> Any:
        made = connect(socket, where)
        if is_slow and socket.type == zmq.DEALER:
            threading.Event().wait(0.3)  # longer than a handshake takes
        return made

    monkeypatch.setattr(zmq.Socket, "connect", and_wait)
    me = Hello("0" * 16, 0, "1" * 32)
    with pytest.raises(Unreachable, match="has none of the 1 keys"):
        who_listens([address], [new_key_pair().public], new_key_pair(), me, LIMIT)
