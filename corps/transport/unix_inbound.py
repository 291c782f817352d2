"""The receiving half of a connection between two Envs over a UNIX socket."""

import os
import socket
from array import array
from collections import deque
from collections.abc import Sequence
from typing import Final

from corps.errors import WireError
from corps.messages.members import Member
from corps.transport.mappings import Mappings
from corps.wire.frames import MAX_HELLO, Frame
from corps.wire.stream import Cutter, Place, WithPlaces

_AT_ONCE: Final = 64 * 1024  # bytes that are read at once
_MAX_MESSAGE: Final = 2**40  # of a member; what does not fit into memory is refused too
_MOST_DESCRIPTORS: Final = 2  # of a message that is whole, and of the next one
_RIGHTS: Final = socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS)
_CLOSED_ON_EXEC: Final = int(socket.MSG_CMSG_CLOEXEC)  # as enumerations they cost 2 µs for each read
_TRUNCATED: Final = int(socket.MSG_CTRUNC)


class Inbound:
    """One accepted connection. The thread that reads uses it alone.

    Attributes:
        sock: The connection, not blocking.
        member: Who speaks; None before it has said so.
        mappings: The shared memory that came by it.
    """

    __slots__ = ("_cutter", "_fds", "_messages", "_uncut", "mappings", "member", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.member: Member | None = None
        self.mappings = Mappings()
        self._cutter = Cutter(MAX_HELLO, _MAX_MESSAGE)
        self._uncut = b""  # that there was no memory for
        self._fds: deque[int] = deque()  # descriptors whose messages have not come
        self._messages: deque[Sequence[Frame] | WithPlaces] = deque()  # whole, and not taken yet

    @property
    def has_more(self) -> bool:
        """Whether messages were read that are not taken yet."""
        return bool(self._messages)

    def read(self) -> None:
        """Read once.

        Raises:
            EOFError: The peer has closed it.
            WireError: What comes are no messages.
            OSError: It broke.
            MemoryError: There is no memory for what came, now: `go_on` comes next, and not this.
        """
        room = self._cutter.room
        if room is not None:
            size = self.sock.recv_into(room)
            if not size:
                raise EOFError
            message = self._cutter.filled(size)
            if message is not None:
                self._messages.append(message)
            return
        data, rights, flags, _ = self.sock.recvmsg(_AT_ONCE, _RIGHTS, _CLOSED_ON_EXEC)
        if not data:
            raise EOFError
        if rights:
            self._keep(rights)
        if flags & _TRUNCATED:
            raise WireError("descriptors were lost: this process has no more, or too many came at once")
        self._uncut = data
        self._messages += self._cutter.cut(data)
        self._uncut = b""

    def go_on(self) -> None:
        """After a MemoryError: what came may be taken by now.

        Raises:
            WireError: What comes are no messages.
            MemoryError: There is still no memory for it.
        """
        if self._cutter.room is None:
            self._messages += self._cutter.cut(self._uncut)
            self._uncut = b""

    def trust(self, member: Member) -> None:
        """The first message has said who speaks, and that is true. Take what has come behind it.

        Args:
            member: Who speaks.

        Raises:
            WireError: These are no messages.
        """
        self.member = member
        self._messages += self._cutter.trust()

    def take(self) -> Sequence[Frame]:
        """The next message that was read. After the first one of the connection comes `trust`.

        Raises:
            WireError: It speaks of shared memory that is not there.
            MemoryError: It cannot be had now. The message is still the next one.
        """
        message = self._messages[0]
        frames = self._whole(message) if isinstance(message, WithPlaces) else message
        self._messages.popleft()
        return frames

    def _keep(self, rights: Sequence[tuple[int, int, bytes]]) -> None:
        for _, _, data in rights:
            self._fds += array("i", data[: len(data) - len(data) % 4])
        if len(self._fds) > _MOST_DESCRIPTORS:
            raise WireError(f"more than {_MOST_DESCRIPTORS} descriptors came without their messages")

    def _whole(self, message: WithPlaces) -> list[Frame]:
        """The frames of a message, of which some lie in shared memory."""
        if self.member is None:
            raise WireError("a peer speaks of shared memory before it has said who it is")
        places = [piece for piece in message if isinstance(piece, Place)]
        first = places[0]
        if any(place.segment != first.segment or place.capacity != first.capacity for place in places):
            raise WireError("the frames of a message are said to lie in several segments")
        fd = None
        if first.is_first:
            if not self._fds:
                raise WireError(f"the descriptor of segment {first.segment} has not come")
            fd = self._fds[0]
        size = max(place.offset + place.size for place in places)
        try:
            memory = self.mappings.open(first.segment, fd, first.capacity, size)
        except MemoryError:
            raise
        except BaseException:
            if fd is not None:  # it was closed
                self._fds.popleft()
            raise
        if fd is not None:
            self._fds.popleft()
        return [
            memory[piece.offset : piece.offset + piece.size] if isinstance(piece, Place) else piece
            for piece in message
        ]

    def close(self) -> None:
        """Let go of it. What was received stays valid."""
        self.sock.close()
        self.mappings.close()
        while self._fds:
            os.close(self._fds.popleft())
