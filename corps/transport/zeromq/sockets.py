"""Sockets of ZeroMQ, with all their options: who may connect, how long things take, how large they are."""

import errno
import logging
from collections.abc import Callable
from struct import Struct
from threading import Event
from typing import Final, NamedTuple

import zmq

from corps.addresses import env_label
from corps.endpoints import Listening, TcpEndpoint
from corps.errors import EnvStartError
from corps.messages.members import Member
from corps.security.keys import KeyPair
from corps.transport.socket_dir import SocketDir
from corps.wire.chunks import LARGE_MESSAGE
from corps.wire.frames import Hello

_log = logging.getLogger("corps.transport")

_IPC: Final = "ipc://"
_ZAP_DOMAIN: Final = b"corps"
_ZAP_ENFORCE_DOMAIN: Final = 93  # not named by pyzmq; without it ZAP lets everybody in when it cannot ask
_LEAST_LIBZMQ: Final = (4, 3, 5)  # earlier ones have known holes in front of the authentication
_LINK: Final = Struct(">I")  # the number of a link in its routing id
_LINGER_MS: Final = 500  # last answers get this long to leave; a dead peer must not hold up the end

# A frame on the wire is not longer than a message that is not cut into chunks. Beside the frames that
# `max_message` is about there are headers, lengths of frames, and what CURVE adds.
_SLACK: Final = 128 * 1024

# glibc keeps freed memory up to twice the largest block that it has unmapped so far. Without that, each chunk
# is given back to the system and asked for again: 85 000 page faults per GiB, and 0.8 GiB/s, not 1.2.
_KEPT: Final = 16 * 1024 * 1024

_REBINDS: Final = 200  # times that a port is tried that this socket has had ...
_REBIND_PAUSE: Final = 0.01  # ... with as many seconds in between

_NO_IPV6: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class _Times(NamedTuple):
    """How long things take at most, in milliseconds."""

    heartbeat: int  # from one to the next
    silence: int  # after which a connection is given up
    connect: int  # the system would try it once for two minutes, at ever longer intervals
    reconnect: int  # from one try to the next


_TIMES: Final = _Times(heartbeat=2_000, silence=10_000, connect=3_000, reconnect=5_000)


def _times_within(silence: float) -> _Times:
    """Return times with which a network that is back is used well before a peer is taken to be gone."""
    longest = max(1, int(silence * 1000))
    return _Times(*(max(1, part) for part in (longest // 8, longest // 3, longest // 6, longest // 10)))


class SocketFactory:
    """Makes the sockets of one Env. Thread-safe."""

    def __init__(
        self,
        hello: Hello,
        keys: KeyPair | None,
        max_frame: int | None,
        handshake_timeout: float,
        silence: float | None,  # as for the transport
        client_keys: Callable[[], KeyPair] | None = None,  # gives the pair of a link; None: `keys`
    ) -> None:
        if zmq.zmq_version_info() < _LEAST_LIBZMQ:
            raise EnvStartError(f"libzmq {zmq.zmq_version()} is too old: corps needs 4.3.5 or newer")
        self._hello = hello
        self._keys = keys
        self._client_keys = client_keys
        self._max_frame = max_frame
        self._handshake_ms = int(handshake_timeout * 1000)
        self._times = _TIMES if silence is None else _times_within(silence)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._name = f"{hello.env}-{hello.incarnation[:12]}.sock"
        self._directory: SocketDir | None = None  # of `bind_ipc`
        bytes(_KEPT)  # mapped, never touched, and unmapped

    def new_router(self) -> "zmq.Socket[bytes]":
        """Return a socket to receive by; to be bound."""
        made = self._new(zmq.ROUTER)
        made.setsockopt(zmq.BACKLOG, 1024)
        # A connection that is back takes the place of the broken one, which this side may not have noticed:
        # else all that comes by it would be dropped. Only who has proved who it is gets that far.
        made.setsockopt(zmq.ROUTER_HANDOVER, 1)
        made.setsockopt(zmq.ZAP_DOMAIN, _ZAP_DOMAIN)
        made.setsockopt(_ZAP_ENFORCE_DOMAIN, 1)
        if made.getsockopt(_ZAP_ENFORCE_DOMAIN) != 1:
            made.close(linger=0)
            raise EnvStartError("this libzmq cannot be made to refuse peers that it cannot ask about")
        if self._keys is not None:
            made.curve_server = True
            made.curve_secretkey = self._keys.secret.encode()
            made.curve_publickey = self._keys.public.encode()
        return made

    def change_keys(self, router: "zmq.Socket[bytes]", keys: KeyPair) -> None:
        """Have a socket prove another key to whom connects from its next binding on."""
        self._keys = keys
        router.curve_secretkey = keys.secret.encode()
        router.curve_publickey = keys.public.encode()

    def new_dealer(self, member: Member, link: int, server_key: str) -> "zmq.Socket[bytes]":
        """Return a socket to send by, connected. A ValueError means that the member makes no sense."""
        dealer = self._new(zmq.DEALER)
        try:
            if self._keys is not None:
                keys = self._keys if self._client_keys is None else self._client_keys()
                dealer.curve_serverkey = server_key.encode()
                dealer.curve_publickey = keys.public.encode()
                dealer.curve_secretkey = keys.secret.encode()
            if member.endpoint.startswith("tcp://["):
                dealer.setsockopt(zmq.IPV6, 1)
            dealer.setsockopt(zmq.ROUTING_ID, routing_id_of(self._hello.incarnation, link))
            if self._max_frame is not None:
                # Both ends give up a connection through which nothing comes any more; a new one is made.
                # libzmq's own thread answers: that says nothing about the peer. What is lost is sent again.
                dealer.setsockopt(zmq.HEARTBEAT_IVL, self._times.heartbeat)
                dealer.setsockopt(zmq.HEARTBEAT_TIMEOUT, self._times.silence)
                dealer.setsockopt(zmq.HEARTBEAT_TTL, self._times.silence)
                dealer.setsockopt(zmq.CONNECT_TIMEOUT, self._times.connect)
            dealer.connect(self._reached(member.endpoint))
        except BaseException:
            dealer.close(linger=0)  # a context with an open socket cannot end
            raise
        return dealer

    def bind_ipc(self, router: "zmq.Socket[bytes]", runtime_dir: str) -> str:
        """Bind a socket file in a directory of mode 0700, and return the endpoint."""
        try:
            self._directory = SocketDir(runtime_dir)
            endpoint = f"{_IPC}{self._directory.place(self._name)}"
            router.bind(self._reached(endpoint))
        except (zmq.ZMQError, OSError) as error:
            listening = f"{env_label(self._hello.env)} cannot listen on {runtime_dir}/{self._name}"
            raise EnvStartError(f"{listening}: {error}") from error
        return endpoint

    def path_of(self, endpoint: str) -> str | None:
        """Return the socket file of an endpoint, as this process reaches it; None over `tcp`."""
        reached = self._reached(endpoint)
        return reached.removeprefix(_IPC) if reached.startswith(_IPC) else None

    def _reached(self, endpoint: str) -> str:
        """Return an endpoint by which this process can bind or connect."""
        if self._directory is None or not endpoint.startswith(_IPC):
            return endpoint
        return f"{_IPC}{self._directory.reach(endpoint.removeprefix(_IPC))}"

    def close(self) -> None:
        """End the context. All sockets are closed, or about to be by the threads that use them."""
        self.context.term()
        if self._directory is not None:
            self._directory.remove(self._name)  # libzmq leaves it there
            self._directory.close()

    def bind_tcp(self, router: "zmq.Socket[bytes]", listening: Listening) -> TcpEndpoint:
        """Bind the first port that is free, and return what was bound."""
        host = listening.host
        for port in listening.ports:
            try:
                _bind(router, TcpEndpoint(host, port))
            except zmq.ZMQError as error:
                if error.errno != zmq.EADDRINUSE:
                    where = str(TcpEndpoint(host, port)).removeprefix("tcp://")
                    raise EnvStartError(
                        f"{env_label(self._hello.env)} cannot listen on {where}: {error}"
                    ) from error
            else:
                bound: bytes = router.getsockopt(zmq.LAST_ENDPOINT)  # type: ignore[assignment]
                return _bound_endpoint(bound.rstrip(b"\0").decode())
        first, last = listening.ports[0], listening.ports[-1]
        tried = f"port {first} is" if first == last else f"all ports from {first} to {last} are"
        raise EnvStartError(
            f"{env_label(self._hello.env)} cannot listen on {host}: {tried} taken; free one, "
            "or widen the setting that names the ports"
        )

    def bind_anew(self, router: "zmq.Socket[bytes]", endpoint: str) -> None:
        """Listen where the socket listens already, with the keys that it has now. All connections break.

        libzmq gives up the port in a thread of its own, so this tries it for a moment.
        """
        try:
            router.unbind(endpoint)
        except zmq.ZMQError as error:
            _log.warning("%s was not bound: %s", endpoint, error)
        bound = _tcp(endpoint)
        for _ in range(_REBINDS - 1):
            try:
                _bind(router, bound)
            except zmq.ZMQError as error:
                if error.errno != zmq.EADDRINUSE:
                    raise
                Event().wait(_REBIND_PAUSE)
            else:
                return
        _bind(router, bound)

    def _new(self, kind: int) -> "zmq.Socket[bytes]":
        made = self.context.socket(kind)
        made.linger = _LINGER_MS
        made.sndhwm = made.rcvhwm = 0  # the window of each peer bounds what is under way
        made.setsockopt(zmq.HANDSHAKE_IVL, self._handshake_ms)
        made.setsockopt(zmq.RECONNECT_IVL, 50)
        made.setsockopt(zmq.RECONNECT_IVL_MAX, self._times.reconnect)
        largest = LARGE_MESSAGE if self._max_frame is None else min(self._max_frame, LARGE_MESSAGE)
        made.setsockopt(zmq.MAXMSGSIZE, largest + _SLACK)
        if self._max_frame is not None:
            made.setsockopt(zmq.TCP_KEEPALIVE, 1)
        return made


def _bind(router: "zmq.Socket[bytes]", endpoint: TcpEndpoint) -> None:
    """Bind a socket. The wildcard `*` stands for IPv6 and IPv4, as far as this system has both."""
    router.setsockopt(zmq.IPV6, int(":" in endpoint.host or endpoint.host == "*"))
    try:
        router.bind(str(endpoint))
    except zmq.ZMQError as error:
        if endpoint.host != "*" or error.errno not in _NO_IPV6:
            raise
        router.setsockopt(zmq.IPV6, 0)
        router.bind(str(endpoint))


def _bound_endpoint(text: str) -> TcpEndpoint:
    return _tcp(text)


def _tcp(text: str) -> TcpEndpoint:
    host, _, port = text.removeprefix("tcp://").rpartition(":")
    return TcpEndpoint(host.strip("[]"), int(port))


def routing_id_of(incarnation: str, link: int) -> bytes:
    """Return the name by which a ROUTER knows a link of an Env, by whatever connection it comes."""
    return b"E" + bytes.fromhex(incarnation) + _LINK.pack(link)  # libzmq keeps a zero in front for its own


def env_of(routing_id: bytes) -> bytes:
    """Return what the routing ids of all links of an Env have in common."""
    return routing_id[: -_LINK.size]


def link_of(routing_id: bytes) -> int:
    """Return the number of the link that has this routing id; any number if it is none of `routing_id_of`."""
    return int.from_bytes(routing_id[-_LINK.size :], "big")
