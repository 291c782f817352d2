"""The sending half of a connection between two Envs over ZeroMQ."""

import logging
from collections.abc import Callable, Iterator, Sequence
from threading import Condition, Lock
from typing import Any, Final

import zmq

from corps.addresses import env_label
from corps.clock import give_way
from corps.errors import BrokenError, JoinRefused, VersionMismatch
from corps.messages.members import Member
from corps.transport.hello import refusal_in
from corps.transport.link import Link
from corps.wire.chunks import LARGE_MESSAGE, Message, Outgoing, cut
from corps.wire.frames import Frame
from corps.wire.link_frames import PREFIX, AskHeader, frame_of
from corps.wire.resume import Unconfirmed

_log = logging.getLogger("corps.transport")

# Bytes of a frame up to which it is kept as it is. A longer one is kept in memory of libzmq, which is what
# is sent: so it lies there once, until it has arrived.
_SHORT: Final = 4096

# Plain integers, and a call for each frame: 0.9 µs for two of them. send_multipart checks their types again,
# and joins the flags as enumerations: 2.3 µs.
_LAST: Final = int(zmq.NOBLOCK)
_MORE: Final = int(zmq.NOBLOCK | zmq.SNDMORE)


class ZmqLink(Link):
    """A DEALER socket to one peer. Thread-safe. What a peer says that cannot be is a WireError."""

    def __init__(
        self,
        dealer: "zmq.Socket[bytes]",
        member: Member,
        number: int,  # none of this Env has it again
        *,
        hello: bytes,
        streams: Iterator[int],  # gives each large message a number that no other has
        chunk: int,  # bytes of a frame that the peer takes for certain
        watch: Callable[[Callable[[], bool]], None],  # has `look_after` called; calls nothing of this
        forget: "Callable[[ZmqLink], None]",
        # Called in the thread that reads.
        refused: "Callable[[ZmqLink, VersionMismatch | JoinRefused], None]",
    ) -> None:
        """Take over a connected socket, and say hello. A BrokenError closes it."""
        self.member: Final = member
        """The peer."""
        self.number: Final = number
        """Of the link."""
        # Protects what follows: one thread at a time uses the socket, as libzmq wants. Nothing of a caller is
        # copied while it is held.
        self._lock = Lock()
        self._dealer: zmq.Socket[bytes] | None = dealer
        self._less = Condition(self._lock)  # notified when less is unsent, or it is over
        self._outgoing = Outgoing(streams)
        self._unconfirmed: Unconfirmed[Message] = Unconfirmed()
        self._is_watched = False
        self._is_forsaken = False  # the peer is no member any more: what is sent is lost
        self._hello = hello
        self._chunk = chunk
        self._watch = watch
        self._forget = forget
        self._refused = refused
        try:
            self.say(hello)
        except BrokenError:
            dealer.close(linger=0)  # a context with an open socket cannot end
            raise

    def send(self, frames: Sequence[Frame], lane: int | None = None) -> None:
        """See `Link.send`."""
        if sum(map(len, frames)) > LARGE_MESSAGE:
            self._send_large(frames, lane)
            return
        message = _unchanging(frames)
        with self._lock:
            if not self._is_usable():
                return
            if lane is not None and self._outgoing.has_to_wait(lane):
                self._outgoing.wait(lane, message)
            else:
                self._send_now(message)

    def _send_large(self, frames: Sequence[Frame], lane: int | None) -> None:
        with self._lock:
            if not self._is_usable():
                return
            stream = self._outgoing.reserve(lane)
        try:
            chunks = _copied(frames, self._chunk)
            with self._lock:
                if self._is_usable():
                    self._outgoing.start(stream, tuple(map(len, frames)), chunks)
                    self._send_what_is_next()
        except BaseException:  # no memory; others wait behind it
            with self._lock:
                if self._dealer is not None and not stream.is_started:
                    self._outgoing.give_up(stream)
                    self._send_what_is_next()
            raise

    @property
    def unsent(self) -> int:  # type: ignore[override]
        """See `Link.unsent`: what is not known to have arrived counts too."""
        return self._outgoing.size + self._unconfirmed.size

    def wait_for_room(self, most: int, timeout: float | None) -> None:
        """See `Link.wait_for_room`."""
        with self._lock:
            self._less.wait_for(lambda: self.unsent < most, timeout)

    def taken(self, size: int) -> None:
        """Send the next chunks, because the peer has taken so many bytes of them. Thread that reads only."""
        with self._lock:
            if self._dealer is not None:
                self._outgoing.taken(size)
                self._send_what_is_next()
                self._less.notify_all()

    def dropped(self, stream: int) -> None:
        """Give up a stream, as the peer has. Thread that reads only."""
        with self._lock:
            if self._dealer is not None:
                self._outgoing.dropped(stream)
                self._send_what_is_next()
                self._less.notify_all()

    def arrived(self, number: int) -> None:
        """Let go of all messages up to this number, which the peer has. Thread that reads only."""
        with self._lock:
            if self._dealer is not None:
                self._unconfirmed.arrived(number)
                self._less.notify_all()

    def missed(self, number: int, round_: int) -> None:
        """Do the same, and send again what was lost after it, in this round. Thread that reads only."""
        with self._lock:
            if self._dealer is None:
                return
            is_broken = self._unconfirmed.missed(number, round_)
            self._less.notify_all()
            if is_broken:
                _log.debug(
                    "a connection to %s broke: %d messages go again",
                    env_label(self.member.env),
                    len(self._unconfirmed),
                )
                for again, message in self._unconfirmed.numbered():
                    self._give(again, message)

    def look_after(self) -> bool:
        """Ask the peer for what it has, if it was silent for long; return whether to come again.

        It is to come again while there is something that may not have arrived. Thread that reads only.
        """
        with self._lock:
            self._is_watched = self._dealer is not None and len(self._unconfirmed) > 0
            refusal = self._refusal() if self._is_watched else None
            if refusal is not None:
                self._is_watched = False
            elif self._is_watched and self._unconfirmed.look():
                self._ask()
            is_watched = self._is_watched
        if refusal is not None:
            self._refused(self, refusal)
        return is_watched

    def ask(self) -> None:
        """Have the peer say what has arrived, which is a sign of life. Thread that reads only."""
        with self._lock:
            if self._is_usable():
                self._ask()

    def hear(self) -> None:
        """Look whether the peer has said that it is not there for this link. Thread that reads only."""
        with self._lock:
            refusal = None if self._dealer is None else self._refusal()
        if refusal is not None:
            self._refused(self, refusal)

    def _ask(self) -> None:
        """Ask what has arrived. Caller holds the lock."""
        ask = AskHeader(self._unconfirmed.last, self._unconfirmed.round)
        # Hello again: the first one may have been lost too.
        self._say(self._hello, frame_of(ask))

    def _refusal(self) -> VersionMismatch | JoinRefused | None:
        """Return why the peer refuses this link, if it has said so. Caller holds the lock."""
        dealer: Any = self._dealer
        try:
            first, *rest = dealer.recv_multipart(_LAST)
        except zmq.ZMQError:  # mostly: nothing has come
            return None
        return refusal_in([first[PREFIX.size :], *rest], self.member.incarnation)

    def say(self, header: bytes) -> None:
        """Send something about the connection, which may be lost with it. Thread-safe."""
        with self._lock:
            if self._is_usable():
                self._say(header)

    def renew(self, dealer: "zmq.Socket[bytes]", hello: bytes) -> None:
        """Go on by another socket, because a key of one side is another one. Thread that reads only.

        What the former one may have lost is sent again, as after any other break of the connection.
        """
        with self._lock:
            former, self._hello = self._dealer, hello
            if former is not None:
                self._dealer = dealer
                try:
                    self._ask()
                finally:
                    former.close(linger=0)
        if former is None:
            dealer.close(linger=0)

    def forsake(self) -> None:
        """Lose what was not sent, and what is sent from now on: the peer is no member any more."""
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
        """Take the socket, so that nobody uses it or waits for it any more. Caller holds the lock."""
        dealer, self._dealer = self._dealer, None
        self._outgoing = Outgoing(iter(()))
        self._unconfirmed = Unconfirmed()
        self._less.notify_all()
        return dealer

    def _end(self, dealer: "zmq.Socket[bytes] | None") -> None:
        if dealer is not None:
            dealer.close()
            self._forget(self)

    def _is_usable(self) -> bool:
        """Return whether something can be sent; False if it would be lost."""
        if self._dealer is None and not self._is_forsaken:
            raise BrokenError(f"the link to {env_label(self.member.env)} is closed")
        return self._dealer is not None

    def _send_what_is_next(self) -> None:
        while (frames := self._outgoing.next()) is not None:
            self._send_now(frames)

    def _send_now(self, message: Message) -> None:
        if self._dealer is None:
            return
        number = self._unconfirmed.add(message, sum(map(len, message)))
        if not self._is_watched:
            self._watch(self.look_after)  # first: if that fails, the next message tries it again
            self._is_watched = True
        self._give(number, message)

    def _say(self, *headers: bytes) -> None:
        for header in headers:
            self._give(0, (header,))

    def _give(self, number: int, message: Message) -> None:
        """Give a message to libzmq, which may lose it."""
        frame: Any = message[0]  # bytes, as every header that is sent
        frame = PREFIX.pack(number, self._unconfirmed.round) + frame
        dealer: Any = self._dealer
        try:
            for following in message[1:]:
                dealer.send(frame, _MORE)
                frame = following
            dealer.send(frame, _LAST)
        except zmq.ZMQError as error:
            raise BrokenError(f"the link to {env_label(self.member.env)} broke: {error}") from error


def _unchanging(frames: Sequence[Frame]) -> Message:
    """Return what is sent, and perhaps sent again: later changes of the caller do not change it."""
    message: list[Any] = [*frames]
    for at, frame in enumerate(frames):
        if type(frame) is not bytes or (at and len(frame) > _SHORT):
            message[at] = zmq.Frame(frame, copy=True) if at else bytes(frame)
    return message


def _copied(frames: Sequence[Frame], size: int) -> list[zmq.Frame]:
    """Copy a large message into memory of libzmq, in chunks that are sent later without a further copy."""
    chunks = []
    for chunk in cut(frames, size):
        chunks.append(zmq.Frame(chunk, copy=True))
        give_way()  # else a small call may wait 5 ms for its turn, several times
    return chunks
