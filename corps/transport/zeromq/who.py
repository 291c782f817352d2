"""Which Env listens at an address over `tcp`, asked by one who has not met it. Blocks.

Each key that it may have is tried, all at the same time: CURVE shows only that one is right or wrong. What
comes back proves that key, and so does not need to be believed.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from math import ceil
from typing import Final, NamedTuple

import zmq
from zmq.utils.monitor import parse_monitor_message

from corps.clock import now
from corps.endpoints import TcpEndpoint, read_endpoint
from corps.errors import BrokenError, Unreachable, VersionMismatch, WireError
from corps.security.keys import KeyPair
from corps.transport.reaching import reach
from corps.transport.zeromq.sockets import routing_id_of
from corps.wire.frames import MAX_HELLO, Hello, read_header
from corps.wire.link_frames import PREFIX

_EVENTS: Final = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_DISCONNECTED
)
_OVER: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_DISCONNECTED,
)


class Found(NamedTuple):
    """An Env, and how it was reached."""

    hello: Hello  # what it says of itself
    address: str  # at which it has answered
    key: str  # that it has proved


def who_listens(
    endpoints: Sequence[str],
    keys: Sequence[str],
    pair: KeyPair,
    me: Hello,
    timeout: float,
    is_right: Callable[[Hello], bool] = lambda _: True,
) -> Found:
    """Return who listens at one of some endpoints, with one of some keys.

    Args:
        endpoints: Where it may be, best first. A name stands for all its addresses.
        keys: The public keys that it may have.
        pair: The key pair to show to it.
        me: Who asks.
        timeout: Seconds for all of it, but for looking names up.
        is_right: Whether it is the one that is meant. Something else may listen at an address that means
            another host here.

    Raises:
        Unreachable: It is not there. The text says what was tried, and why that has failed.
        VersionMismatch: It speaks another version of the protocol.
    """
    until = now() + timeout
    problems: list[str] = []
    for text in endpoints:
        endpoint = read_endpoint(text, "address")
        if not isinstance(endpoint, TcpEndpoint):
            continue
        try:
            # What has not answered must leave time for the others.
            address = str(reach(endpoint, max(0.1, (until - now()) / 2)))
            found = _ask(address, keys, pair, me, max(0.1, until - now()))
        except BrokenError as error:
            problems.append(str(error))
            continue
        if is_right(found.hello):
            return found
        problems.append(f"another Env listens at {address}")
    tried = "; ".join(problems) or "it listens at no address over tcp"
    raise Unreachable(tried, executed="no")


def _ask(address: str, keys: Sequence[str], pair: KeyPair, me: Hello, timeout: float) -> Found:
    """Ask the one at an address who it is. Raises BrokenError with the cause, and VersionMismatch."""
    until = now() + timeout
    hello = PREFIX.pack(0, 0) + me._replace(endpoint=me.endpoint or address, to="").header()
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        poller = zmq.Poller()
        left: dict[object, str] = {}  # the keys, by their sockets
        monitors: dict[object, zmq.Socket[bytes]] = {}
        for number, key in enumerate(keys):
            dealer = _new_dealer(context, address, key, pair, routing_id_of(me.incarnation, number))
            stack.callback(dealer.close, 0)
            stack.callback(dealer.disable_monitor)  # first: libzmq would wait for its reports to be read
            monitor = dealer.get_monitor_socket(_EVENTS)
            stack.callback(monitor.close, 0)
            dealer.connect(address)
            with suppress(zmq.Again):  # the connection is over already, as the monitor says
                dealer.send(hello, zmq.DONTWAIT)
            left[dealer], monitors[monitor] = key, dealer
            poller.register(dealer, zmq.POLLIN)
            poller.register(monitor, zmq.POLLIN)
        is_refused = has_proved = False
        waiting = dict(left)
        while waiting and (rest := until - now()) > 0:
            for socket, _ in poller.poll(ceil(rest * 1000)):
                if socket in left:
                    return Found(_hello_in(socket), address, left[socket])
                dealer = monitors[socket]
                event = parse_monitor_message(socket.recv_multipart())["event"]
                has_proved = has_proved or event == zmq.EVENT_HANDSHAKE_SUCCEEDED
                is_refused = is_refused or event == zmq.EVENT_HANDSHAKE_FAILED_AUTH
                if event in _OVER:
                    waiting.pop(dealer, None)
    if is_refused:
        raise BrokenError(
            f"{address} does not accept the key {pair.public!r} of this side: its owner allows it with "
            "`corps keys allow`, if it has not expired and was not revoked"
        )
    if has_proved:
        raise BrokenError(f"{address} has proved its key, and does not say who it is")
    if waiting:
        raise BrokenError(f"{address} took the connection, and did not answer within {timeout:.3g} s")
    raise BrokenError(
        f"what listens at {address} has none of the {len(keys)} keys that it may have: it belongs to another "
        "owner, whose key has to be allowed here with `corps keys allow`, or it is no Corps"
    )


def _new_dealer(
    context: "zmq.Context[zmq.Socket[bytes]]", address: str, key: str, pair: KeyPair, routing_id: bytes
) -> "zmq.Socket[bytes]":
    dealer = context.socket(zmq.DEALER)
    dealer.linger = 0
    dealer.curve_serverkey = key.encode()
    dealer.curve_publickey = pair.public.encode()
    dealer.curve_secretkey = pair.secret.encode()
    dealer.setsockopt(zmq.IPV6, int("[" in address))
    dealer.setsockopt(zmq.ROUTING_ID, routing_id)
    dealer.setsockopt(zmq.RECONNECT_IVL, -1)  # one try: the address has answered just now
    dealer.setsockopt(zmq.MAXMSGSIZE, 2 * MAX_HELLO)
    return dealer


def _hello_in(socket: "zmq.Socket[bytes]") -> Hello:
    first, *rest = socket.recv_multipart()
    try:
        hello = read_header([first[PREFIX.size :], *rest])
    except VersionMismatch:
        raise
    except WireError as error:
        raise BrokenError(f"what has answered is no Env: {error}") from error
    if not isinstance(hello, Hello):
        raise BrokenError("what has answered does not say who it is")
    return hello
