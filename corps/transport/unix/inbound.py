"""The receiving half of a connection between two Envs over a UNIX socket."""

import os
import socket
from array import array
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from corps.core import native
from corps.errors import WireError
from corps.messages.members import Member
from corps.reserve import Reserve
from corps.transport.shared_memory.mappings import Mappings
from corps.wire.frames import MAX_HELLO, Frame
from corps.wire.stream import Cutter, SharedFrame, WithSharedFrames, head

_AT_ONCE: Final = 64 * 1024  # bytes that are read at once
_MAX_MESSAGE: Final = 2**40  # of a member; what does not fit into memory is refused too
_FDS_OF_SEGMENT: Final = 3  # that it takes to map one
_RIGHTS: Final = socket.CMSG_SPACE(4)  # one descriptor
_CLOSED_ON_EXEC: Final = int(socket.MSG_CMSG_CLOEXEC)  # as enumerations they cost 2 µs for each read


@native
class InboundConnection:
    """One accepted connection. The thread that reads uses it alone."""

    def __init__(self, sock: socket.socket, reserve: Reserve) -> None:
        self.sock = sock
        self._reserve = reserve
        self._descriptors: socket.socket | None = None  # where those of segments come; came with the HELLO
        self.member: Member | None = None  # before it has said who speaks
        self.mappings = Mappings()  # the shared memory that came by it
        self._cutter = Cutter(MAX_HELLO, _MAX_MESSAGE)
        self._uncut = b""  # that there was no memory for
        self._fd: int | None = None  # of the segment that the next message needs
        self.messages: Final[deque[Sequence[Frame] | WithSharedFrames]] = deque()
        """Those that were read, and not taken yet. Only `take` takes them."""

    def read(self) -> None:
        """Read once.

        Raises:
            EOFError: The peer has closed it.
            WireError: What comes are no messages. Those that came before are there to be taken.
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
                self.messages.append(message)
            return
        if self.member is None:
            data = self._read_first()
        else:
            data = self.sock.recv(_AT_ONCE)
        if not data:
            raise EOFError
        self._uncut = data
        self._cut_uncut()

    def go_on(self) -> None:
        """Take what came, after a MemoryError. Raises as `read`."""
        if self._cutter.room is None:
            self._cut_uncut()

    def _cut_uncut(self) -> None:
        try:
            self.messages.extend(self._cutter.cut(self._uncut))
        except WireError:
            self.messages.extend(self._cutter.whole)
            raise
        self._uncut = b""

    def answer(self, header: bytes) -> None:
        """Send a header back, which is the last that the peer hears. It may be lost."""
        with suppress(OSError):
            self.sock.send(head([header]) + header, socket.MSG_NOSIGNAL)

    def trust(self, member: Member) -> None:
        """Take what has come behind the first message, because that has said truly who speaks."""
        self.member = member
        self.messages.extend(self._cutter.trust())

    def take(self) -> Sequence[Frame]:
        """Take the next message that was read; at a MemoryError it stays. After the first comes `trust`."""
        message = self.messages[0]
        frames = self._whole(message) if isinstance(message, WithSharedFrames) else message
        self.messages.popleft()
        return frames

    def _read_first(self) -> bytes:
        """Read what comes before anybody knows who speaks. A socket for descriptors comes with it."""
        self._reserve.make_room()
        data, rights, _, _ = self.sock.recvmsg(_AT_ONCE, _RIGHTS, _CLOSED_ON_EXEC)
        for fd in _descriptors_in(rights):
            if self._descriptors is not None:
                os.close(fd)
                raise WireError("more than one descriptor came with a HELLO")
            try:
                self._descriptors = socket.socket(fileno=fd)
            except OSError as error:
                os.close(fd)
                raise WireError(f"what came with a HELLO is no socket: {error}") from error
            self._descriptors.setblocking(False)
        return data

    def _descriptor_of(self, segment: int) -> int:
        """Return the descriptor of a segment that is used for the first time; it is still to be taken."""
        # One is kept to lend it; before Python 3.13 a mapping has one more of its own.
        if not self._reserve.make_room(_FDS_OF_SEGMENT if self._fd is None else _FDS_OF_SEGMENT - 1):
            raise MemoryError(f"there is no descriptor left for segment {segment}")
        if self._fd is None:
            if self._descriptors is None:
                raise WireError("a peer uses shared memory, and its HELLO brought no socket for descriptors")
            try:
                _, rights, _, _ = self._descriptors.recvmsg(1, _RIGHTS, _CLOSED_ON_EXEC)
            except OSError as error:
                raise WireError(f"the descriptor of segment {segment} has not come: {error}") from error
            fds = _descriptors_in(rights)
            if not fds:
                raise WireError(f"the descriptor of segment {segment} has not come, or was lost")
            self._fd = fds[0]
        return self._fd

    def _whole(self, message: WithSharedFrames) -> list[Frame]:
        """Return the frames of a message of which some lie in shared memory."""
        if self.member is None:
            raise WireError("a peer speaks of shared memory before it has said who it is")
        shared = [frame for frame in message if isinstance(frame, SharedFrame)]
        first = shared[0]
        if any(place.segment != first.segment or place.capacity != first.capacity for place in shared):
            raise WireError("the frames of a message are said to lie in several segments")
        fd = self._descriptor_of(first.segment) if first.is_first else None
        size = max(place.offset + place.size for place in shared)
        memory = self.mappings.open(first.segment, fd, first.capacity, size, is_lent=first.is_lent)
        self._close_descriptor()
        return [
            memory[frame.offset : frame.offset + frame.size] if isinstance(frame, SharedFrame) else frame
            for frame in message
        ]

    def close(self) -> None:
        """Let go of it. What was received stays valid."""
        self.sock.close()
        self.mappings.close()
        if self._descriptors is not None:
            self._descriptors.close()
        self._close_descriptor()

    def _close_descriptor(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def _descriptors_in(rights: Sequence[tuple[int, int, bytes]]) -> list[int]:
    fds = array("i")
    for _, _, data in rights:
        fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return fds.tolist()
