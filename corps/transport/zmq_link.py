"""The sending half of a connection between two Envs over ZeroMQ."""

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any

import zmq

from corps.clock import give_way
from corps.errors import BrokenError
from corps.messages.members import Member
from corps.transport.link import Link
from corps.wire.chunks import LARGE, Outgoing, cut
from corps.wire.frames import Frame


class ZmqLink(Link):
    """A DEALER socket to one peer. Any thread may call."""

    def __init__(
        self,
        dealer: "zmq.Socket[bytes]",
        member: Member,
        numbers: Iterator[int],
        chunk: int,
        forget: "Callable[[ZmqLink], None]",
    ) -> None:
        """Take over a socket.

        Args:
            dealer: Connected.
            member: The peer.
            numbers: Gives each large message a number that no other has.
            chunk: Bytes of a frame that the peer takes for certain.
            forget: Called when the socket is closed.
        """
        self.member = member
        """The peer."""
        # Protects what follows: one thread at a time uses the socket, as libzmq wants. No large message is
        # copied while it is held.
        self._lock = Lock()
        self._dealer: zmq.Socket[bytes] | None = dealer
        self._outgoing = Outgoing(numbers)
        self._chunk = chunk
        self._is_forsaken = False  # the peer is no member any more: what is sent is lost
        self._forget = forget

    def send(self, frames: Sequence[Frame], lane: int | None = None) -> None:
        """See `Link.send`."""
        if sum(map(len, frames)) > LARGE:
            self._send_large(frames, lane)
            return
        with self._lock:
            if not self._is_usable():
                return
            if lane is not None and self._outgoing.has_to_wait(lane):
                self._outgoing.wait(lane, frames)
            else:
                self._send_now(frames)

    def _send_large(self, frames: Sequence[Frame], lane: int | None) -> None:
        with self._lock:
            if not self._is_usable():
                return
            stream = self._outgoing.reserve(lane)
        try:
            pieces = _copied(frames, self._chunk)
            with self._lock:
                if self._is_usable():
                    self._outgoing.start(stream, tuple(map(len, frames)), pieces)
                    self._send_what_is_next()
        except BaseException:  # no memory, or Ctrl-C; others wait behind it
            with self._lock:
                if self._dealer is not None and not stream.is_started:
                    self._outgoing.give_up(stream)
                    self._send_what_is_next()
            raise

    def taken(self, size: int) -> None:
        """The peer has taken so many bytes of chunks: the next ones go. By the thread that reads.

        Raises:
            WireError: There were not so many.
            BrokenError: The link broke.
        """
        with self._lock:
            if self._dealer is not None:
                self._outgoing.taken(size)
                self._send_what_is_next()

    def dropped(self, stream: int) -> None:
        """The peer has given up one of the streams. By the thread that reads.

        Raises:
            BrokenError: The link broke.
        """
        with self._lock:
            if self._dealer is not None:
                self._outgoing.dropped(stream)
                self._send_what_is_next()

    def forsake(self) -> None:
        """The peer is no member any more: what was not sent is lost, and so is what is sent from now on."""
        with self._lock:
            self._is_forsaken = True
            dealer = self._let_go()
        self._end(dealer)

    def close(self) -> None:
        """See `Link.close`."""
        with self._lock:
            self._is_forsaken = False
            self._outgoing.finish()
            try:
                self._send_what_is_next()
            except BrokenError:
                pass  # nobody is there to hear of it
            dealer = self._let_go()
        self._end(dealer)

    def _let_go(self) -> "zmq.Socket[bytes] | None":
        """With the lock held: from now on nobody uses the socket, and nothing waits to be sent."""
        dealer, self._dealer = self._dealer, None
        self._outgoing = Outgoing(iter(()))
        return dealer

    def _end(self, dealer: "zmq.Socket[bytes] | None") -> None:
        if dealer is not None:
            dealer.close()
            self._forget(self)

    def _is_usable(self) -> bool:
        """Whether something can be sent; False if it would be lost."""
        if self._dealer is None and not self._is_forsaken:
            raise BrokenError(f"the link to env{self.member.env} is closed")
        return self._dealer is not None

    def _send_what_is_next(self) -> None:
        while (frames := self._outgoing.next()) is not None:
            self._send_now(frames)

    def _send_now(self, frames: Sequence[Any]) -> None:
        if self._dealer is None:
            return
        try:
            # Copied here, into memory of libzmq: without that, what the caller changes in an array after
            # the call would still change what is sent, and pyzmq would run a thread and a context of its
            # own for the whole process.
            self._dealer.send_multipart(frames, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            raise BrokenError(f"the link to env{self.member.env} broke: {error}") from error


def _copied(frames: Sequence[Frame], size: int) -> list[zmq.Frame]:
    """Copy a large message into memory of libzmq, in chunks that are sent later without a further copy."""
    pieces = []
    for piece in cut(frames, size):
        pieces.append(zmq.Frame(piece, copy=True))
        give_way()  # else a small call may wait 5 ms for its turn, several times
    return pieces
