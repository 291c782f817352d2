"""What this Env asks of another one: the requests that it has not answered, and the room for more.

Sending a request packs its arguments in the caller's thread, so what cannot be packed raises there. The
promise stays here under a number until the outcome comes, or the peer is lost.
"""

import concurrent.futures
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from corps.addresses import ConcAddr
from corps.clock import deadline_after, earlier, now, remaining
from corps.core import Lock, know_asking, native
from corps.errors import (
    DeadlineExceeded,
    EnvLost,
    Executed,
    Overloaded,
    PackError,
    VersionMismatch,
    WireError,
)
from corps.messages.endings import Reason
from corps.messages.outcomes import Outcome, Refused, note_time
from corps.messages.promises import NoAnswer, Promise
from corps.messages.requests import ASKING, DROP, EXIT, WATCH, WITHDRAWN, Kind, Request
from corps.packing.packer import Packed, Packer
from corps.peers.journal import AskerJournal
from corps.peers.limits import Limits, check_frames, check_method
from corps.peers.local_side import LocalSide
from corps.peers.outcome_codec import OutcomeCodec, ReceivedOutcome
from corps.peers.room import ROOM_ON_A_LOOP, Room, Turn
from corps.peers.way import Way
from corps.wire.credit import Window
from corps.wire.frames import (
    MAX_REMAINING,
    REFUSED,
    STREAMED,
    CancelHeader,
    CreditHeader,
    Frame,
    OutcomeHeader,
    ProbeHeader,
    frame_of,
    request_frame,
    yielding,
)

_log = logging.getLogger("corps.transport")

# What ends something need not wait for room: it makes room.
_URGENT: Final = frozenset({EXIT, DROP})

_STAYED_FULL: Final = "its window stayed full until the time limit; send slower"

_NO_ROOM: Final = "there is no room now, and its Name says that it does not wait; send slower"

_SOONEST: Final = 0.01  # seconds after which a sender that does not wait may try again, at least

_SLOTS: Final = 2  # of the journal, for each request in the window: urgent ones may come on top


HeaderOf = Callable[[int, Kind, ConcAddr, str, tuple[int, int] | None, float | None, int], bytes]
"""Makes the header of a request, as `request_frame`."""


class Loss(NamedTuple):
    """That a peer is gone, and what is known about it."""

    reason: str  # for the texts of the errors
    cause: Reason = "lost"
    has_died: bool = False  # for certain, so that the journal says what was begun
    refusal: VersionMismatch | None = None  # of the link from its beginning: nothing has reached the peer
    kind: type[EnvLost] = EnvLost  # of the errors
    log_level: int = logging.WARNING  # of the word on requests that went with it and wanted no answer


@native
class Asking:
    """The requests to one peer. Thread-safe, but for `on_*`, which the thread that reads calls."""

    def __init__(
        self,
        env: LocalSide,
        way: Way,
        packer: Packer,
        outcomes: OutcomeCodec,
        limits: Limits,
        *,
        is_journaled: bool,
        header_of: HeaderOf = request_frame,
    ) -> None:
        self.readers = env.readers
        """A thread that waits for an answer of the peer reads it with these."""
        self.env = env
        """Of those who ask."""
        self.incarnation = 0
        """Of the worker of a request: known to the peer alone."""
        self._way = way
        self._header_of = header_of
        self._packer = packer
        self._outcomes = outcomes
        self._patience = limits.patience
        self._max_frame = limits.max_frame
        # Protects everything below. Nothing is packed, settled or sent under it.
        self._lock = Lock()
        self.room = Room(self._lock, Window(*limits.window))
        self._journal = AskerJournal(_SLOTS * limits.window[0], is_kept=is_journaled)
        # The promise and the size of each request until its outcome comes, and when it was sent. A withdrawn
        # one stays: it takes up room at the peer until the peer says that it does not. Its promise stays too
        # if that hears what comes late.
        self._pending: dict[int, tuple[Promise | None, int, float | None]] = {}
        self._withdrawn: dict[int, tuple[ConcAddr | None, ConcAddr, str]] = {}  # sender, target, method
        # The promise of each watch. Watches take no room, for they may last for ever.
        self._watches: dict[int, Promise | None] = {}
        self._when_answered: list[Callable[[], object]] = []
        self._lost: Loss | None = None

    def keep_journal(self, path: str) -> None:
        """Keep a start journal in a file from now on. Before anything is sent to the process of the peer."""
        with self._lock:
            self._journal.keep_at(path)

    def send(self, request: Request) -> None:
        """Send a request; its promise is settled here now. Raise PackError, Overloaded or MemoryError."""
        packed = self._pack(request)
        if packed is None:
            return
        frames, codec, size = packed
        if not self._take_room(request, size):
            self._wait_for_room(request, size)
        if request.number or self._may_leave(request):
            self._transmit(request, frames, codec, size)

    async def send_when_room(self, request: Request) -> None:
        """Do the same in a coroutine, which waits for room without blocking its event loop."""
        packed = self._pack(request)
        if packed is None:
            return
        frames, codec, size = packed
        if not self._take_room(request, size):
            await self._await_room(request, size)
        if request.number or self._may_leave(request):
            self._transmit(request, frames, codec, size)

    def _pack(self, request: Request) -> tuple[list[Frame], int, int] | None:
        """Return the frames of a request without its header, its codec and size; None if it is too late."""
        request.route = self
        packed = self._packed(request)
        frames = [packed.body, *packed.buffers]
        if packed.buffers or self._max_frame is not None:
            check_frames(frames, self._max_frame)
        check_method(request.method)
        if request.deadline is not None and now() >= request.deadline:
            late = f"the deadline of {request.method!r} passed before it was sent"
            error = DeadlineExceeded(late, executed="no", target=str(request.target))
            self.env.letters.settle(request, Refused(error, "expired"))
            return None
        return frames, packed.codec, sum(map(len, frames))

    def _packed(self, request: Request) -> Packed:
        """Return the arguments of a request, packed."""
        if request.travelling is None:
            return self._packer.pack((request.args, request.kwargs), what="arguments")
        return self._packed_with(request, request.travelling)

    def _packed_with(self, request: Request, values: dict[str, Any]) -> Packed:
        """Pack the arguments of a request, and what travels with them."""
        try:
            return self._packer.pack((request.args, request.kwargs, values), what="arguments")
        except PackError:
            for name, value in values.items():
                self._packer.pack(value, what=f"the travelling context variable {name!r}")
            raise

    def _transmit(self, request: Request, frames: list[Frame], codec: int, size: int) -> None:
        sender = request.sender
        rest = None if request.deadline is None else remaining(request.deadline)
        header = self._header_of(
            0 if isinstance(request.promise, NoAnswer) else request.number,
            request.kind,
            request.target,
            request.method,
            None if sender is None else (sender.env, sender.conc),
            rest if rest is None or rest < MAX_REMAINING else None,
            codec,
        )
        self._leave(request, [yielding(header) if request.yields else header, *frames], size)

    def _leave(self, request: Request, frames: list[Frame], size: int) -> None:
        """Send the message of a request that has its number, and the room for so many bytes."""
        request.args, request.kwargs = (), {}  # the caller's objects need not live until the answer
        try:
            self._way.transmit(frames, request.target.conc)
        except MemoryError:  # nothing was sent
            with self._lock:
                if self._pending.pop(request.number, None) is not None:
                    self._journal.free(request.number)
                self.room.give_back(1, size)
            raise

    def take_back(self, request: Request) -> bool:
        """Keep a request from being sent; once it is, only the peer knows whether it has begun."""
        with self._lock:
            if request.number:
                return False
            request.stage = WITHDRAWN
            return True

    def ask_back(self, request: Request) -> None:
        """See `Route.ask_back`: only the peer knows whether the request has begun."""
        self._way.transmit([frame_of(CancelHeader(request.number, only_if_waiting=1))], request.target.conc)

    def is_alive(self, _: Request) -> bool:
        """See `Route.is_alive`: not while its Env has no process, and waits for another one."""
        return self._lost is None and bool(self._way.member.incarnation)

    def relay(self, request: Request, answer: "concurrent.futures.Future[Any]") -> None:
        """Do nothing. See `Route.relay`: the worker is at the peer."""

    def help(self, promise: Promise, here: object) -> None:
        """Do nothing: a waiting thread cannot do the work of another Env."""

    def withdraw(self, request: Request) -> None:
        """Tell the peer that nobody wants the outcome any more."""
        with self._lock:
            if request.number in self._watches:
                self._watches[request.number] = None
            else:
                promise, size, sent = self._pending.get(request.number, (None, 0, None))
                if promise is None:
                    return
                kept = promise if getattr(promise, "hears_late", False) else None
                self._pending[request.number] = kept, size, sent
                self._withdrawn[request.number] = request.sender, request.target, request.method
        self._way.transmit([frame_of(CancelHeader(request.number))], request.target.conc)

    def probe(self, conc: int, header: ProbeHeader) -> None:
        """Ask the peer to look on for a circle of waits: by way of a request to this worker."""
        self._way.transmit([frame_of(header)], conc)

    def _take_room(self, request: Request, size: int) -> bool:
        """Take room and a number; return False if the caller has to wait for it."""
        with self._lock:
            if self._lost is not None:
                return True
            has_room = request.kind is WATCH or self.room.take(size)
            if has_room:
                self._number(request, size)
            return has_room

    def _may_leave(self, request: Request) -> bool:
        """Return False, because a request has no number. Settle it: it is not to be sent."""
        if self._lost is not None and request.stage != WITHDRAWN:  # else the one that took it back settles it
            self.env.letters.settle(request, Refused(self._lost_error(self._lost, "no"), "lost"))
        return False

    def _wait_for_room(self, request: Request, size: int) -> None:
        if not request.waits_for_room:
            raise self._no_room(request)
        if request.kind in _URGENT or not self.env.may_wait_for_room():
            if request.kind in ASKING and self.env.is_on_foreign_loop():
                raise self._overloaded(request, ROOM_ON_A_LOOP)
            with self._lock:
                self.room.window.take(size)  # perhaps more than there is: the caller must not wait
                self._number(request, size)
            return
        until = earlier(request.deadline, deadline_after(self._patience))
        self.env.enter_blocked()
        try:
            with self._lock:
                has_room = self.room.wait(size, remaining(until))
                if has_room:
                    self._number(request, size)
                if has_room or self._lost is not None or request.stage == WITHDRAWN:
                    return
        finally:
            self.env.leave_blocked()
        raise self._overloaded(request, _STAYED_FULL)

    async def _await_room(self, request: Request, size: int) -> None:
        if not request.waits_for_room:
            raise self._no_room(request)
        until = earlier(request.deadline, deadline_after(self._patience))
        turn = Turn()
        with self._lock:
            ticket = self.room.queue(size, turn.wake)
        try:
            await turn.wait(remaining(until))
        except BaseException:  # cancelled: the sender will not send
            with self._lock:
                self.room.leave(ticket)
            raise
        with self._lock:
            if ticket.is_granted:
                self._number(request, size)
                return
            self.room.leave(ticket)
            if self._lost is not None or request.stage == WITHDRAWN:
                return
        raise self._overloaded(request, _STAYED_FULL)

    def _no_room(self, request: Request) -> Overloaded:
        """Make the error of a request that does not wait. One place is free when the oldest is answered."""
        with self._lock:
            under_way = len(self._pending)
            sent = next((sent for _, _, sent in self._pending.values() if sent is not None), None)
        error = self._overloaded(request, _NO_ROOM)
        if sent is not None:
            error.retry_after = max(_SOONEST, (now() - sent) / under_way)
        return error

    def _overloaded(self, request: Request, why: str) -> Overloaded:
        return Overloaded(
            f"{self._way.member.label} left too many requests unanswered for another one to "
            f"{request.method!r}: {why}, wait for answers in between, or raise the settings window.requests "
            "and window.bytes",
            target=str(request.target),
        )

    def _number(self, request: Request, size: int) -> None:
        """Give a number, unless there is nothing to be sent. Caller holds the lock, and has taken room."""
        if request.kind is WATCH:
            if self._lost is None:
                request.number = self._journal.number(is_kept=False)
                self._watches[request.number] = request.promise
        elif self._lost is not None or request.stage == WITHDRAWN:
            self.room.give_back(1, size)
        elif isinstance(request.promise, NoAnswer):
            request.number = self._journal.number(is_kept=False)
        else:
            # To end a worker takes no arguments, so nothing is noted when it begins.
            request.number = self._journal.number(is_kept=request.kind is not EXIT)
            self._pending[request.number] = (request.promise, size, request.sent)

    def on_outcome(self, header: OutcomeHeader, frames: Sequence[Frame]) -> None:
        """Take an outcome of the peer. Raise WireError if nothing waits for one under this number."""
        number = header.number
        with self._lock:
            pending = self._pending.pop(number, None)
            if pending is not None:
                self.room.give_back(1, pending[1])
                self._journal.free(number)
            elif number in self._watches:
                pending = self._watches.pop(number), 0, None
            withdrawn = self._withdrawn.pop(number, None) if self._withdrawn else None
            is_lost = self._lost is not None
        if pending is None:
            if is_lost:
                return
            raise WireError(f"there is no request {number} that waits for an outcome")
        promise, _, sent = pending
        if promise is None and header.status == STREAMED:  # to be given up as garbage
            self._received(header, frames, None)
        is_late = True
        if promise is not None:
            outcome = self._received(header, frames, sent)
            is_argument = len(frames) > 2 and getattr(promise, "is_argument", False)
            if is_argument and isinstance(outcome, ReceivedOutcome):
                outcome.reserve()
                promise.received = outcome  # type: ignore[attr-defined]  # of a Future
            is_late = not promise.settle(outcome)
        if is_late and withdrawn is not None and header.status != REFUSED:  # which says that none comes
            self.env.letters.note("late", *withdrawn)
        if self._when_answered:
            self._tell_answered()

    def _received(self, header: OutcomeHeader, frames: Sequence[Frame], sent: float | None) -> Outcome:
        """Return an outcome that came in. Nothing is unpacked before a caller wants it."""
        return self._outcomes.receive(header.status, header.codec, frames[1:], sent)

    def on_credit(self, header: CreditHeader, _: Sequence[Frame] = ()) -> None:
        """Give back the room of requests that wanted no answer. Raise WireError if there are not so many."""
        with self._lock:
            window = self.room.window
            if self._lost is not None:
                return
            if header.requests > window.requests - len(self._pending) or header.size > window.size:
                raise WireError(f"credit for {header.requests} requests was given, and fewer were sent")
            self.room.give_back(header.requests, header.size)
        if self._when_answered:
            self._tell_answered()

    def lose(self, loss: Loss) -> None:
        """Fail every request that the peer has not answered, and every later one: it is gone."""
        with self._lock:
            if self._lost is not None:
                return
            self._lost = loss
            pending, self._pending = self._pending, {}
            watches, self._watches = self._watches, {}
            self._withdrawn.clear()
            wanted_none = self.room.window.requests - len(pending)
            self.room.close()
        for number, (promise, _, sent) in pending.items():
            if promise is not None:
                outcome = Refused(self._lost_error(loss, self._executed(loss, number)))
                if sent is not None:
                    note_time(outcome, now() - sent)
                promise.settle(outcome)
        for watch in watches.values():
            if watch is not None:
                watch.settle(Refused(self._lost_error(loss, "no")))
        if wanted_none:
            text = "%s is lost (%s), and up to %d requests that were sent there without wanting an answer"
            _log.log(loss.log_level, text, self._way.member.label, loss.reason, wanted_none)
            self.env.letters.lost_with(self._way.member.env, wanted_none)
        self._journal.close()
        self._tell_answered()

    def _executed(self, loss: Loss, number: int) -> Executed:
        if loss.refusal is not None or not self._way.was_used:
            return "no"
        return self._journal.executed(number) if loss.has_died else "unknown"

    def _lost_error(self, loss: Loss, executed: Executed) -> EnvLost:
        text = f"{self._way.member.label} is lost: {loss.reason}"
        error = loss.kind(text, executed=executed, reason=loss.cause)
        error.__cause__ = loss.refusal
        return error

    def when_answered(self, then: Callable[[], object]) -> None:
        """Call `then`, here or in the thread that reads, when the peer owes no answer or is lost."""
        with self._lock:
            if self._lost is None and self.room.window.requests:
                self._when_answered.append(then)
                return
        then()

    def _tell_answered(self) -> None:
        """Call what waits for all answers, if there are all. Without the lock, after room was given back."""
        with self._lock:
            if self._lost is None and self.room.window.requests:
                return
            waiting, self._when_answered = self._when_answered, []
        for then in waiting:
            then()

    def count(self) -> int:
        """Return how many requests the peer has not answered."""
        with self._lock:
            return len(self._pending)


know_asking(Asking)
