"""How an Env takes what its clients of other Corps send: each has a fair share of it.

A request counts for the share of its client until it is answered. It is handed to its worker when it is its
turn: few of them lie in the mailbox of a worker, and the next one follows when one of these begins. So a
client that has sent a thousand holds up no other one by more than a few requests. What the Env's own Corps
asks does not come by here.
"""

import logging
from collections.abc import Hashable
from threading import Lock
from typing import Final, Literal, Protocol

from corps.clock import now
from corps.errors import InternalError
from corps.messages.outcomes import Refused
from corps.messages.requests import EXIT, WITHDRAWN, Request, Route
from corps.peers.local_side import Crowding, LocalSide
from corps.wire.fair_order import FairOrder
from corps.wire.fair_share import FairShare, Room, Share

_log = logging.getLogger("corps.transport")

_AHEAD: Final = (
    2  # requests of other Corps in the mailbox of a worker, so that it never waits for the next one
)
_LOOK: Final = 0.2  # seconds between two looks for clients that have more than their share, or need none

_MOST_IDLE: Final = (
    256  # queues that are kept though nothing waits in them: to make one takes as long as a call
)

_Where = tuple[int, bool]  # the id of a worker, and whether it is for methods that overtake the others


class Client(Hashable, Protocol):
    """An Env of another Corps: a `corps.peers.foreign.GuardedAnswering`."""

    weight: int
    """How much it gets beside others of weight 1."""

    def say_share(self, share: Share) -> None:
        """Say to it what it may have unanswered."""

    def cancelled_late(self, request: Request) -> None:
        """Cancel a request once more that was cancelled while it was handed to its worker."""


class Place(Route):
    """A request of a client, from its arrival until it is answered. The reception's lock protects it."""

    __slots__ = ("_reception", "client", "is_cancelled", "queue", "request", "size", "state")

    readers = None
    incarnation = 0
    queue: "_Queue"

    def __init__(self, reception: "Reception", client: Client, request: Request, size: int) -> None:
        self._reception = reception
        self.client = client
        self.request = request
        self.size = size
        self.state: Literal["waiting", "handed", "there", "begun"] = "waiting"
        self.is_cancelled = False  # while it was handed on

    def take_back(self, request: Request) -> bool:
        """See `Route.take_back`."""
        return self._reception.take_back(self)


class _Queue:
    """What waits for one worker."""

    __slots__ = ("ahead", "is_served", "order")

    def __init__(self) -> None:
        self.order: FairOrder[Client, Place] | None = None  # made for the first one that waits
        self.ahead = 0  # that were handed to the worker and have not begun
        self.is_served = False  # a thread hands them on: only one may, because they have an order


class Reception:
    """The clients of one Env. Thread-safe."""

    def __init__(self, env: LocalSide, room: Room, most: Room) -> None:
        """Share `room` among clients, none of which gets more than `most`."""
        self._env = env
        self._lock = Lock()  # protects what follows; nothing is delivered, sent or settled under it
        self._share: FairShare[Client] = FairShare(room, most)
        self._queues: dict[_Where, _Queue] = {}
        self._in_use = 0  # of them, at the last look
        self._is_looking = False

    def join(self, client: Client) -> None:
        """Take in a client, before it sends anything."""
        with self._lock:
            self._share.join(client)

    def leave(self, client: Client) -> None:
        """Forget a client that has gone. What it has sent without wanting an answer is still done."""
        with self._lock:
            self._share.leave(client)

    def take(self, place: Place) -> bool:
        """Take a request, which is delivered when it is its turn; False if its client has gone.

        In the thread that reads.

        Raises:
            Overloaded: Its client has too much unanswered.
        """
        request, client, looks, serves = place.request, place.client, False, False
        crowding, out = self._env.crowding(request), None
        where = request.target.conc, self._env.overtakes(request)
        with self._lock:
            if not self._share.has(client):
                return False
            may_refuse, weight = request.kind is not EXIT, client.weight
            said = self._share.take(client, place.size, request.came, may_refuse=may_refuse, weight=weight)
            if self._share.has_busy and not self._is_looking:
                self._is_looking = looks = True
            queue = self._queues.get(where)
            if queue is None:
                queue = self._new_queue(where)
            place.queue = queue
            goes_on = not queue.order and queue.ahead < _AHEAD and request.kind is not EXIT
            if crowding is not None and not goes_on and crowding.is_full_with(len(queue.order or ())):
                out = self._put_out(crowding, queue, place)
                goes_on = out is None  # the mailbox has what is to go
            if out is place:
                place.state = "begun"
            elif goes_on:  # as mostly: that takes 2 µs less, and no other thread has anything to hand on
                queue.ahead += 1
                place.state = "there"
            else:
                request.route = place
                if queue.order is None:
                    queue.order = FairOrder()
                queue.order.put(client, place, place.size, weight)
                serves = not queue.is_served and queue.ahead < _AHEAD
                queue.is_served = queue.is_served or serves
        if said is not None:
            client.say_share(said)
        if looks:
            self._env.alarms.at(now() + _LOOK, self._look)
        if crowding is not None and out is not None:
            crowding.fail(out.request)
        if goes_on:
            self._deliver(request)
        elif serves:
            self._hand_on(queue)
        return True

    def began(self, place: Place) -> None:
        """Note that a request begins: the next one may come to the mailbox."""
        with self._lock:
            serves = self._leaves_mailbox(place)
        if serves:
            self._hand_on(place.queue)

    def over(self, place: Place) -> None:
        """Note that a request is answered, or was dropped: before its client hears of it."""
        with self._lock:
            serves = place.state != "begun" and self._leaves_mailbox(place)
            self._share.done(place.client, place.size, now())
        if serves:
            self._hand_on(place.queue)

    def take_back(self, place: Place) -> bool:
        """Keep a request from being handed to its worker; False if it was."""
        with self._lock:
            if place.state != "waiting":
                place.is_cancelled = place.state == "handed"
                return False
            place.state = "begun"  # it is passed over
            place.request.stage = WITHDRAWN
            return True

    def confirm(self, client: Client, serial: int) -> None:
        """Note that a client has no more unanswered than a share; raise WireError if none was said."""
        with self._lock:
            self._share.confirm(client, serial)

    def statistics(self) -> dict[str, int]:
        """Return how many clients there are, and what they have here."""
        with self._lock:
            waiting = sum(len(queue.order or ()) for queue in self._queues.values())
            return {**self._share.statistics(), "waiting": waiting}

    def _put_out(self, crowding: Crowding, queue: _Queue, place: Place) -> Place | None:
        """Return what has to go, so that a request has room: itself, or one that waits. With the lock.

        None if only in the mailbox there may be one that it can replace.
        """
        if not crowding.replaces:
            return place

        def may_go(other: Place) -> bool:
            return other.state == "waiting" and crowding.may_go(other.request)

        out = None if queue.order is None else queue.order.take_out(place.client, may_go)
        if out is not None:
            out.state = "begun"
            out.request.stage = WITHDRAWN
        return out or (place if queue.order else None)

    def _new_queue(self, where: _Where) -> _Queue:
        """Make the queue of a worker; forget those of which nothing is known, if there are many."""
        if len(self._queues) >= 2 * self._in_use + _MOST_IDLE:
            self._queues = {each: queue for each, queue in self._queues.items() if queue.ahead or queue.order}
            self._in_use = len(self._queues)
        queue = self._queues[where] = _Queue()
        return queue

    def _leaves_mailbox(self, place: Place) -> bool:
        """Note that a request waits no more; return whether its queue is to be handed on. With the lock."""
        state, place.state = place.state, "begun"
        if state == "waiting" or state == "begun":
            return False
        queue = place.queue
        queue.ahead -= 1
        if not queue.order or queue.is_served:
            return False
        queue.is_served = True
        return True

    def _hand_on(self, queue: _Queue) -> None:
        """Hand requests to their worker as long as its mailbox may have more. The queue `is_served` now."""
        while True:
            with self._lock:
                place = self._next(queue)
                if place is None:
                    queue.is_served = False
                    return
            self._deliver(place.request)
            with self._lock:
                if place.state == "handed":
                    place.state = "there"
                    if place.request.kind is EXIT:  # what comes after it need not wait for the end
                        self._leaves_mailbox(place)
                is_cancelled = place.is_cancelled
            if is_cancelled:
                place.client.cancelled_late(place.request)

    def _deliver(self, request: Request) -> None:
        try:
            self._env.deliver(request)
        except Exception as error:  # a defect of ours: neither the queue nor its requests may stay behind
            _log.critical("a request could not be delivered; please report it", exc_info=True)
            text = f"{request!r} could not be delivered: {type(error).__name__}: {error}"
            request.settle(Refused(InternalError(text)))

    def _next(self, queue: _Queue) -> Place | None:
        """Take out the next request, if the mailbox may have it. Caller holds the lock."""
        while queue.order and queue.ahead < _AHEAD and (place := queue.order.next()) is not None:
            if place.state == "waiting":  # else it was taken back
                place.state = "handed"
                queue.ahead += 1
                return place
        return None

    def _look(self) -> None:
        """Say their shares to those that have sent nothing since these have changed."""
        with self._lock:
            said = self._share.adjust(now())
            self._is_looking = self._share.has_busy
            look = self._is_looking
        for client, share in said:
            client.say_share(share)
        if look:
            self._env.alarms.at(now() + _LOOK, self._look)
