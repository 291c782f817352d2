"""Links over UNIX sockets: the fast path between the Envs of one host. Linux only.

Each direction between two Envs has a stream socket of its own, as with ZeroMQ, and the kernel vouches on both
ends for the user on the other one. The calling thread sends; what the socket has no room for, the thread
that reads sends later. One read takes many small messages. Large frames go through shared memory, whose
descriptors come with the first message that uses it.

Like every link it says nothing when the other side dies: the membership does.
"""

import itertools
import logging
import os
import select
import socket
import weakref
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from struct import Struct
from threading import Lock
from typing import Final

from corps.errors import BrokenError, EnvStartError, WireError
from corps.messages.members import Member
from corps.security.admission import Admission
from corps.security.audit import Audit
from corps.transport.arenas import Arenas
from corps.transport.link import Link, OnBroken, OnMessage, Ready, Transport
from corps.transport.mappings import Mappings
from corps.transport.unix_link import MOST_SHARED, UnixLink
from corps.wire.frames import MAX_HEADER, Frame, Hello, read_header
from corps.wire.stream import Cutter, Place, WithPlaces

_log = logging.getLogger("corps.transport")

_SCHEME: Final = "unix:"
_AT_ONCE: Final = 64 * 1024  # bytes that are read at once
_MAX_MESSAGE: Final = 2**40  # of a member; what does not fit into memory is refused too
_LINGER: Final = 0.5  # seconds: last answers get this long to leave
_BACKLOG: Final = 1024
_MIB: Final = 1024 * 1024
_RIGHTS: Final = socket.CMSG_SPACE(4 * MOST_SHARED)
_CLOSED_ON_EXEC: Final = int(socket.MSG_CMSG_CLOEXEC)  # as enumerations they cost 2 µs for each read
_TRUNCATED: Final = int(socket.MSG_CTRUNC)
_CREDENTIALS: Final = Struct("3i")  # pid, uid, gid


class UnixTransport(Transport):
    """One Env's UNIX sockets. Threads as `Transport` says."""

    def __init__(
        self, hello: Hello, *, runtime_dir: str, shared: int = 1024 * _MIB, kept: int = 256 * _MIB
    ) -> None:
        """Bind the Env's socket file.

        Args:
            hello: Who this Env is.
            runtime_dir: A directory of mode 0700 for the socket file.
            shared: Bytes of the shared memory that large frames go through, at most.
            kept: Bytes of it that are kept to be used again.

        Raises:
            EnvStartError: It cannot listen there.
        """
        self._hello = hello
        self._path = f"{runtime_dir}/{hello.env}-{hello.incarnation[:12]}.sock"
        self.audit = Audit(f"env{hello.env}")
        self._admission = Admission(os.getuid())
        # Protects _members, _links, _broken and _closed.
        self._lock = Lock()
        self._members: dict[str, Member] = {}
        self._links: dict[int, UnixLink] = {}  # by descriptor
        self._broken: set[int] = set()  # descriptors of links that are not watched any more
        self._numbers = itertools.count(1)
        self._arenas = Arenas(shared, kept)
        self._closed = False
        self._inbound: dict[int, _Inbound] = {}  # by descriptor; used by the thread that reads alone
        self._on_message: OnMessage | None = None
        self._on_broken: OnBroken | None = None
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

    def start(self, on_message: OnMessage, on_broken: OnBroken) -> None:
        """See `Transport.start`."""
        self._on_message = on_message
        self._on_broken = on_broken
        self._poll.register(self._listener, select.EPOLLIN)
        self._poll.register(self._wake, select.EPOLLIN)
        known = weakref.ref(self)

        def forking() -> None:
            transport = known()
            for inbound in [] if transport is None else list(transport._inbound.values()):
                inbound.mappings.forking()

        os.register_at_fork(before=forking, after_in_parent=forking)  # for ever, but it holds nothing

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
            link = UnixLink(
                sock, member, self._arenas, next(self._numbers), self._wait_writable, self._forget
            )
            with self._lock:
                if self._closed:
                    raise BrokenError(f"env{self._hello.env} has closed its links")
                self._links[link.fd] = link
                self._poll.register(link.fd, 0)  # to see it break
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
            if self._links.get(link.fd) is link and link.fd not in self._broken:
                self._poll.modify(link.fd, select.EPOLLOUT)

    def _forget(self, link: UnixLink) -> None:
        with self._lock:
            if self._links.get(link.fd) is link:
                del self._links[link.fd]
                if link.fd not in self._broken:
                    self._poll.unregister(link.fd)
                self._broken.discard(link.fd)

    def close(self) -> None:
        """See `Transport.close`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            links = list(self._links.values())
        for link in links:
            link.close(_LINGER)
        self._on_message = self._on_broken = None  # no cycle: what was received may hold shared memory
        self._arenas.close()
        for inbound in self._inbound.values():
            inbound.close()
        self._listener.close()
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        self._poll.close()
        os.close(self._wake)

    # --- the thread that reads ---

    def tidy(self) -> None:
        """See `Transport.tidy`."""
        self._arenas.tidy()

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
        for fd, events in ready:
            inbound = self._inbound.get(fd)
            if inbound is not None:
                self._read(inbound)
            elif fd == self._wake:
                with suppress(BlockingIOError):
                    os.eventfd_read(fd)
            elif fd == self._listener.fileno():
                self._accept()
            else:
                self._look_after(fd, events)

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
        inbound.close()

    def _look_after(self, fd: int, events: int) -> None:
        """A link has room for more, or is broken."""
        with self._lock:
            link = self._links.get(fd)
            is_broken = bool(events & (select.EPOLLHUP | select.EPOLLERR))
            if link is None or fd in self._broken:
                return
            if is_broken:
                self._broken.add(fd)
                self._poll.unregister(fd)
        if is_broken:
            if self._on_broken is not None:
                self._on_broken(link.member)
        elif link.flush():
            with self._lock:
                if self._links.get(fd) is link and fd not in self._broken and not link.has_left:
                    self._poll.modify(fd, 0)


class _Inbound:
    """One accepted connection. The thread that reads uses it alone.

    Attributes:
        sock: The connection, not blocking.
        member: Who speaks; None before it has said so.
        mappings: The shared memory that came by it.
    """

    __slots__ = ("_cutter", "_fds", "mappings", "member", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.member: Member | None = None
        self._cutter = Cutter(MAX_HEADER, _MAX_MESSAGE)
        self.mappings = Mappings()
        self._fds: deque[int] = deque()  # descriptors whose messages have not come

    def read(self) -> Iterator[Sequence[Frame]]:
        """Read once.

        Yields:
            The messages that are whole now. `member` is to be set before the second one of the connection.

        Raises:
            EOFError: The peer has closed it.
            WireError: What comes are no messages.
            OSError: It broke.
        """
        room = self._cutter.room
        if room is not None:
            size = self.sock.recv_into(room)
            if not size:
                raise EOFError
            filled = self._cutter.filled(size)
            if filled is not None:
                yield filled
            return
        data, rights, flags, _ = self.sock.recvmsg(_AT_ONCE, _RIGHTS, _CLOSED_ON_EXEC)
        if not data:
            raise EOFError
        if rights:
            self._keep(rights)
        if flags & _TRUNCATED:
            raise WireError(
                "descriptors were lost: this process has no more of them, or too many came at once"
            )
        for message in self._cutter.cut(data):
            yield self._whole(message) if isinstance(message, WithPlaces) else message

    def _keep(self, rights: Sequence[tuple[int, int, bytes]]) -> None:
        for _, _, data in rights:
            self._fds += array("i", data[: len(data) - len(data) % 4])
        if len(self._fds) > MOST_SHARED:
            raise WireError(f"more than {MOST_SHARED} descriptors came without their messages")

    def _whole(self, message: WithPlaces) -> list[Frame]:
        """The frames of a message, of which some lie in shared memory."""
        if self.member is None:
            raise WireError("a peer speaks of shared memory before it has said who it is")
        return [self._frame(piece) if isinstance(piece, Place) else piece for piece in message]

    def _frame(self, place: Place) -> Frame:
        fd = None
        if place.is_first:
            if not self._fds:
                raise WireError(f"the descriptor of segment {place.segment} has not come")
            fd = self._fds.popleft()
        return self.mappings.open(place.segment, fd, place.capacity, place.size)

    def close(self) -> None:
        """Let go of it. What was received stays valid."""
        self.sock.close()
        self.mappings.close()
        while self._fds:
            os.close(self._fds.popleft())


def _peer_of(sock: socket.socket) -> tuple[str, int]:
    """Process and user at the other end, as the kernel says."""
    pid, uid, _ = _CREDENTIALS.unpack(
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return str(pid), uid
