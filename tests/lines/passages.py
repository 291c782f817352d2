"""What `tests.lines.proxy` passes on: connections that it took, and those that it has made for them."""

import selectors
import socket
import struct
from collections import deque
from typing import Final, Literal

from corps.clock import now

Side = Literal["client", "server"]
"""An end of a connection: who has connected, and who listens."""

_BUFFER: Final = 256 * 1024  # bytes that are taken from one end before the other has taken them
_AT_ONCE: Final = 64 * 1024
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST, and what was not sent is lost


class Flow:
    """One direction of a connection."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.has_ended = False
        """Nothing more is taken from the source."""
        self.is_shut = False
        """The sink was told so, after all that had come."""
        self._parts: deque[tuple[float, memoryview]] = deque()  # when each is due
        self._size = 0

    @property
    def due(self) -> float | None:
        """When the next part may be passed on: a point on the monotonic clock; None if there is none."""
        return self._parts[0][0] if self._parts else None

    @property
    def can_read(self) -> bool:
        """Whether there is room for more."""
        return not self.has_ended and self._size < _BUFFER

    @property
    def can_write(self) -> bool:
        """Whether there is something that may be passed on now."""
        return bool(self._parts) and self._parts[0][0] <= now()

    def read(self, delay: float) -> None:
        """Take what has come, to be passed on after so many seconds.

        Raises:
            OSError: The connection broke, or nothing has come.
        """
        if not self.can_read:
            return
        data = self.source.recv(_AT_ONCE)
        if data:
            self._parts.append((now() + delay, memoryview(data)))
            self._size += len(data)
        else:
            self.has_ended = True

    def write(self) -> int:
        """Pass on what may go now, and how many bytes those were.

        Raises:
            OSError: The connection broke.
        """
        total = 0
        while self.can_write:
            due, part = self._parts[0]
            try:
                sent = self.sink.send(part)
            except BlockingIOError:
                break
            total += sent
            if sent == len(part):
                self._parts.popleft()
            else:
                self._parts[0] = due, part[sent:]
        self._size -= total
        if self.has_ended and not self._parts and not self.is_shut:
            self.is_shut = True
            self.sink.shutdown(socket.SHUT_WR)
        return total


class Passage:
    """A connection that was taken, and the one that was made for it. One thread at a time.

    Attributes:
        socks: That of the client, and that of the server.
        flows: From the client to the server, and back.
    """

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on from now on.

        Args:
            client: The connection that was taken; not blocking.
            server: The one that was made for it; not blocking.
        """
        self.socks = client, server
        self.flows = Flow(client, server), Flow(server, client)

    @property
    def is_over(self) -> bool:
        """Whether nothing goes in either direction any more."""
        return all(flow.is_shut for flow in self.flows)

    @property
    def is_due(self) -> bool:
        """Whether something may be passed on now."""
        return any(flow.can_write for flow in self.flows)

    def due(self) -> float | None:
        """When something is to be passed on that may not yet; None if nothing is."""
        later = [flow.due for flow in self.flows if flow.due is not None and not flow.can_write]
        return min(later, default=None)

    def sock(self, side: Side) -> socket.socket:
        """The connection to one end."""
        return self.socks[0 if side == "client" else 1]

    def flow_to(self, side: Side) -> Flow:
        """The direction that leads to one end."""
        return self.flows[1 if side == "client" else 0]

    def wanted(self, sock: socket.socket) -> int:
        """What to wait for on a socket: events of `selectors`."""
        wanted = 0
        for flow in self.flows:
            if flow.source is sock and flow.can_read:
                wanted |= selectors.EVENT_READ
            if flow.sink is sock and flow.can_write:
                wanted |= selectors.EVENT_WRITE
        return wanted


def reset(sock: socket.socket) -> None:
    """Close a connection with RST: what was not sent is lost."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()
