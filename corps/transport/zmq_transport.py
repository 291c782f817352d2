"""Links over ZeroMQ: `ipc` inside a host, `tcp` between hosts.

An Env binds one ROUTER socket, which only the thread that reads touches, and connects one DEALER socket to
each peer it sends to, which is used by one thread at a time under a lock. So each direction between two
Envs has a connection of its own, and no socket is ever read and written by two threads.

What ZeroMQ loses when a peer dies it loses silently; the membership, not the socket, tells of deaths.
"""

import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from math import ceil
from threading import Lock
from typing import Any, Final

import zmq

from corps.errors import BrokenError, EnvStartError, InternalError, WireError
from corps.messages.members import Member
from corps.security.admission import Admission
from corps.security.audit import Audit
from corps.security.keys import KeyPair
from corps.transport.link import Link, OnBroken, OnMessage, Ready, Transport
from corps.transport.zap import ZapHandler
from corps.wire.frames import Frame, Hello, read_header

_log = logging.getLogger("corps.transport")

_ZAP_DOMAIN: Final = b"corps"
_ZAP_ENFORCE_DOMAIN: Final = 93  # not named by pyzmq; without it ZAP lets everybody in when it cannot ask
_LEAST_LIBZMQ: Final = (4, 3, 5)  # earlier ones have known holes in front of the authentication
_LINGER_MS: Final = 500  # last answers get this long to leave; a dead peer must not hold up the end
_LARGE: Final = 65_536  # bytes from which a buffer is not copied when it comes in
_BATCH: Final = 256  # messages read before connections are judged again


class ZmqTransport(Transport):
    """One Env's sockets. Threads as `Transport` says."""

    def __init__(
        self,
        hello: Hello,
        *,
        runtime_dir: str | None,
        host: str = "127.0.0.1",
        ports: Sequence[int] = (0,),
        keys: KeyPair | None = None,
        max_frame: int = 64 * 1024 * 1024,
        handshake_timeout: float = 3.0,
    ) -> None:
        """Bind the Env's endpoint: over `ipc` if there is a runtime directory, else over `tcp`.

        Args:
            hello: Who this Env is.
            runtime_dir: A directory of mode 0700 for the socket file; None for `tcp`.
            host: Address to bind over `tcp`.
            ports: Ports to try over `tcp`; 0 stands for any.
            keys: The Env's CURVE pair; needed over `tcp`.
            max_frame: Bytes of the longest frame that is taken over `tcp`.
            handshake_timeout: Seconds within which a peer must have proved who it is.

        Raises:
            EnvStartError: No port is free, or libzmq is too old.
        """
        if zmq.zmq_version_info() < _LEAST_LIBZMQ:
            raise EnvStartError(f"libzmq {zmq.zmq_version()} is too old: corps needs 4.3.5 or newer")
        self._hello = hello
        self._keys = keys if runtime_dir is None else None
        self._max_frame = max_frame if runtime_dir is None else None
        self._handshake_ms = int(handshake_timeout * 1000)
        self.audit = Audit(f"env{hello.env}")
        # Protects _members, the keys of the admission, _links and _closed.
        self._lock = Lock()
        self._members: dict[str, Member] = {}
        self._links: set[_ZmqLink] = set()
        self._closed = False
        # By routing id, the peers that have said hello; used by the thread that reads alone.
        self._proven: dict[bytes, Member] = {}
        self._admission = Admission(os.getuid())
        self._on_message: OnMessage | None = None
        self._poller = zmq.Poller()
        self._context = zmq.Context()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        try:
            self._zap = ZapHandler(self._context, self._admission, self._lock, self.audit)
            self._router = self._new_socket(zmq.ROUTER)
            if self._keys is not None:
                self._router.curve_server = True
                self._router.curve_secretkey = self._keys.secret.encode()
                self._router.curve_publickey = self._keys.public.encode()
            self._endpoint = self._bind(runtime_dir, host, ports)
        except BaseException:
            self.close()
            raise

    def _new_socket(self, kind: int) -> "zmq.Socket[bytes]":
        made = self._context.socket(kind)
        made.linger = _LINGER_MS
        made.sndhwm = made.rcvhwm = 0  # the window of each peer bounds what is under way
        made.setsockopt(zmq.HANDSHAKE_IVL, self._handshake_ms)
        made.setsockopt(zmq.RECONNECT_IVL, 50)
        made.setsockopt(zmq.RECONNECT_IVL_MAX, 5_000)
        if kind == zmq.ROUTER:
            made.setsockopt(zmq.BACKLOG, 1024)
            made.setsockopt(zmq.ZAP_DOMAIN, _ZAP_DOMAIN)
            made.setsockopt(_ZAP_ENFORCE_DOMAIN, 1)
            if made.getsockopt(_ZAP_ENFORCE_DOMAIN) != 1:
                raise EnvStartError("this libzmq cannot be made to refuse peers that it cannot ask about")
        if self._max_frame is not None:
            made.setsockopt(zmq.MAXMSGSIZE, self._max_frame)
            made.setsockopt(zmq.TCP_KEEPALIVE, 1)
        return made

    def _bind(self, runtime_dir: str | None, host: str, ports: Sequence[int]) -> str:
        if runtime_dir is not None:
            endpoint = f"ipc://{runtime_dir}/{self._hello.env}-{self._hello.incarnation[:12]}.sock"
            try:
                self._router.bind(endpoint)
            except zmq.ZMQError as error:
                raise EnvStartError(f"env{self._hello.env} cannot listen on {endpoint}: {error}") from error
            return endpoint
        if ":" in host:
            self._router.setsockopt(zmq.IPV6, 1)
            host = f"[{host}]"
        for port in ports:
            try:
                self._router.bind(f"tcp://{host}:{port}")
            except zmq.ZMQError as error:
                if error.errno != zmq.EADDRINUSE:
                    raise EnvStartError(
                        f"env{self._hello.env} cannot listen on {host}:{port}: {error}"
                    ) from error
            else:
                return self._router.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()  # type: ignore[union-attr]
        tried = f"{ports[0]}" if len(ports) == 1 else f"{ports[0]} to {ports[-1]}"
        raise EnvStartError(
            f"env{self._hello.env} cannot listen on {host}: port {tried} is taken; free it, "
            "or widen the setting tcp.ports"
        )

    @property
    def endpoint(self) -> str:
        """See `Transport.endpoint`."""
        return self._endpoint

    @property
    def max_frame(self) -> int | None:
        """See `Transport.max_frame`."""
        return self._max_frame

    def start(self, on_message: OnMessage, on_broken: OnBroken) -> None:
        """See `Transport.start`. libzmq connects again by itself, and tells nobody."""
        self._on_message = on_message
        self._poller.register(self._router, zmq.POLLIN)
        self._poller.register(self._zap.socket, zmq.POLLIN)
        self._poller.register(self._wake_read, zmq.POLLIN)

    def admit(self, member: Member) -> None:
        """See `Transport.admit`."""
        with self._lock:
            self._members[member.incarnation] = member
            if member.public_key:
                self._admission.keys[member.public_key] = member.incarnation

    def expel(self, member: Member) -> None:
        """See `Transport.expel`."""
        with self._lock:
            self._members.pop(member.incarnation, None)
            self._admission.keys.pop(member.public_key, None)

    def connect(self, member: Member) -> Link:
        """See `Transport.connect`."""
        with self._lock:
            if self._closed:
                raise BrokenError(f"env{self._hello.env} has closed its links")
            try:
                link = _ZmqLink(self._new_dealer(member), member, self._forget_link)
            except (zmq.ZMQError, UnicodeError, ValueError) as error:
                raise BrokenError(f"no link to env{member.env} at {member.endpoint}: {error}") from error
            self._links.add(link)
        link.send([self._hello.header()])
        return link

    def _new_dealer(self, member: Member) -> "zmq.Socket[bytes]":
        dealer = self._new_socket(zmq.DEALER)
        try:
            if self._keys is not None:
                dealer.curve_serverkey = member.public_key.encode()
                dealer.curve_publickey = self._keys.public.encode()
                dealer.curve_secretkey = self._keys.secret.encode()
            if member.endpoint.startswith("tcp://["):
                dealer.setsockopt(zmq.IPV6, 1)
            dealer.setsockopt(zmq.ROUTING_ID, _routing_id(self._hello.incarnation))
            dealer.connect(member.endpoint)
        except BaseException:
            dealer.close(linger=0)  # a context with an open socket cannot end
            raise
        return dealer

    def _forget_link(self, link: "_ZmqLink") -> None:
        with self._lock:
            self._links.discard(link)

    def close(self) -> None:
        """See `Transport.close`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            links = list(self._links)
        for link in links:
            link.close()
        for mine in ("_router", "_zap"):  # the constructor may have failed before it made them
            if hasattr(self, mine):
                getattr(self, mine).close(linger=0)
        self._wake_read.close()
        self._wake_write.close()
        self._context.term()

    # --- the thread that reads ---

    def interrupt(self) -> None:
        """See `Transport.interrupt`."""
        with suppress(BlockingIOError):  # full: there is more than enough to wake it
            self._wake_write.send(b"x")

    def await_ready(self, timeout: float | None) -> Ready:
        """See `Transport.await_ready`."""
        return self._poller.poll(None if timeout is None else ceil(timeout * 1000))

    def hand_on(self, ready: Ready) -> None:
        """See `Transport.hand_on`."""
        for who, _ in ready:
            if who is self._router:
                self._read_batch()
            elif who is self._zap.socket:
                self._zap.answer()
            else:
                self._wake_read.recv(_BATCH)

    def _read_batch(self) -> None:
        for _ in range(_BATCH):
            try:
                routing_id, user, frames = self._receive()
            except zmq.Again:
                return
            try:
                self._take(routing_id, user, frames)
            # No message may end the reading, nor a callback that a Future runs here, whatever it raises.
            except BaseException:
                _log.exception("a message could not be handled; please report it")

    def _receive(self) -> tuple[bytes, str | None, list[Frame]]:
        router = self._router
        user: str | None = None
        if self._keys is None:
            routing_id: bytes = router.recv(zmq.NOBLOCK)
        else:
            first: Any = router.recv(zmq.NOBLOCK, copy=False)
            routing_id = first.bytes
            with suppress(zmq.ZMQError):  # without one, it speaks for nobody
                user = first.get("User-Id")
        frames: list[Frame] = []
        while router.getsockopt(zmq.RCVMORE):
            if len(frames) < 2:
                frames.append(router.recv(zmq.NOBLOCK))
                continue
            buffer: Any = router.recv(zmq.NOBLOCK, copy=False)
            # Large ones stay where libzmq put them. A small one would keep alive all that came with it.
            frames.append(buffer.buffer if len(buffer) >= _LARGE else buffer.bytes)
        return routing_id, user, frames

    def _take(self, routing_id: bytes, user: str | None, frames: list[Frame]) -> None:
        member = self._proven.get(routing_id)
        if member is None:
            self._greet(routing_id, user, frames)
            return
        if self._keys is not None and user != member.incarnation:
            self.audit.refused("identity", f"the key of {user} speaks for env{member.env}")
            return
        if member.incarnation not in self._members:  # expelled; a single look-up needs no lock
            self._proven.pop(routing_id, None)
            self.audit.refused("expelled", f"env{member.env} is no member any more")
            return
        if self._on_message is None:
            raise InternalError("the transport reads before it was started")
        self._on_message(member.env, frames)

    def _greet(self, routing_id: bytes, user: str | None, frames: list[Frame]) -> None:
        """The first message of a connection has to say who speaks, and that has to be true."""
        try:
            hello = read_header(frames)
        except WireError as error:
            self.audit.refused("hello", str(error))
            return
        if not isinstance(hello, Hello):
            self.audit.refused("hello", "a peer did not say hello first")
            return
        with self._lock:
            member = self._members.get(hello.incarnation)
        if (
            member is None
            or hello.corps != self._hello.corps
            or hello.env != member.env
            or routing_id != _routing_id(hello.incarnation)
            or (self._keys is not None and user != hello.incarnation)
        ):
            self.audit.refused("hello", f"no member of this Corps says it is env{hello.env}")
            return
        for old in [known for known, of in self._proven.items() if of.incarnation not in self._members]:
            del self._proven[old]
        self._proven[routing_id] = member


class _ZmqLink(Link):
    """A DEALER socket to one peer."""

    def __init__(self, dealer: "zmq.Socket[bytes]", member: Member, forget: Any) -> None:
        self._lock = Lock()  # protects the socket: one thread uses it at a time, as libzmq wants
        self._dealer: zmq.Socket[bytes] | None = dealer
        self._member = member
        self._forget = forget

    def send(self, frames: Sequence[Frame]) -> None:
        """See `Link.send`."""
        with self._lock:
            dealer = self._dealer
            if dealer is None:
                raise BrokenError(f"the link to env{self._member.env} is closed")
            try:
                # Copied here, into memory of libzmq: without that, what the caller changes in an array after
                # the call would still change what is sent, and pyzmq would run a thread and a context of its
                # own for the whole process. It costs no throughput (1 MiB frames over ipc: 3.7 GB/s against
                # 4.0, 16 MiB: 3.5 against 3.0), since who reads is the slower one.
                dealer.send_multipart(frames, zmq.NOBLOCK)
            except zmq.ZMQError as error:
                raise BrokenError(f"the link to env{self._member.env} broke: {error}") from error

    def close(self) -> None:
        """See `Link.close`."""
        with self._lock:
            dealer, self._dealer = self._dealer, None
        if dealer is not None:
            dealer.close()
            self._forget(self)


def _routing_id(incarnation: str) -> bytes:
    return b"E" + bytes.fromhex(incarnation)  # libzmq reserves ids that begin with a zero byte
