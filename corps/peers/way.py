"""The way to another Env: its link, and what waits for it while that Env has no process."""

import logging
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final

from corps.clock import now
from corps.core import native
from corps.errors import CorpsError, Overloaded
from corps.messages.members import Member
from corps.peers.local_side import AlarmClock
from corps.transport.link import Link
from corps.wire.frames import Frame

_log = logging.getLogger("corps.transport")

_NO_DESCRIPTORS: Final = 0.1  # seconds until a link is tried again that there were no descriptors for


@native
class Way:
    """The way to one peer. Thread-safe.

    A peer that has died and is to come back is there before its process is: what is sent to it waits, bounded
    by the window for requests, and leaves in order when it has come.
    """

    def __init__(
        self,
        member: Member,
        connect: Callable[[Member], Link],
        give_up: Callable[[str], None],
        alarms: AlarmClock,
    ) -> None:
        self.member = member
        self._connect = connect
        self._give_up = give_up  # called with a reason when nothing can be sent any more
        self._alarms = alarms
        self._lock = Lock()  # protects everything below; only a new link's hello is sent under it
        # What waits until the peer has a process; None: it has one.
        self._waiting: list[tuple[Sequence[Frame], int | None]] | None = None if member.incarnation else []
        self._link: Link | None = None
        self._direct: Link | None = None  # the same while nothing waits and the peer is not lost
        # What concerns requests and waits until the peer knows for whom they are; None: nothing has to wait.
        self._held: list[tuple[Sequence[Frame], int | None]] | None = None
        self._is_lost = False
        self.was_used = False
        """Whether anything may have reached the peer. Read it when the way is lost."""

    def transmit(self, frames: Sequence[Frame], lane: int | None = None) -> None:
        """Send a message. If the peer is lost it is too; then all that waits for an answer of the peer fails.

        All that concerns the requests to one worker has a lane: it stays in order, and no request is
        overtaken by its CANCEL. Outcomes and credit may overtake. At a MemoryError nothing was sent.
        """
        link = self._direct  # one look is atomic, and saves 2 % of a call to another Env
        try:
            if link is None:
                with self._lock:
                    if self._is_lost:
                        return
                    if self._held is not None and lane is not None:
                        self._held.append(([_unchanging(frame) for frame in frames], lane))
                        return
                    link = self._ready(frames, lane)
                    if link is None:
                        return
                    if self._held is None:
                        self._direct = link
            link.send(frames, lane)
        except CorpsError as error:
            self._break(error)

    def _ready(self, frames: Sequence[Frame], lane: int | None) -> Link | None:
        """Return the link if it takes a message now; else let that wait. Caller holds the lock."""
        link = self._opened() if self._waiting is None else None
        if link is None:
            self._waiting = self._waiting or []
            self._waiting.append(([_unchanging(frame) for frame in frames], lane))
        return link

    def hold(self) -> None:
        """Let what has a lane wait from now on, until `release`. All else goes on."""
        with self._lock:
            self._direct = None
            if self._held is None:
                self._held = []

    def release(self) -> None:
        """Let what was held leave, in order, and hold nothing more. Nothing happens if nothing is held."""
        while True:
            with self._lock:
                if self._is_lost or not self._held:
                    self._held = None
                    return
                held, self._held = self._held, []
            for frames, lane in held:
                self._send_held(frames, lane)

    def _send_held(self, frames: Sequence[Frame], lane: int | None) -> None:
        try:
            with self._lock:
                if self._is_lost:
                    return
                link = self._ready(frames, lane)
            if link is not None:
                link.send(frames, lane)
        except CorpsError as error:
            self._break(error)
        except MemoryError:  # none of it may be left out: what waits for an answer hears of that
            self._give_up("there was no memory to send what had waited")

    @property
    def unsent(self) -> int:
        """Return how many bytes wait in this process for the peer to take them."""
        link = self._direct
        return 0 if link is None else link.unsent

    def wait_for_room(self, most: int, timeout: float | None) -> None:
        """See `Link.wait_for_room`."""
        link = self._direct
        if link is not None:
            link.wait_for_room(most, timeout)

    def open(self) -> None:
        """Let what has waited leave: the peer has a process now, whose record is in `member`."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._waiting = None
                    return
            try:
                with self._lock:
                    if self._is_lost:  # at this very moment
                        return
                    link = self._opened()
                    if link is None or self._waiting is None:
                        return
                    waiting, self._waiting = self._waiting, []
                for frames, lane in waiting:
                    link.send(frames, lane)
            except CorpsError as error:
                self._break(error)
                return

    def _opened(self) -> Link | None:
        """Return the link, or None and try again if there is no descriptor. Caller holds the lock."""
        if self._link is None:
            try:
                self._link = self._connect(self.member)
            except Overloaded as error:
                _log.warning("%s; it is tried again", error)
                self._alarms.at(now() + _NO_DESCRIPTORS, self.open)
                return None
        self.was_used = True
        return self._link

    def _break(self, error: CorpsError) -> None:
        if self._is_lost:  # meanwhile, for a reason that is known
            return
        _log.debug("a message to %s was not sent: %s", self.member.label, error)
        self._give_up(str(error))

    def lose(self) -> None:
        """Send nothing any more: the peer is gone. Idempotent."""
        with self._lock:
            self._is_lost = True
            self._waiting = self._direct = self._held = None
            link, self._link = self._link, None
        if link is not None:
            link.close()


def _unchanging(frame: Frame) -> Frame:
    """Return a frame that may be sent later: its author may change the buffer meanwhile."""
    return frame if isinstance(frame, bytes) else bytes(frame)
