"""The sending half of a connection between two Envs over a UNIX socket."""

import select
import socket
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final

from corps.clock import deadline_after, now
from corps.errors import BrokenError
from corps.messages.members import Member
from corps.transport.link import Link
from corps.wire.frames import Frame
from corps.wire.stream import head

# Up to so many bytes are joined before they are sent: 0.4 µs less than to give the kernel a list of pieces.
_JOINED: Final = 16 * 1024

# The thread that reads sends no more than this in one go, so that it comes back to reading.
_AT_ONCE: Final = 1024 * 1024


class UnixLink(Link):
    """A connected socket to one peer. Any thread may call, but for `flush`."""

    def __init__(
        self,
        sock: socket.socket,
        member: Member,
        wait_writable: "Callable[[UnixLink], None]",
        forget: "Callable[[UnixLink], None]",
    ) -> None:
        """Take over a connection.

        Args:
            sock: Connected, and not blocking.
            member: The peer.
            wait_writable: Has `flush` called when there is room in the socket.
            forget: Called before the socket is closed.
        """
        self._sock = sock
        self.fd: Final = sock.fileno()
        """The descriptor of the socket; stale after `close`."""
        self._member = member
        self._wait_writable = wait_writable
        self._forget_me = forget
        # Protects what follows, and the order of what is sent.
        self._lock = Lock()
        self._left: deque[memoryview] = deque()  # what the socket had no room for
        self._is_dead = False  # the peer has gone: what is sent is lost, as it would be a moment later
        self._is_closed = False

    def send(self, frames: Sequence[Frame], lane: int | None = None) -> None:
        """See `Link.send`."""
        begin = head(frames)
        size = len(begin) + sum(map(len, frames))
        pieces: Sequence[Frame] = (b"".join((begin, *frames)),) if size <= _JOINED else (begin, *frames)
        with self._lock:
            if self._is_closed:
                raise BrokenError(f"the link to env{self._member.env} is closed")
            had_left = bool(self._left)
            sent = 0 if had_left else self._send_now(pieces)
            if sent == size or self._is_dead:
                return
            self._keep(pieces, sent)
        if not had_left:
            self._wait_writable(self)

    def flush(self) -> bool:
        """Send what is left, or some of it. By the thread that reads.

        Returns:
            Whether nothing is left.
        """
        total = 0
        with self._lock:
            while self._left and not self._is_closed:
                sent = self._send_now(list(self._left)[:64])
                self._forget(sent)
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
                ready = select.poll()
                ready.register(self.fd, select.POLLOUT)
                ready.poll(rest * 1000)
                self._forget(self._send_now(list(self._left)[:64]))
            self._is_closed = True
            self._left.clear()
        self._forget_me(self)
        self._sock.close()

    def _send_now(self, pieces: Sequence[Frame]) -> int:
        """Send what the socket takes; how many bytes those were."""
        try:
            return self._sock.send(pieces[0]) if len(pieces) == 1 else self._sock.sendmsg(pieces[:64])
        except BlockingIOError:
            return 0
        except OSError:
            self._is_dead = True
            self._left.clear()
            return 0

    def _keep(self, pieces: Sequence[Frame], sent: int) -> None:
        """Keep a copy of what was not sent: the caller may change its buffers."""
        for piece in pieces:
            if sent < len(piece):
                self._left.append(memoryview(bytes(memoryview(piece)[sent:])))
            sent = max(0, sent - len(piece))

    def _forget(self, sent: int) -> None:
        while sent and self._left:
            first = self._left[0]
            if sent < len(first):
                self._left[0] = first[sent:]
                return
            sent -= len(first)
            self._left.popleft()
