"""Another Env, as seen from this one: the requests it has not answered, and the ones it asks of us.

Sending a request packs its arguments in the caller's thread, so what cannot be packed raises there. The
promise stays here under a number until the outcome comes, or the peer is lost.
"""

import itertools
import logging
from collections.abc import Callable, Sequence
from threading import Condition, Lock
from typing import Protocol

from corps.addresses import ConcAddr
from corps.clock import deadline_after, earlier, remaining
from corps.errors import CorpsError, EnvLost, Overloaded, PackError
from corps.messages.members import Member
from corps.messages.outcomes import Outcome, Refused
from corps.messages.promises import Promise, Unanswered
from corps.messages.requests import Request
from corps.packing.packer import Packed, Packer
from corps.transport.link import Link
from corps.transport.outcome_codec import OutcomeCodec
from corps.wire.credit import Returns, Window
from corps.wire.frames import (
    CancelHeader,
    CreditHeader,
    Frame,
    OutcomeHeader,
    ProbeHeader,
    RequestHeader,
)

_log = logging.getLogger("corps.transport")


class LocalSide(Protocol):
    """What a peer needs of the Env that it is seen from."""

    corps_id: str
    id: int

    def deliver(self, request: Request) -> None:
        """Hand a request that came in to its worker."""
        ...

    def follow_probe(self, request: Request, probe: ProbeHeader) -> None:
        """Look on for a circle of waits, from the worker that has the request."""
        ...

    def enter_blocked(self) -> None:
        """The calling thread is about to block."""
        ...

    def leave_blocked(self) -> None:
        """The calling thread goes on."""
        ...

    def may_block(self) -> bool:
        """Whether the calling thread may block; a coroutine may not."""
        ...


class Peer:
    """One other Env. Any thread may call, but for `on_*`, which is for the reading thread."""

    def __init__(
        self,
        env: LocalSide,
        member: Member,
        connect: Callable[[Member], Link],
        packer: Packer,
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
            window: Requests and bytes that may be unanswered.
            patience: Seconds a sender waits for room in the window.
            max_frame: Bytes of the longest frame that the peer takes.
        """
        self.member = member
        self._env = env
        self._connect = connect
        self._packer = packer
        self._outcomes = OutcomeCodec(packer)
        self._patience = patience
        self._max_frame = max_frame
        # Protects everything below. Nothing is packed, settled or sent while it is held.
        self._lock = Lock()
        self._room = Condition(self._lock)
        self._window = Window(*window)
        self._returns = Returns(*window)
        self._numbers = itertools.count(1)
        self._pending: dict[int, tuple[Promise, int]] = {}
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
            Overloaded: The window stayed full until the time limit.
        """
        request.route = self
        packed = self._packer.pack((request.args, request.kwargs), what="arguments")
        frames = [packed.body, *packed.buffers]
        self._check_size(frames)
        size = sum(len(frame) for frame in frames)
        number = self._register(request, size)
        if number is None:
            self._refuse(request.promise, "no")
            return
        wants_answer = not isinstance(request.promise, Unanswered)
        sender = request.sender
        header = RequestHeader(
            number if wants_answer else 0,
            request.kind,
            request.target.conc,
            request.method,
            None if sender is None else (sender.env, sender.conc),
            remaining(request.deadline),
            packed.codec,
        )
        request.args, request.kwargs = (), {}  # the caller's objects need not live until the answer
        self._transmit([header.header(), *frames])

    def take_back(self, request: Request) -> bool:
        """Only the peer knows whether a request has begun, so the answer is always no."""
        return False

    def help(self, promise: Promise) -> None:
        """A waiting thread cannot do the work of another Env."""

    def withdraw(self, request: Request) -> None:
        """Tell the peer that nobody wants the outcome any more."""
        with self._lock:
            pending = self._pending.pop(request.number, None)
            if pending is not None:
                self._window.give_back(1, pending[1])
                self._room.notify_all()
        if pending is not None:
            self._transmit([CancelHeader(request.number).header()])

    def probe(self, header: ProbeHeader) -> None:
        """Ask the peer to look on for a circle of waits."""
        self._transmit([header.header()])

    def _register(self, request: Request, size: int) -> int | None:
        """Wait for room, and take a number; None if the peer is lost."""
        until = earlier(request.deadline, deadline_after(self._patience))
        if not self._window.has_room(size) and self._env.may_block():  # looked at again under the lock
            self._env.enter_blocked()
            try:
                with self._lock:
                    roomy = self._room.wait_for(
                        lambda: self._window.has_room(size) or self._lost is not None, remaining(until)
                    )
            finally:
                self._env.leave_blocked()
            if not roomy:
                raise Overloaded(
                    f"env{self.member.env} left too many requests unanswered for another one to "
                    f"{request.method!r}: its window stayed full until the time limit",
                    target=str(request.target),
                )
        with self._lock:
            if self._lost is not None:
                return None
            self._window.take(size)
            request.number = next(self._numbers)
            if not isinstance(request.promise, Unanswered):
                self._pending[request.number] = (request.promise, size)
            return request.number

    def _check_size(self, frames: Sequence[Frame]) -> None:
        largest = max(len(frame) for frame in frames)
        if self._max_frame is not None and largest > self._max_frame:
            raise PackError(
                f"{largest} bytes in one piece are more than a frame may have ({self._max_frame}): send it "
                "in parts, or raise the setting max_message"
            )

    def on_outcome(self, header: OutcomeHeader, frames: Sequence[Frame]) -> None:
        """The peer answers."""
        with self._lock:
            pending = self._pending.pop(header.number, None)
            if pending is not None:
                self._window.give_back(1, pending[1])
                self._room.notify()
        if pending is None:
            _log.debug("a late answer of env%d was dropped", self.member.env)
            return
        pending[0].settle(self._outcomes.received(header.status, header.codec, frames))

    def on_credit(self, header: CreditHeader) -> None:
        """The peer has dealt with requests that wanted no answer."""
        with self._lock:
            self._window.give_back(header.requests, header.size)
            self._room.notify_all()

    # --- its requests ---

    def on_request(self, header: RequestHeader, frames: Sequence[Frame]) -> None:
        """The peer asks."""
        size = sum(len(frame) for frame in frames)
        corps_id = self._env.corps_id
        packed = Packed(header.codec, bytes(frames[0]), tuple(frames[1:]))
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
            lambda: self._packer.unpack(packed),
        )
        if header.number:
            with self._lock:
                self._incoming[header.number] = request
        self._env.deliver(request)

    def on_cancel(self, header: CancelHeader) -> None:
        """The peer does not want an outcome any more."""
        with self._lock:
            request = self._incoming.pop(header.number, None)
        if request is None or request.route is None:
            return
        request.route.take_back(request)
        promise = request.promise
        if isinstance(promise, WirePromise):
            promise.abandon()
        request.route.withdraw(request)

    def on_probe(self, header: ProbeHeader) -> None:
        """The peer looks for a circle of waits. A request that was answered meanwhile ends the search."""
        with self._lock:
            request = self._incoming.get(header.number)
        if request is not None:
            self._env.follow_probe(request, header)

    def answer(self, number: int, outcome: Outcome) -> None:
        """Send the outcome of one of its requests. By the thread that ran it."""
        with self._lock:
            self._incoming.pop(number, None)
        status, packed = self._outcomes.packed(outcome)
        frames = [packed.body, *packed.buffers]
        try:
            self._check_size(frames)
        except PackError as error:
            status, packed = self._outcomes.packed(Refused(error))
            frames = [packed.body]
        self._transmit([OutcomeHeader(number, status, packed.codec).header(), *frames])

    def give_credit(self, size: int) -> None:
        """One of its requests that wanted no answer has been dealt with."""
        with self._lock:
            lump = self._returns.add(size)
        if lump is not None:
            self._transmit([CreditHeader(*lump).header()])

    # --- the link ---

    def _transmit(self, frames: Sequence[Frame]) -> None:
        with self._lock:
            if self._lost is not None:
                return  # whoever waited for an answer was told when it was lost
            link = self._link
            if link is None:
                link = self._link = self._connect(self.member)
        try:
            link.send(frames)
        except CorpsError as error:
            _log.debug("a message to env%d was not sent: %s", self.member.env, error)
            self.lose(str(error))

    def lose(self, reason: str) -> None:
        """The peer is gone: every request that it has not answered fails now, and every later one.

        Args:
            reason: Why, for the texts of the errors.
        """
        with self._lock:
            if self._lost is not None:
                return
            self._lost = reason
            pending, self._pending = self._pending, {}
            incoming, self._incoming = self._incoming, {}
            link, self._link = self._link, None
            self._room.notify_all()
        if link is not None:
            link.close()
        for promise, _ in pending.values():
            self._refuse(promise, "unknown")
        for request in incoming.values():  # nobody will ever read their outcomes
            if isinstance(request.promise, WirePromise):
                request.promise.abandon()

    def _refuse(self, promise: Promise, executed: str) -> None:
        error = EnvLost(f"env{self.member.env} is lost: {self._lost}", executed=executed)
        promise.settle(Refused(error))

    def statistics(self) -> dict[str, int]:
        """Requests unanswered in both directions."""
        with self._lock:
            return {"sent": len(self._pending), "received": len(self._incoming)}


class WirePromise:
    """The promise of a request that came over a link: it knows the way back. Any thread."""

    __slots__ = ("_done", "_lock", "_number", "_peer")

    def __init__(self, peer: Peer, number: int) -> None:
        self._peer = peer
        self._number = number
        self._lock = Lock()  # protects _done
        self._done = False

    def settle(self, outcome: Outcome) -> bool:
        """See `Promise.settle`."""
        if not self._first():
            return False
        self._peer.answer(self._number, outcome)
        return True

    def done(self) -> bool:
        """See `Promise.done`."""
        return self._done

    def abandon(self) -> None:
        """Nobody wants the outcome any more."""
        self._first()

    def _first(self) -> bool:
        with self._lock:
            first, self._done = not self._done, True
        return first


class WireCredit(Unanswered):
    """The promise of a request over a link that wants no answer: its room in the window goes back."""

    __slots__ = ("_peer", "_size")

    def __init__(self, peer: Peer, what: str, size: int) -> None:
        super().__init__(what)
        self._peer = peer
        self._size = size

    def settle(self, outcome: Outcome) -> bool:
        """See `Promise.settle`."""
        if not super().settle(outcome):
            return False
        self._peer.give_credit(self._size)
        return True
