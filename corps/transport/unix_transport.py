"""Links over UNIX sockets: the fast path between the Envs of one host. Linux only.

Each direction between two Envs has a stream socket of its own, as with ZeroMQ, and the kernel vouches on both
ends for the user on the other one. The calling thread sends; what the socket has no room for, the thread
that reads sends later. One `recv` takes many small messages.

Like every link it says nothing when the other side dies: the membership does.
"""

import logging
import os
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from struct import Struct
from threading import Lock
from typing import Final

from corps.errors import BrokenError, EnvStartError, WireError
from corps.messages.members import Member
from corps.security.admission import Admission
from corps.security.audit import Audit
from corps.transport.link import Link, OnMessage, Ready, Transport
from corps.transport.unix_link import UnixLink
from corps.wire.frames import MAX_HEADER, Frame, Hello, read_header
from corps.wire.stream import Cutter

_log = logging.getLogger("corps.transport")

_SCHEME: Final = "unix:"
_AT_ONCE: Final = 64 * 1024  # bytes that are read at once
_MAX_MESSAGE: Final = 2**40  # of a member; what does not fit into memory is refused too
_LINGER: Final = 0.5  # seconds: last answers get this long to leave
_BACKLOG: Final = 1024
_CREDENTIALS: Final = Struct("3i")  # pid, uid, gid


class UnixTransport(Transport):
    """One Env's UNIX sockets. Threads as `Transport` says."""

    def __init__(self, hello: Hello, *, runtime_dir: str) -> None:
        """Bind the Env's socket file.

        Args:
            hello: Who this Env is.
            runtime_dir: A directory of mode 0700 for the socket file.

        Raises:
            EnvStartError: It cannot listen there.
        """
        self._hello = hello
        self._path = f"{runtime_dir}/{hello.env}-{hello.incarnation[:12]}.sock"
        self.audit = Audit(f"env{hello.env}")
        self._admission = Admission(os.getuid())
        # Protects _members, _links, _flushing and _closed.
        self._lock = Lock()
        self._members: dict[str, Member] = {}
        self._links: set[UnixLink] = set()
        self._flushing: dict[int, UnixLink] = {}  # by descriptor: links that have something left to send
        self._closed = False
        self._inbound: dict[int, _Inbound] = {}  # by descriptor; used by the thread that reads alone
        self._on_message: OnMessage | None = None
        self._poll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        try:
            self._listener.bind(self._path)
            self._listener.listen(_BACKLOG)
        except OSError as error:
            self.close()
            raise EnvStartError(f"env{hello.env} cannot listen on {self._path}: {error}") from error

    @property
    def endpoint(self) -> str:
        """See `Transport.endpoint`."""
        return f"{_SCHEME}{self._path}"

    @property
    def max_frame(self) -> int | None:
        """See `Transport.max_frame`."""
        return None

    def start(self, on_message: OnMessage) -> None:
        """See `Transport.start`."""
        self._on_message = on_message
        self._poll.register(self._listener, select.EPOLLIN)
        self._poll.register(self._wake, select.EPOLLIN)

    def admit(self, member: Member) -> None:
        """See `Transport.admit`."""
        with self._lock:
            self._members[member.incarnation] = member

    def expel(self, member: Member) -> None:
        """See `Transport.expel`."""
        with self._lock:
            self._members.pop(member.incarnation, None)

    def connect(self, member: Member) -> Link:
        """See `Transport.connect`."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(member.endpoint.removeprefix(_SCHEME))
            verdict = self._admission.judge_user(*_peer_of(sock))
            if not verdict.admitted:
                raise BrokenError(f"the socket of env{member.env} is not its own: {verdict.reason}")
            link = UnixLink(sock, member, self._wait_writable, self._forget)
            with self._lock:
                if self._closed:
                    raise BrokenError(f"env{self._hello.env} has closed its links")
                self._links.add(link)
        except OSError as error:
            sock.close()
            raise BrokenError(f"no link to env{member.env} at {member.endpoint}: {error}") from error
        except BrokenError:
            sock.close()
            raise
        link.send([self._hello.header()])
        return link

    def _wait_writable(self, link: UnixLink) -> None:
        with self._lock:
            if link in self._links and link.fd not in self._flushing:
                self._flushing[link.fd] = link
                self._poll.register(link.fd, select.EPOLLOUT)

    def _forget(self, link: UnixLink) -> None:
        with self._lock:
            self._links.discard(link)
            if self._flushing.pop(link.fd, None) is not None:
                self._poll.unregister(link.fd)

    def close(self) -> None:
        """See `Transport.close`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            links = list(self._links)
        for link in links:
            link.close(_LINGER)
        for inbound in self._inbound.values():
            inbound.sock.close()
        self._listener.close()
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        self._poll.close()
        os.close(self._wake)

    # --- the thread that reads ---

    def interrupt(self) -> None:
        """See `Transport.interrupt`."""
        with self._lock:
            if not self._closed:
                os.eventfd_write(self._wake, 1)

    def await_ready(self, timeout: float | None) -> Ready:
        """See `Transport.await_ready`."""
        return self._poll.poll(timeout)

    def hand_on(self, ready: Ready) -> None:
        """See `Transport.hand_on`."""
        for fd, _ in ready:
            inbound = self._inbound.get(fd)
            if inbound is not None:
                self._read(inbound)
            elif fd == self._wake:
                with suppress(BlockingIOError):
                    os.eventfd_read(fd)
            elif fd == self._listener.fileno():
                self._accept()
            else:
                self._flush(fd)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            _log.warning("env%d could not take a connection: %s", self._hello.env, error)
            return
        verdict = self._admission.judge_user(*_peer_of(sock))
        if not verdict.admitted:
            self.audit.refused("connection", verdict.reason)
            sock.close()
            return
        self.audit.admitted(verdict.reason)
        sock.setblocking(False)
        self._inbound[sock.fileno()] = _Inbound(sock)
        self._poll.register(sock, select.EPOLLIN)

    def _read(self, inbound: "_Inbound") -> None:
        try:
            for frames in inbound.read():
                if not self._take(inbound, frames):
                    self._drop(inbound)
                    return
        except BlockingIOError:
            return
        except (OSError, EOFError):
            self._drop(inbound)
        except WireError as error:
            self.audit.refused("frames", str(error))
            self._drop(inbound)

    def _take(self, inbound: "_Inbound", frames: Sequence[Frame]) -> bool:
        """Hand on one message; False if its sender is to be cut off."""
        member = inbound.member
        if member is None:
            inbound.member = self._judge(frames)
            return inbound.member is not None
        if member.incarnation not in self._members:  # expelled; a single look-up needs no lock
            self.audit.refused("expelled", f"env{member.env} is no member any more")
            return False
        try:
            if self._on_message is not None:
                self._on_message(member.env, frames)
        # No message may end the reading, nor a callback that a Future runs here, whatever it raises.
        except BaseException:
            _log.exception("a message could not be handled; please report it")
        return True

    def _judge(self, frames: Sequence[Frame]) -> Member | None:
        """Who speaks, by the first message of a connection; None if that cannot be."""
        try:
            hello = read_header(frames)
        except WireError as error:
            self.audit.refused("hello", str(error))
            return None
        if not isinstance(hello, Hello):
            self.audit.refused("hello", "a peer did not say hello first")
            return None
        with self._lock:
            member = self._members.get(hello.incarnation)
        if member is None or hello.corps != self._hello.corps or hello.env != member.env:
            self.audit.refused("hello", f"no member of this Corps says it is env{hello.env}")
            return None
        return member

    def _drop(self, inbound: "_Inbound") -> None:
        fd = inbound.sock.fileno()
        self._poll.unregister(fd)
        del self._inbound[fd]
        inbound.sock.close()

    def _flush(self, fd: int) -> None:
        with self._lock:
            link = self._flushing.get(fd)
        if link is None or not link.flush():
            return
        with self._lock:
            if self._flushing.get(fd) is link and not link.has_left:
                del self._flushing[fd]
                self._poll.unregister(fd)


class _Inbound:
    """One accepted connection. The thread that reads uses it alone.

    Attributes:
        sock: The connection, not blocking.
        member: Who speaks; None before it has said so.
    """

    __slots__ = ("_cutter", "member", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.member: Member | None = None
        self._cutter = Cutter(MAX_HEADER, _MAX_MESSAGE)

    def read(self) -> Sequence[list[Frame]]:
        """Read once.

        Returns:
            The messages that are whole now.

        Raises:
            EOFError: The peer has closed it.
            WireError: What comes are no messages.
            OSError: It broke.
        """
        room = self._cutter.room
        if room is None:
            data = self.sock.recv(_AT_ONCE)
            if not data:
                raise EOFError
            return self._cutter.cut(data)
        size = self.sock.recv_into(room)
        if not size:
            raise EOFError
        message = self._cutter.filled(size)
        return () if message is None else (message,)


def _peer_of(sock: socket.socket) -> tuple[str, int]:
    """Process and user at the other end, as the kernel says."""
    pid, uid, _ = _CREDENTIALS.unpack(
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return str(pid), uid
