"""The sending half of a connection between two Envs over a UNIX socket."""

import logging
import select
import socket
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from threading import Condition
from typing import Final

from corps.clock import deadline_after, now
from corps.core import Lock, native
from corps.errors import BrokenError, Overloaded, VersionMismatch, WireError
from corps.messages.members import Member
from corps.transport.hello import mismatch_in
from corps.transport.link import Link
from corps.transport.shared_memory.arenas import Arenas, Placed
from corps.transport.unix.lending import Lent, Loans, find_lent
from corps.wire.frames import MAX_HELLO, Frame
from corps.wire.stream import AnyFrame, Cutter, SharedFrame, WithSharedFrames, as_bytes, head

_log = logging.getLogger("corps.transport")

_SHARED_FROM: Final = 128 * 1024  # bytes of large frames that go faster through shared memory
_FRAME_SHARED_FROM: Final = 16 * 1024  # the same of one frame: to place one more costs some microseconds

_NO_SIGNAL: Final = int(socket.MSG_NOSIGNAL)  # an application may have set SIGPIPE back to its default

_VIEWS: Final = 64  # messages that are given to the kernel at once

# The thread that reads sends no more than this in one go, so that it comes back to reading.
_AT_ONCE: Final = 1024 * 1024


@native
class UnixLink(Link):
    """A connected socket to one peer. Thread-safe, but for `flush`."""

    def __init__(
        self,
        sock: socket.socket,
        descriptors: socket.socket,  # for them alone: the peer takes one when it has room, so none is lost
        member: Member,
        arenas: Arenas,
        number: int,  # none of this process has it again
        loans: Loans,  # what may be lent to the peer
        wait_writable: "Callable[[UnixLink], None]",  # has `flush` called when there is room in the socket
        forget: "Callable[[UnixLink], None]",  # called before the socket is closed
    ) -> None:
        self._sock = sock
        self._descriptors = descriptors
        self.fd: Final = sock.fileno()
        """The descriptor of the socket; stale after `close`."""
        self.member: Final = member
        """The peer."""
        self._arenas = arenas
        self._number = number
        self._loans = loans
        self._wait_writable = wait_writable
        self._forget_me = forget
        # Protects what follows, and the order of what is sent.
        self._lock = Lock()
        self._left: deque[memoryview] = deque()  # what the socket had no room for
        self._less = Condition(self._lock)  # notified when less is unsent, or it is over
        self._is_dead = False  # the peer has gone: what is sent is lost, as it would be a moment later
        self._is_closed = False

    def send(self, frames: Sequence[Frame], lane: int | None = None) -> None:
        """See `Link.send`."""
        lent = placed = None
        if sum(map(len, frames)) >= _SHARED_FROM:
            lent = self._lent(frames) if self._loans else None
            placed = self._placed(frames) if lent is None else None
        if lent is not None:
            message = as_bytes(lent.frames)
        else:
            message = _joined(frames) if placed is None else as_bytes(_where(frames, placed))
        with self._lock:
            if self._is_closed:
                if placed is not None:
                    self._arenas.take_back(placed)
                raise BrokenError(f"the link to {self.member.label} is closed")
            if self._is_dead:
                return
            if lent is not None and not (lent.segment.fd and self._offer(lent.segment.fd)):
                message = _joined(frames)
            if placed is not None and placed.is_first and not self._offer(placed.segment.fd):
                self._arenas.take_back(placed)
                message = _joined(frames)
            had_left = bool(self._left)
            sent = 0 if had_left else self._send_now((message,))
            if sent == len(message) or self._is_dead:
                return
            self._left.append(memoryview(message)[sent:])
            self.unsent += len(message) - sent
        if not had_left:
            self._wait_writable(self)

    def _placed(self, frames: Sequence[Frame]) -> Placed | None:
        """Put the large frames of a message into shared memory; None if it goes through the socket."""
        large = list(filter(_is_large, frames))
        if sum(map(len, large)) < _SHARED_FROM:
            return None
        try:
            return self._arenas.place(large, self._number)
        except Overloaded as error:
            _log.debug("a message to env%d goes through the socket: %s", self.member.env, error)
            return None

    def _lent(self, frames: Sequence[Frame]) -> Lent | None:
        """Find the large frames of a message in one segment that may be lent; None if they are not there."""
        return find_lent(self._loans, frames, _is_large, self._arenas.lent_number)

    def _offer(self, fd: int) -> bool:
        """Send the descriptor of a segment ahead of its first message; return whether that was possible."""
        rights = array("i", [fd])
        try:
            self._descriptors.sendmsg([b"d"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)], _NO_SIGNAL)
        except OSError:  # too many are under way, or the peer has gone
            return False
        return True

    def wait_for_room(self, most: int, timeout: float | None) -> None:
        """See `Link.wait_for_room`."""
        with self._lock:
            self._less.wait_for(lambda: self.unsent < most, timeout)

    def flush(self) -> bool:
        """Send what is left, or some of it; return whether nothing is left. Thread that reads only."""
        total = 0
        with self._lock:
            while self._left and not self._is_closed:
                sent = self._send_left()
                total += sent
                if not sent or total > _AT_ONCE:
                    return not self._left
            return True

    def refusal(self) -> VersionMismatch | None:
        """Return why the peer has refused this link, if it said so. Thread that reads only."""
        try:
            came = self._sock.recv(2 * MAX_HELLO)
            answers = Cutter(MAX_HELLO, MAX_HELLO).cut(came)
        except (OSError, WireError):  # closed meanwhile, or nonsense
            return None
        return mismatch_in(answers[0]) if answers and not isinstance(answers[0], WithSharedFrames) else None

    def close(self, linger: float = 0.0) -> None:
        """See `Link.close`. What is left gets `linger` seconds to leave."""
        until = deadline_after(linger) or 0.0
        with self._lock:
            if self._is_closed:
                return
            while self._left and not self._is_dead and (rest := until - now()) > 0:
                writable = select.poll()
                writable.register(self.fd, select.POLLOUT)
                writable.poll(rest * 1000)
                self._send_left()
            self._is_closed = True
            self._clear()
        self._forget_me(self)
        self._sock.close()
        self._descriptors.close()
        self._arenas.release(self._number)

    def _send_left(self) -> int:
        """Send some of what is left; return how many bytes those were."""
        total = sent = self._send_now(list(islice(self._left, _VIEWS)))
        while sent and self._left:
            view = self._left.popleft()
            if sent < len(view):
                self._left.appendleft(view[sent:])
            sent = max(0, sent - len(view))
        self.unsent -= total
        self._less.notify_all()
        return total

    def _clear(self) -> None:
        """Drop what was to be sent. Caller holds the lock."""
        self._left.clear()
        self.unsent = 0
        self._less.notify_all()

    def _send_now(self, views: Sequence[Frame]) -> int:
        """Send what the socket takes; return how many bytes those were."""
        try:
            if len(views) == 1:
                return self._sock.send(views[0], _NO_SIGNAL)
            return self._sock.sendmsg(views, (), _NO_SIGNAL)
        except BlockingIOError:
            return 0
        except OSError:
            self._is_dead = True
            self._clear()
            with suppress(OSError):  # both sides are to see it, whatever the error was
                self._sock.shutdown(socket.SHUT_RDWR)
            return 0


def _is_large(frame: Frame) -> bool:
    return len(frame) >= _FRAME_SHARED_FROM


def _joined(frames: Sequence[Frame]) -> bytes:
    return b"".join((head(frames), *frames))


def _where(frames: Sequence[Frame], placed: Placed) -> list[AnyFrame]:
    """Return the frames of a message whose large ones were placed."""
    found: list[AnyFrame] = []
    offsets = iter(placed.offsets)
    segment, is_first = placed.segment, placed.is_first
    for frame in frames:
        if not _is_large(frame):
            found.append(frame)
            continue
        found.append(SharedFrame(segment.number, segment.capacity, next(offsets), len(frame), is_first))
        is_first = False
    return found
