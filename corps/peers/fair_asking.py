"""What this Env asks of an Env of another Corps: as much as that says, and it gives signs of life."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from corps.addresses import BORDER, ConcAddr
from corps.clock import now
from corps.messages.outcomes import Outcome
from corps.messages.promises import Promise
from corps.messages.requests import CALL, Request
from corps.packing.codecs import DATA
from corps.packing.declared import PLAIN
from corps.peers.asking import Asking
from corps.peers.proving import AUTHENTICATE
from corps.security.credentials import Credentials
from corps.wire.frames import (
    CreditHeader,
    Frame,
    OutcomeHeader,
    SharedHeader,
    ShareHeader,
    WorkingHeader,
    frame_of,
)

_MISSES: Final = 3  # pauses without a sign, after which an Env is taken for dead
_FIRST_PAUSE: Final = 5.0  # seconds, until the Env has said its own


class _Presented(Promise):
    """The promise of credentials. Whether they count, the requests after them hear."""

    __slots__ = ("_then",)

    def __init__(self, then: Callable[[], object]) -> None:
        self._then = then

    def settle(self, outcome: Outcome) -> bool:
        """See `Promise.settle`. The holder of the request calls it once."""
        self._then()
        return True

    def done(self) -> bool:
        """See `Promise.done`."""
        return False


class FairAsking(Asking):
    """The requests to one Env of another Corps. Thread-safe, but for `on_*`: the thread that reads."""

    def __init__(self, *parts: Any, **more: Any) -> None:
        super().__init__(*parts, **more)
        self._share = 0  # the serial of the last one; protected by the lock of the base, as the next
        self._unconfirmed = 0  # the serial of a share that is not confirmed, because more is unanswered; or 0
        self._sign: tuple[float, float] = 0.0, _FIRST_PAUSE  # when the last one came, and the pause. One step

    def on_share(self, header: ShareHeader, _: Sequence[Frame] = ()) -> None:
        """Take what may be unanswered from now on. One that was overtaken by a later one is ignored."""
        with self._lock:
            if header.serial <= self._share or self._lost is not None:
                return
            self._share = self._unconfirmed = header.serial
            self.room.resize(header.requests, header.size)
        self._confirm()

    def on_outcome(self, header: OutcomeHeader, frames: Sequence[Frame]) -> None:
        """See `Asking.on_outcome`."""
        super().on_outcome(header, frames)
        if self._unconfirmed:
            self._confirm()

    def on_credit(self, header: CreditHeader, frames: Sequence[Frame] = ()) -> None:
        """See `Asking.on_credit`."""
        super().on_credit(header, frames)
        if self._unconfirmed:
            self._confirm()

    def on_working(self, header: WorkingHeader, _: Sequence[Frame] = ()) -> None:
        """Note that the Env lives, and has what it has not answered."""
        self._sign = now(), header.pause / 1000

    def is_alive(self, request: Request) -> bool:
        """See `Route.is_alive`: not if a sign of life should have come, and has not."""
        came, pause = self._sign
        return super().is_alive(request) and now() - max(came, request.sent or 0.0) <= _MISSES * pause

    def present(self, credentials: Credentials, then: Callable[[], object]) -> None:
        """Send credentials, and call `then` when the peer has taken or refused them, or is lost.

        Nothing waits for room, and no lane holds it up. At a MemoryError nothing was sent, and `then` was
        called.
        """
        target = ConcAddr(self._way.member.corps, self._way.member.env, BORDER)
        request = Request(CALL, target, AUTHENTICATE, (), {}, _Presented(then))
        body = PLAIN.pack_arguments((credentials.reveal(),), {})
        with self._lock:
            self.room.window.take(len(body))
            self._number(request, len(body))
        if not request.number:
            then()
            return
        header = self._header_of(request.number, CALL, target, AUTHENTICATE, None, None, DATA)
        try:
            self._way.transmit([header, body])
        except MemoryError:
            with self._lock:
                self._pending.pop(request.number, None)
                self._journal.free(request.number)
                self.room.give_back(1, len(body))
            then()
            raise

    def _confirm(self) -> None:
        """Say that no more is unanswered than the share, if that is so."""
        with self._lock:
            if not self._unconfirmed or not self.room.window.fits:
                return
            serial, self._unconfirmed = self._unconfirmed, 0
        self._way.transmit([frame_of(SharedHeader(serial))])
