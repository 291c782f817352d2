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
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from threading import Lock, current_thread, main_thread
from typing import Final

from corps.addresses import env_label
from corps.clock import now
from corps.core import know_transport, native
from corps.errors import BrokenError, EnvStartError, Overloaded, VersionMismatch, WireError
from corps.messages.members import Member
from corps.reserve import Reserve
from corps.security.admission import Admission
from corps.security.audit import Audit
from corps.transport.hello import member_of, note_refusal
from corps.transport.link import Link, OnBroken, OnMessage, Ready, Transport
from corps.transport.peer_user import user_behind
from corps.transport.shared_memory.arenas import Arenas
from corps.transport.socket_dir import SocketDir
from corps.transport.strangers import Strangers
from corps.transport.timetable import until
from corps.transport.unix.inbound import InboundConnection
from corps.transport.unix.lending import Loans, lending
from corps.transport.unix.link import UnixLink
from corps.transport.unix.stalls import Stalls
from corps.wire.frames import Frame, Hello
from corps.wire.stream import head

_log = logging.getLogger("corps.transport")

_SCHEME: Final = "unix:"
_LONGEST: Final = 3600.0  # seconds; epoll takes some more than two million
_LINGER: Final = 0.5  # seconds: last answers get this long to leave
_BACKLOG: Final = 1024
_RESERVE: Final = 16  # descriptors that are kept for links, in both directions
_PATIENCE: Final = 30.0  # seconds after which a connection is given up whose next message cannot be taken
_ACCEPT_PAUSE: Final = 0.1  # seconds until a connection is taken that there was no descriptor for
_MIB: Final = 1024 * 1024


@native
class UnixTransport(Transport):
    """One Env's UNIX sockets. Threads as `Transport` says."""

    def __init__(
        self,
        hello: Hello,
        *,
        runtime_dir: str,
        shared: int = 1024 * _MIB,  # bytes of the shared memory that large frames go through, at most
        kept: int = 256 * _MIB,  # bytes of it that are kept to be used again
        handshake_timeout: float = 3.0,  # seconds within which a peer must have said who it is
    ) -> None:
        """Bind the Env's socket file in a directory of mode 0700. Raise EnvStartError if that cannot be."""
        self._hello = hello
        self._visit = hello  # what an Env of another Corps hears
        self._name = f"{hello.env}-{hello.incarnation[:12]}.sock"
        self.audit = Audit(f"{env_label(hello.env)}")
        self._admission = Admission(os.getuid())
        # Protects _members, _links, _broken, _awaited and _closed.
        self._lock = Lock()
        self._members: dict[str, Member] = {}
        self._links: dict[int, UnixLink] = {}  # by descriptor
        self._broken: set[int] = set()  # descriptors of links that are not watched any more
        self._numbers = itertools.count(1)
        self._arenas = Arenas(shared, kept)
        self._loans: Loans = {}
        self._closed = False
        self._awaited: dict[str, Callable[[], object]] = {}  # by incarnation: what its last word sets off
        self._inbound: dict[int, InboundConnection] = {}  # by descriptor; used by the thread that reads alone
        self._strangers = Strangers(handshake_timeout)
        self._on_message: OnMessage | None = None
        self._on_broken: OnBroken | None = None
        self._unread: list[InboundConnection] = []  # with messages that were read, and not handed on
        self._has_expelled = False
        self._reserve = Reserve(_RESERVE)
        self._stalls = Stalls(_PATIENCE)  # used by the thread that reads alone
        self._accepts_again: float | None = None  # when; None: it does
        self._poll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._directory: SocketDir | None = None
        try:
            self._directory = SocketDir(runtime_dir)
            place = self._directory.place(self._name)
            self.endpoint = f"{_SCHEME}{place}"
            self.takes_visitors = "/" in place
            self._visit = hello._replace(endpoint=self.endpoint)
            self._listener.bind(self._directory.reach(place))
            self._listener.listen(_BACKLOG)
        except OSError as error:
            self.close()
            listening = f"{env_label(hello.env)} cannot listen on {runtime_dir}/{self._name}"
            raise EnvStartError(f"{listening}: {error}") from error

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

    def lending(self, frames: Sequence[Frame]) -> AbstractContextManager[None]:
        """See `Transport.lending`."""
        mappings = [inbound.mappings for inbound in list(self._inbound.values())]  # one step is atomic
        return lending(self._loans, mappings, frames)

    def admit(self, member: Member) -> None:
        """See `Transport.admit`."""
        with self._lock:
            self._members[member.incarnation] = member

    def expel(self, member: Member) -> None:
        """See `Transport.expel`."""
        with self._lock:
            self._members.pop(member.incarnation, None)
            self._has_expelled = True
        self.interrupt()  # the thread that reads hangs up, so that the other side hears of it

    def when_read(self, member: Member, then: Callable[[], object]) -> bool:
        """See `Transport.when_read`. The end of a process closes its sockets, behind all that it has sent."""
        with self._lock:
            self._awaited[member.incarnation] = then
        self.interrupt()
        return True

    def connect(self, member: Member) -> Link:
        """See `Transport.connect`."""
        try:
            sock, mine, theirs = self._reserve.use(_three_sockets, 3)
        except OSError as error:
            raise Overloaded(f"no link to {member.label}: {error}") from error
        try:
            sock.connect(self._path_of(member))
            verdict = self._admission.judge_user(*user_behind(sock))
            if not verdict.admitted:
                raise BrokenError(f"the socket of {member.label} is not its own: {verdict.reason}")
            link = UnixLink(
                sock,
                mine,
                member,
                self._arenas,
                next(self._numbers),
                self._loans,
                self._wait_writable,
                self._forget,
            )
            rights = array("i", [theirs.fileno()])
            hello = (self._visit if member.corps else self._hello).header()
            with_it = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
            sock.sendmsg([head([hello]), hello], with_it, socket.MSG_NOSIGNAL)
            with self._lock:
                if self._closed:
                    raise BrokenError(f"{env_label(self._hello.env)} has closed its links")
                self._links[link.fd] = link
                self._poll.register(link.fd, 0)  # to see it break
        except BaseException as error:
            sock.close()
            mine.close()
            if not isinstance(error, OSError):
                raise
            raise BrokenError(f"no link to {member.label} at {member.endpoint}: {error}") from error
        finally:
            theirs.close()
        return link

    def _path_of(self, member: Member) -> str:
        place = member.endpoint.removeprefix(_SCHEME)
        return place if self._directory is None else self._directory.reach(place)

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
        if self._directory is not None:
            self._directory.remove(self._name)
            self._directory.close()
        self._poll.close()
        os.close(self._wake)
        self._reserve.close()

    # --- the thread that reads ---

    def tidy(self) -> None:
        """See `Transport.tidy`."""
        self._arenas.tidy()
        self._reserve.refill()

    def interrupt(self) -> None:
        """See `Transport.interrupt`."""
        with self._lock:
            if not self._closed:
                os.eventfd_write(self._wake, 1)

    def await_ready(self, timeout: float | None) -> Ready:
        """See `Transport.await_ready`."""
        if timeout == 0.0:  # a look in passing makes nobody late
            return self._poll.poll(0.0)
        timeout = self.within(timeout)
        return self._poll.poll(timeout if timeout is None else min(timeout, _LONGEST))

    def within(self, timeout: float | None) -> float | None:
        """Return how long the thread that reads may wait, if it wants to wait `timeout` seconds."""
        if self._unread or timeout == 0.0:
            return 0.0
        return self._stalls.within(until(self._accepts_again, self._strangers.within(timeout)))

    def fileno(self) -> int:
        """Return a descriptor that can be read when `await_ready` would find something."""
        return self._poll.fileno()

    def hand_on(self, ready: Ready) -> None:
        """See `Transport.hand_on`."""
        while self._unread:  # the thread that read them was interrupted by a signal
            self._take_all(self._unread.pop())
        for fd, events in ready:
            inbound = self._inbound.get(fd)
            if inbound is not None:
                self._read(inbound, inbound.read)
            elif fd == self._wake:
                with suppress(BlockingIOError):
                    os.eventfd_read(fd)
                if self._has_expelled:
                    self._hang_up()
                if self._awaited:
                    self._look_for_last_words()
            elif fd == self._listener.fileno():
                self._accept()
            else:
                self._look_after(fd, events)
        if self._accepts_again is not None or self._stalls.times or self._strangers.times:
            self._look_at_clock()

    def _look_at_clock(self) -> None:
        """Do what is due, though nothing came for it."""
        if self._accepts_again is not None and now() >= self._accepts_again:
            self._accepts_again = None
            self._poll.register(self._listener, select.EPOLLIN)
        for fd in self._stalls.due():
            self._read(self._inbound[fd], self._inbound[fd].go_on)
        for fd in self._strangers.due():
            self._cut_off(self._inbound[fd])

    def _accept(self) -> None:
        try:
            sock, _ = self._reserve.use(self._listener.accept)
        except BlockingIOError:
            return
        except OSError as error:
            # A peer that wants to connect waits in the kernel's queue meanwhile, with what it sends.
            self._accepts_again = now() + _ACCEPT_PAUSE
            self._poll.unregister(self._listener)
            text = "%s could not take a connection, and tries again in %s s: %s"
            _log.warning(text, env_label(self._hello.env), _ACCEPT_PAUSE, error)
            return
        verdict = self._admission.judge_user(*user_behind(sock))
        if not verdict.admitted:
            self.audit.refused("connection", verdict.reason)
            sock.close()
            return
        self.audit.admitted(verdict.reason)
        sock.setblocking(False)
        self._inbound[sock.fileno()] = InboundConnection(sock, self._reserve)
        self._strangers.add(sock.fileno())
        self._poll.register(sock, select.EPOLLIN)

    def _read(self, inbound: InboundConnection, read: Callable[[], None]) -> None:
        """Take what there is by `InboundConnection.read`, or by its `go_on` if it stalled."""
        try:
            read()
        except BlockingIOError:
            return
        except (OSError, EOFError):
            self._drop(inbound)
            return
        except WireError as error:
            self._take_all(inbound)  # what came before: wherever a read ends, it is taken
            if inbound.sock.fileno() in self._inbound:
                self._refuse(inbound, error)
            return
        except MemoryError as error:
            self._stall(inbound, error)
            return
        self._take_all(inbound)

    def _refuse(self, inbound: InboundConnection, error: Exception) -> None:
        self.audit.refused("frames", str(error))
        self._drop(inbound)

    def _stall(self, inbound: InboundConnection, error: MemoryError) -> None:
        """Read nothing until there is memory, or a descriptor, for the next message."""
        fd = inbound.sock.fileno()
        if fd not in self._stalls:
            _log.warning("%s has to wait with a message: %s", env_label(self._hello.env), error)
            self._poll.unregister(fd)
        if not self._stalls.add(fd):
            self._poll.register(fd, 0)
            self._refuse(inbound, error)

    def _cut_off(self, inbound: InboundConnection) -> None:
        """Let a stranger go, unless it has said by now who it is: this thread may be late itself."""
        self._read(inbound, inbound.read)
        if inbound.member is None and inbound.sock.fileno() in self._inbound:
            self.audit.refused("hello", "a peer did not say in time who it is")
            self._drop(inbound)

    def _take_all(self, inbound: InboundConnection) -> None:
        """Hand on the messages that were read."""
        try:
            while inbound.messages:
                if not self._take(inbound, inbound.take()):
                    self._drop(inbound)
                    return
            if self._stalls.times and inbound.sock.fileno() in self._stalls:
                self._stalls.remove(inbound.sock.fileno())
                self._poll.register(inbound.sock, select.EPOLLIN)
        except WireError as error:
            self._refuse(inbound, error)
        except MemoryError as error:
            self._stall(inbound, error)
        finally:
            fd = inbound.sock.fileno()
            if inbound.messages and fd in self._inbound and fd not in self._stalls:
                self._unread.append(inbound)

    def _take(self, inbound: InboundConnection, frames: Sequence[Frame]) -> bool:
        """Hand on one message; return False if its sender is to be cut off."""
        member = inbound.member
        if member is None:
            try:
                member = member_of(frames, self._hello, self._find, self.on_visitor)
            except WireError as error:
                note_refusal(self.audit, error)
                if isinstance(error, VersionMismatch):
                    inbound.answer(self._hello.header())
                return False
            self._strangers.remove(inbound.sock.fileno())
            inbound.trust(member)
            return True
        if member.incarnation not in self._members:  # expelled; a single look-up needs no lock
            self._note_expelled(member)
            return False
        try:
            if self._on_message is not None:
                self._on_message(member.env, frames)
        # No message may end the reading, nor a callback that a Future runs here, whatever it raises.
        except BaseException as error:
            if not isinstance(error, Exception) and current_thread() is main_thread():
                raise  # a signal: the thread that reads next reads what comes next
            self._note_defect(error)
        return True

    def _note_defect(self, error: BaseException) -> None:
        _log.error("a message could not be handled; please report it", exc_info=error)

    def _note_expelled(self, member: Member) -> None:
        if (
            not member.corps
        ):  # else its process has ended as it may: another Corps is expelled for nothing else
            self.audit.refused("expelled", f"{member.label} is no member any more")

    def _find(self, incarnation: str) -> Member | None:
        with self._lock:
            return self._members.get(incarnation)

    def _hang_up(self) -> None:
        """Drop the connections of those that are no members any more."""
        self._has_expelled = False
        for inbound in list(self._inbound.values()):
            member = inbound.member
            if member is not None and member.incarnation not in self._members:
                self._note_expelled(member)
                self._drop(inbound)

    def _drop(self, inbound: InboundConnection) -> None:
        fd = inbound.sock.fileno()
        if fd in self._stalls:
            self._stalls.remove(fd)
        else:
            self._poll.unregister(fd)
        del self._inbound[fd]
        self._strangers.remove(fd)
        inbound.close()
        self._reserve.refill()
        member = inbound.member
        if member is not None and member.incarnation in self._members and self._on_broken is not None:
            self._on_broken(member, None)  # what it has sent and we have not read may be lost
        if self._awaited:
            self._look_for_last_words()

    def _look_for_last_words(self) -> None:
        """Do what waits for members from which nothing more can come."""
        there = {
            inbound.member.incarnation for inbound in self._inbound.values() if inbound.member is not None
        }
        with self._lock:
            over = [self._awaited.pop(each) for each in list(self._awaited) if each not in there]
        for then in over:
            then()

    def _look_after(self, fd: int, events: int) -> None:
        """Handle a link that has room for more, or is broken."""
        with self._lock:
            link = self._links.get(fd)
            if link is None or fd in self._broken:
                return
            is_broken = bool(events & (select.EPOLLHUP | select.EPOLLERR)) and _is_broken(fd)
            if is_broken:
                self._broken.add(fd)
                self._poll.unregister(fd)
        if is_broken:
            if self._on_broken is not None:
                self._on_broken(link.member, link.refusal())
        elif link.flush():
            with self._lock:
                if self._links.get(fd) is link and fd not in self._broken and not link.unsent:
                    self._poll.modify(fd, 0)


def _three_sockets() -> tuple[socket.socket, socket.socket, socket.socket]:
    """Return a socket to connect, and both ends of a pair for descriptors."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError:
        sock.close()
        raise
    for each in (sock, mine, theirs):
        each.setblocking(False)
    return sock, mine, theirs


def _is_broken(fd: int) -> bool:
    """Return whether a socket is broken now: the event may be of one that had this number before."""
    look = select.poll()
    look.register(fd, 0)
    return bool(look.poll(0))


know_transport(UnixTransport)
