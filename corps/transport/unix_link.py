"""The sending half of a connection between two Envs over a UNIX socket."""

import select
import socket
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from threading import Lock
from typing import Final

from corps.clock import deadline_after, now
from corps.errors import BrokenError
from corps.messages.members import Member
from corps.transport.arenas import Arenas, Placed
from corps.transport.link import Link
from corps.wire.frames import Frame
from corps.wire.stream import Piece, Place, as_bytes, head

_SHARED_FROM: Final = 128 * 1024  # bytes from which a frame goes faster through shared memory

MOST_SHARED: Final = 64
"""Frames of a message that go through shared memory at most: each may bring a descriptor."""

_NO_SIGNAL: Final = int(socket.MSG_NOSIGNAL)  # an application may have set SIGPIPE back to its default

_PIECES: Final = 64  # messages that are given to the kernel at once

# The thread that reads sends no more than this in one go, so that it comes back to reading.
_AT_ONCE: Final = 1024 * 1024


class UnixLink(Link):
    """A connected socket to one peer. Any thread may call, but for `flush`."""

    def __init__(
        self,
        sock: socket.socket,
        member: Member,
        arenas: Arenas,
        number: int,
        wait_writable: "Callable[[UnixLink], None]",
        forget: "Callable[[UnixLink], None]",
    ) -> None:
        """Take over a connection.

        Args:
            sock: Connected, and not blocking.
            member: The peer.
            arenas: Memory for large frames.
            number: Of this connection; none of this process has it again.
            wait_writable: Has `flush` called when there is room in the socket.
            forget: Called before the socket is closed.
        """
        self._sock = sock
        self.fd: Final = sock.fileno()
        """The descriptor of the socket; stale after `close`."""
        self.member: Final = member
        """The peer."""
        self._arenas = arenas
        self._number = number
        self._wait_writable = wait_writable
        self._forget_me = forget
        # Protects what follows, and the order of what is sent.
        self._lock = Lock()
        # What the socket had no room for, and what it refers to: that is sent with its first byte.
        self._left: deque[tuple[memoryview, tuple[Placed, ...]]] = deque()
        self._is_dead = False  # the peer has gone: what is sent is lost, as it would be a moment later
        self._is_closed = False

    def send(self, frames: Sequence[Frame], lane: int | None = None) -> None:
        """See `Link.send`."""
        placed: Sequence[Placed] = ()
        if max(map(len, frames)) >= _SHARED_FROM:
            pieces, placed = self._place(frames)
            message = as_bytes(pieces)
        else:
            message = b"".join((head(frames), *frames))
        with self._lock:
            if self._is_closed:
                for there in placed:
                    self._arenas.take_back(there)
                raise BrokenError(f"the link to env{self.member.env} is closed")
            if self._is_dead:
                return
            had_left = bool(self._left)
            new = tuple(there for there in placed if there.is_first)
            sent = 0 if had_left else self._send_now((message,), new)
            if sent == len(message) or self._is_dead:
                return
            self._left.append((memoryview(message)[sent:], () if sent else new))
        if not had_left:
            self._wait_writable(self)

    def _place(self, frames: Sequence[Frame]) -> tuple[list[Piece], list[Placed]]:
        """Put large frames into shared memory."""
        pieces: list[Piece] = []
        placed: list[Placed] = []
        try:
            for frame in frames:
                if len(frame) < _SHARED_FROM or len(placed) == MOST_SHARED:
                    pieces.append(frame)
                    continue
                there = self._arenas.place(frame, self._number)
                placed.append(there)
                pieces.append(Place(there.segment, there.capacity, there.size, there.is_first))
        except BaseException:
            for there in placed:
                self._arenas.take_back(there)
            raise
        return pieces, placed

    def flush(self) -> bool:
        """Send what is left, or some of it. By the thread that reads.

        Returns:
            Whether nothing is left.
        """
        total = 0
        with self._lock:
            while self._left and not self._is_closed:
                sent = self._send_left()
                total += sent
                if not sent or total > _AT_ONCE:
                    return not self._left
            return True

    @property
    def has_left(self) -> bool:
        """Whether something is left to be flushed."""
        return bool(self._left)

    def close(self, linger: float = 0.0) -> None:
        """See `Link.close`.

        Args:
            linger: Seconds that what is left gets to leave.
        """
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
            self._left.clear()
        self._forget_me(self)
        self._sock.close()
        self._arenas.release(self._number)

    def _send_left(self) -> int:
        """Send some of what is left; how many bytes those were."""
        first, placed = self._left[0]
        views = [first]
        for view, more in islice(self._left, 1, _PIECES):
            if more:
                break
            views.append(view)
        total = sent = self._send_now(views, placed)
        while sent and self._left:
            view, _ = self._left.popleft()
            if sent < len(view):
                self._left.appendleft((view[sent:], ()))
            sent = max(0, sent - len(view))
        return total

    def _send_now(self, views: Sequence[Frame], placed: Sequence[Placed]) -> int:
        """Send what the socket takes; how many bytes those were. Descriptors go with the first of them."""
        try:
            if placed:
                rights = array("i", [there.fd for there in placed])
                return self._sock.sendmsg(views, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)], _NO_SIGNAL)
            if len(views) == 1:
                return self._sock.send(views[0], _NO_SIGNAL)
            return self._sock.sendmsg(views, (), _NO_SIGNAL)
        except BlockingIOError:
            return 0
        except OSError:
            self._is_dead = True
            self._left.clear()
            with suppress(OSError):  # both sides are to see it, whatever the error was
                self._sock.shutdown(socket.SHUT_RDWR)
            return 0
