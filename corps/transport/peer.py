"""Another Env, as seen from this one: the requests it has not answered, and the ones it asks of us.

Sending a request packs its arguments in the caller's thread, so what cannot be packed raises there. The
promise stays here under a number until the outcome comes, or the peer is lost.
"""

import itertools
import logging
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Final

from corps.addresses import ConcAddr
from corps.clock import deadline_after, earlier, now, remaining
from corps.errors import Cancelled, CorpsError, DeadlineExceeded, EnvLost, Overloaded, WireError
from corps.messages.members import Member
from corps.messages.outcomes import Outcome, Refused
from corps.messages.promises import NoAnswer, Promise
from corps.messages.requests import DROP, EXIT, WITHDRAWN, Request
from corps.packing.packer import Packed, Packer
from corps.transport.definitions import Definitions
from corps.transport.limits import check_frames, check_method
from corps.transport.link import Link
from corps.transport.local_side import LocalSide
from corps.transport.outcome_codec import OutcomeCodec
from corps.transport.room import Room
from corps.transport.wire_promises import WireCredit, WirePromise
from corps.wire.credit import Returns, Window
from corps.wire.frames import (
    MAX_REMAINING,
    CancelHeader,
    CreditHeader,
    Frame,
    OutcomeHeader,
    ProbeHeader,
    RequestHeader,
)

_log = logging.getLogger("corps.transport")

# What ends something need not wait for room: it makes room.
_URGENT: Final = frozenset({EXIT, DROP})

# Credit below a lump is handed back after so many seconds: so the window of an idle link gets empty.
_CREDIT_DELAY: Final = 0.05


class Peer:
    """One other Env. Any thread may call, but for `on_*`, which is for the thread that reads."""

    def __init__(
        self,
        env: LocalSide,
        member: Member,
        connect: Callable[[Member], Link],
        packer: Packer,
        give_up: "Callable[[Peer, str], None]",
        *,
        window: tuple[int, int],
        patience: float | None,
        max_frame: int | None,
    ) -> None:
        """Make it; the link is opened by the first message.

        Args:
            env: The Env that this is a peer of.
            member: The peer.
            connect: Opens the link.
            packer: Packs and unpacks.
            give_up: Called with this peer, and a reason, when nothing can be sent to it: is to lose it.
            window: Requests and bytes that may be unanswered.
            patience: Seconds a sender waits for room in the window.
            max_frame: Bytes of the longest frame that the peer takes.
        """
        self.member = member
        self.readers = env.readers
        """A thread that waits for an answer of this peer reads it with these."""
        self._env = env
        self._connect = connect
        self._give_up = give_up
        self.definitions = Definitions(packer, self._transmit, max_frame)
        self._packer = self.definitions.packer
        self._outcomes = OutcomeCodec(self._packer)
        self._patience = patience
        self._max_frame = max_frame
        # Protects everything below. Nothing is packed or settled under it, and only a new link's hello sent.
        self._lock = Lock()
        self._room = Room(self._lock, Window(*window))
        self._returns = Returns(*window)
        self._is_credit_due = False
        self._numbers = itertools.count(1)
        # The promise and the size of each request until its outcome comes. A withdrawn one stays, without
        # its promise: it takes up room at the peer until the peer says that it does not.
        self._pending: dict[int, tuple[Promise | None, int]] = {}
        self._incoming: dict[int, Request] = {}
        self._link: Link | None = None
        self._lost: str | None = None

    # --- our requests ---

    def send(self, request: Request) -> None:
        """Send a request; from now on this peer settles its promise.

        Args:
            request: For a worker in the peer's Env.

        Raises:
            PackError: The arguments cannot be packed, or are too large.
            Overloaded: The window stayed full until the time limit, or there is no shared memory left.
        """
        request.route = self
        packed = self._packer.pack((request.args, request.kwargs), what="arguments")
        frames = [packed.body, *packed.buffers]
        if packed.buffers or self._max_frame is not None:
            check_frames(frames, self._max_frame)
        check_method(request.method)
        if request.deadline is not None and now() >= request.deadline:
            late = f"the deadline of {request.method!r} passed before it was sent"
            request.settle(Refused(DeadlineExceeded(late, executed="no", target=str(request.target))))
            return
        size = sum(map(len, frames))
        if not self._register(request, size):
            return
        sender = request.sender
        rest = remaining(request.deadline)
        header = RequestHeader(
            0 if isinstance(request.promise, NoAnswer) else request.number,
            request.kind,
            request.target.conc,
            request.method,
            None if sender is None else (sender.env, sender.conc),
            rest if rest is None or rest <= MAX_REMAINING else None,
            packed.codec,
        )
        request.args, request.kwargs = (), {}  # the caller's objects need not live until the answer
        try:
            self._transmit([header.header(), *frames], request.target.conc)
        except (Overloaded, MemoryError):  # nothing was sent
            with self._lock:
                self._pending.pop(request.number, None)
                self._room.give_back(1, size)
            raise

    def take_back(self, request: Request) -> bool:
        """Keep a request from being sent; once it is, only the peer knows whether it has begun."""
        with self._lock:
            if request.number:
                return False
            request.stage = WITHDRAWN
            return True

    def help(self, promise: Promise, here: Any) -> None:
        """A waiting thread cannot do the work of another Env."""

    def withdraw(self, request: Request) -> None:
        """Tell the peer that nobody wants the outcome any more."""
        with self._lock:
            promise, size = self._pending.get(request.number, (None, 0))
            if promise is None:
                return
            self._pending[request.number] = None, size
        self._transmit([CancelHeader(request.number).header()], request.target.conc)

    def probe(self, conc: int, header: ProbeHeader) -> None:
        """Ask the peer to look on for a circle of waits: by way of a request to this worker."""
        self._transmit([header.header()], conc)

    def _register(self, request: Request, size: int) -> bool:
        """Wait for room, and take a number; False if the request is not to be sent: then it is settled."""
        with self._lock:
            is_lost = self._lost is not None
            has_room = not is_lost and self._room.take(size)
            if has_room:
                self._number(request, size)
        if not is_lost and not has_room:
            self._wait_for_room(request, size)
        if request.number:
            return True
        if request.stage != WITHDRAWN:  # else whoever took it back settles it
            self._refuse(request.promise, "no")
        return False

    def _wait_for_room(self, request: Request, size: int) -> None:
        if request.kind in _URGENT or not self._env.may_block():
            with self._lock:
                self._room.take_anyway(size)
                self._number(request, size)
            return
        until = earlier(request.deadline, deadline_after(self._patience))
        self._env.enter_blocked()
        try:
            with self._lock:
                has_room = self._room.wait(size, remaining(until))
                if has_room:
                    self._number(request, size)
                if has_room or self._lost is not None or request.stage == WITHDRAWN:
                    return
        finally:
            self._env.leave_blocked()
        raise Overloaded(
            f"env{self.member.env} left too many requests unanswered for another one to "
            f"{request.method!r}: its window stayed full until the time limit; send slower, wait for "
            "answers in between, or raise the settings window.requests and window.bytes",
            target=str(request.target),
        )

    def _number(self, request: Request, size: int) -> None:
        """Under the lock, with room taken: give a number, unless there is nothing to be sent any more."""
        if self._lost is not None or request.stage == WITHDRAWN:
            self._room.give_back(1, size)
            return
        request.number = next(self._numbers)
        if not isinstance(request.promise, NoAnswer):
            self._pending[request.number] = (request.promise, size)

    def on_outcome(self, header: OutcomeHeader, frames: Sequence[Frame]) -> None:
        """The peer answers.

        Raises:
            WireError: Nothing was asked under this number, or it was answered before.
        """
        with self._lock:
            pending = self._pending.pop(header.number, None)
            if pending is not None:
                self._room.give_back(1, pending[1])
            is_lost = self._lost is not None
        if pending is None:
            if is_lost:
                return
            raise WireError(f"there is no request {header.number} that waits for an outcome")
        promise = pending[0]
        if promise is not None:
            promise.settle(self._outcomes.receive(header.status, header.codec, frames[1:]))

    def on_credit(self, header: CreditHeader, _: Sequence[Frame] = ()) -> None:
        """The peer has dealt with requests that wanted no answer.

        Raises:
            WireError: There are not so many of them.
        """
        with self._lock:
            window = self._room.window
            if self._lost is not None:
                return
            if header.requests > window.requests - len(self._pending) or header.size > window.size:
                raise WireError(f"credit for {header.requests} requests was given, and fewer were sent")
            self._room.give_back(header.requests, header.size)

    # --- its requests ---

    def on_request(self, header: RequestHeader, frames: Sequence[Frame]) -> None:
        """The peer asks.

        Raises:
            WireError: It names a sender that does not live there, or a number that is in use.
        """
        if header.sender is not None and header.sender[0] != self.member.env:
            raise WireError(f"a request names a sender in env{header.sender[0]}")
        size = sum(map(len, frames)) - len(frames[0])
        corps_id = self._env.corps_id
        promise: Promise
        if header.number:
            promise = WirePromise(self, header.number)
        else:
            promise = WireCredit(self, f"{header.method!r} from env{self.member.env}", size)
        request = Request(
            header.kind,
            ConcAddr(corps_id, self._env.id, header.conc),
            header.method,
            (),
            {},
            promise,
            None if header.sender is None else ConcAddr(corps_id, *header.sender),
            deadline_after(header.remaining),
            lambda: self._packer.unpack(Packed(header.codec, bytes(frames[1]), tuple(frames[2:]))),
        )
        with self._lock:
            if self._lost is not None:  # nothing of a lost peer begins
                return
            if header.number in self._incoming:
                raise WireError(f"the number {header.number} of a request is in use")
            if header.number:
                self._incoming[header.number] = request
        self._env.deliver(request)

    def on_cancel(self, header: CancelHeader, _: Sequence[Frame] = ()) -> None:
        """The peer does not want an outcome any more. It is told so, since it keeps the room until then."""
        with self._lock:
            request = self._incoming.get(header.number)
        if request is None or request.route is None:
            return
        if request.route.take_back(request):
            request.packed = None  # its place in the mailbox remains; its arguments need not
        cancelled = f"the request {request.method!r} to {request.target} was cancelled by its caller"
        request.settle(Refused(Cancelled(cancelled)))
        request.route.withdraw(request)

    def on_probe(self, header: ProbeHeader, _: Sequence[Frame] = ()) -> None:
        """The peer looks for a circle of waits. A request that was answered meanwhile ends the search."""
        if len(set(header.path)) < len(header.path):
            return  # it runs in a circle that does not lead back to its start; one in the circle finds that
        with self._lock:
            request = self._incoming.get(header.number)
        if request is not None:
            self._env.follow_probe(request, header)

    def answer(self, number: int, outcome: Outcome) -> None:
        """Send the outcome of one of its requests. By the thread that ran it."""
        with self._lock:
            self._incoming.pop(number, None)
        status, packed = self._outcomes.pack(outcome)
        try:
            if packed.buffers or self._max_frame is not None:
                check_frames((packed.body, *packed.buffers), self._max_frame)
            header = OutcomeHeader(number, status, packed.codec).header()
            self._transmit([header, packed.body, *packed.buffers])
        except Exception as failure:  # whoever waits for the answer must hear of it
            status, packed = self._outcomes.instead(status, failure)
            self._transmit([OutcomeHeader(number, status, packed.codec).header(), packed.body])

    def give_credit(self, size: int) -> None:
        """One of its requests that wanted no answer has been dealt with."""
        with self._lock:
            lump = self._returns.add(size)
            is_first = lump is None and not self._is_credit_due and self._lost is None
            if is_first:
                self._is_credit_due = True
        if lump is not None:
            self._transmit([CreditHeader(*lump).header()])
        elif is_first:
            self._env.alarms.at(now() + _CREDIT_DELAY, self.give_rest)

    def give_rest(self) -> None:
        """Hand back what credit there is, be it less than a lump."""
        with self._lock:
            self._is_credit_due = False
            lump = self._returns.rest()
        if lump is not None:
            self._transmit([CreditHeader(*lump).header()])

    # --- the link ---

    def _transmit(self, frames: Sequence[Frame], lane: int | None = None) -> None:
        # All that concerns the requests to one worker has a lane: they stay in order, and none of them is
        # overtaken by its CANCEL. Outcomes and credit may overtake.
        try:
            with self._lock:
                if self._lost is not None:
                    return  # whoever waited for an answer was told when it was lost
                link = self._link
                if link is None:
                    link = self._link = self._connect(self.member)
            link.send(frames, lane)
        except Overloaded:
            raise  # nothing was sent, and the link is as good as before
        except CorpsError as error:
            _log.debug("a message to env%d was not sent: %s", self.member.env, error)
            self._give_up(self, str(error))

    def lose(self, reason: str, log_level: int = logging.WARNING) -> None:
        """The peer is gone: every request that it has not answered fails now, and every later one.

        Args:
            reason: Why, for the texts of the errors.
            log_level: How to say that requests went with it whose callers wanted no answer.
        """
        with self._lock:
            if self._lost is not None:
                return
            self._lost = reason
            pending, self._pending = self._pending, {}
            incoming, self._incoming = self._incoming, {}
            link, self._link = self._link, None
            wanted_none = self._room.window.requests - len(pending)
            self._room.close()
        if link is not None:
            link.close()
        for promise, _ in pending.values():
            if promise is not None:
                self._refuse(promise, "unknown")
        if wanted_none:
            told = "env%d is lost (%s), and up to %d requests that were sent there without wanting an answer"
            _log.log(log_level, told, self.member.env, reason, wanted_none)
        for request in incoming.values():  # nobody will ever read their outcomes
            if isinstance(request.promise, WirePromise):
                request.promise.abandon()

    def _refuse(self, promise: Promise, executed: str) -> None:
        promise.settle(Refused(EnvLost(f"env{self.member.env} is lost: {self._lost}", executed=executed)))

    def statistics(self) -> dict[str, int]:
        """Requests unanswered in both directions."""
        with self._lock:
            return {"sent": len(self._pending), "received": len(self._incoming)}
