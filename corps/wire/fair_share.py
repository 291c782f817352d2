"""How a receiver shares its room among its clients, so that none of them can crowd out the others.

The receiver gives *credit*: so many requests, and so many bytes, that a client may send. What a client sends
spends its credit. What is done frees the room, which becomes credit again, for the client that is furthest
below its share. A client that holds more credit than its share, because others have come, is asked to give
some back. Every client can always have one request on its way, of any size.

What has come is served in the order of start-time fair queueing (Goyal, Vin and Cheng, 1996): as if each
client were served by a machine of its own, with a speed in proportion to its weight. Control traffic spends
no credit, and comes before all data. Pure: no clock, no thread; its owner's lock protects it.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final, Generic, NamedTuple, TypeVar

from corps.errors import Overloaded, WireError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_FLAT: Final = 4096  # bytes that a request costs beside its own, so that many small ones are not for nothing
_MOST_CONTROL: Final = 1000  # messages of control of one client that may wait
_SMOOTH: Final = 0.1  # how much the newest time counts in the mean
_SOONEST: Final = 0.01  # seconds
_LATEST: Final = 30.0  # seconds


class Room(NamedTuple):
    """So many requests, of so many bytes together."""

    requests: int
    size: int


_NOTHING: Final = Room(0, 0)


class Grant(NamedTuple, Generic[K]):
    """What is to be said to a client: it has so much more credit, or is to give so much back."""

    client: K
    more: Room
    back: Room


class Served(NamedTuple, Generic[K, T]):
    """What is to be served next."""

    client: K
    item: T
    size: int
    is_control: bool


@dataclass(slots=True)
class _Client(Generic[T]):
    weight: int
    credit: Room = _NOTHING  # that it has, as far as is known here: given, and neither spent nor given back
    asked_back: Room = _NOTHING  # of that, what it was asked to give back and has not yet
    held: Room = _NOTHING  # that has come and is not done: it waits, or is served
    waiting: deque[tuple[T, int]] = field(default_factory=deque)
    control: deque[T] = field(default_factory=deque)
    finish: float = 0.0  # in virtual time, when its last one that came would be served


class Allowance:
    """The half of the client: what it may send. Its owner's lock protects it."""

    def __init__(self) -> None:
        self.credit = _NOTHING
        """What is left."""
        self._unanswered = 0

    def grant(self, more: Room) -> None:
        """Take what the receiver gives."""
        self.credit = _plus(self.credit, more)

    def take_if_room(self, size: int) -> bool:
        """Spend credit for a request of this many bytes, if there is some; return whether there was."""
        if self.credit.requests < 1 or (size > self.credit.size and self._unanswered):
            return False
        self.credit = Room(self.credit.requests - 1, max(0, self.credit.size - size))
        self._unanswered += 1
        return True

    def answered(self) -> None:
        """Note that a request was answered."""
        self._unanswered -= 1

    def give_back(self, asked: Room) -> Room:
        """Return what is given back to the receiver of what it asks for, which may be less."""
        back = _least(asked, self.credit)
        self.credit = _minus(self.credit, back)
        return back


class FairShare(Generic[K, T]):
    """The room of one receiver. Caller holds the lock."""

    def __init__(self, room: Room, most: Room) -> None:
        """Share `room` among clients, none of which gets more than `most`. All numbers are above 0."""
        self._room = room
        self._most = most
        self._clients: dict[K, _Client[T]] = {}
        self._weights = 0
        self._urgent: deque[K] = (
            deque()
        )  # those of whom control waits, each once, in the order of their turns
        # By the virtual time at which the oldest request of a client that waits would begin.
        self._order: list[tuple[float, int, K]] = []
        self._entries = 0  # that were put into `_order`, so that equal times keep their order
        self._virtual = 0.0
        self._pace: float | None = None  # seconds from one that is done to the next, while some are held
        self._last_done: float | None = None

    def join(self, client: K, weight: int = 1) -> None:
        """Take in a client; `grants` says what credit it gets. One that is here keeps what it has."""
        if client not in self._clients:
            self._clients[client] = _Client(weight)
            self._weights += weight

    def leave(self, client: K) -> list[T]:
        """Forget a client that has gone; return what it has sent and was not served, control first."""
        gone = self._clients.pop(client, None)
        if gone is None:
            return []
        self._weights -= gone.weight
        if gone.control:
            self._urgent.remove(client)
        self._order = sorted(entry for entry in self._order if entry[2] != client)  # sorted is a heap
        return [*gone.control, *(item for item, _ in gone.waiting)]

    def take(self, client: K, item: T, size: int) -> None:
        """Take a request of a client, which spends its credit.

        Raises:
            Overloaded: The client has no credit for it. `retry_after` says when it may have.
            WireError: The client has not joined, or the request has no size.
        """
        found = self._find(client)
        if size < 0:
            raise WireError(f"a request of {size} bytes came")
        # The last credit for a request covers one of any size: else one above the share could never be sent.
        if found.credit.requests < 1 or (size > found.credit.size and found.held.requests):
            raise Overloaded(
                f"this client has {found.held.requests} unanswered requests of {found.held.size} bytes, and "
                "may not send more before some are answered; wait as long as retry_after says",
                retry_after=self._retry_after(found),
            )
        found.credit = Room(found.credit.requests - 1, max(0, found.credit.size - size))
        found.asked_back = _least(found.asked_back, found.credit)
        found.held = _plus(found.held, Room(1, size))
        found.waiting.append((item, size))
        if len(found.waiting) == 1:
            self._line_up(client, found)

    def take_control(self, client: K, item: T) -> None:
        """Take a message of control, which is served before all data.

        Raises:
            Overloaded: Too many of this client wait.
            WireError: The client has not joined.
        """
        found = self._find(client)
        if len(found.control) >= _MOST_CONTROL:
            raise Overloaded(
                f"{len(found.control)} messages of control of this client wait", retry_after=_SOONEST
            )
        if not found.control:
            self._urgent.append(client)
        found.control.append(item)

    def next(self) -> Served[K, T] | None:
        """Return what is to be served next, control first; None if nothing waits."""
        if self._urgent:
            client = self._urgent.popleft()
            control = self._clients[client].control
            item = control.popleft()
            if control:
                self._urgent.append(client)  # after the others
            return Served(client, item, 0, True)
        if not self._order:
            return None
        start, _, client = heappop(self._order)
        self._virtual = start
        found = self._clients[client]
        item, size = found.waiting.popleft()
        if found.waiting:
            self._line_up(client, found)
        return Served(client, item, size, False)

    def done(self, client: K, size: int, at: float) -> None:
        """Free the room of a request that was served and is answered. Of a client that has gone: nothing."""
        last, self._last_done = self._last_done, at
        if last is not None:
            passed = max(0.0, at - last)
            self._pace = passed if self._pace is None else self._pace + _SMOOTH * (passed - self._pace)
        found = self._clients.get(client)
        if found is not None:
            found.held = Room(max(0, found.held.requests - 1), max(0, found.held.size - size))

    def returned(self, client: K, back: Room) -> None:
        """Note what a client gives back of its credit. Raise WireError if it has not so much."""
        found = self._find(client)
        if min(back) < 0 or back.requests > found.credit.requests or back.size > found.credit.size:
            raise WireError(f"{back} of credit were given back, of {found.credit}")
        found.credit = _minus(found.credit, back)
        found.asked_back = _minus(found.asked_back, _least(found.asked_back, back))

    def grants(self) -> list[Grant[K]]:
        """Give the room that is free to those who are below their share, the furthest below first.

        Return what is to be said to the clients. Call it when a client came or left, and when some are done.
        """
        free_requests, free_size = self._free()
        said: list[Grant[K]] = []
        for client, each in sorted(self._clients.items(), key=lambda entry: self._used(entry[1])):
            share = self._share(each)
            has = _plus(each.credit, each.held)
            wants = Room(max(0, share.requests - has.requests), max(0, share.size - has.size))
            more = Room(min(wants.requests, max(0, free_requests)), min(wants.size, max(0, free_size)))
            if not has.requests and not more.requests:
                more = Room(1, more.size)  # the one that every client can always have on its way
            over = _minus(_least(each.credit, _over(has, share)), each.asked_back)
            back = Room(max(0, over.requests), max(0, over.size))
            if has.requests and not _is_worth(more, wants, share):
                more = _NOTHING
            free_requests, free_size = free_requests - more.requests, free_size - more.size
            if any(more) or any(back):
                each.credit = _plus(each.credit, more)
                each.asked_back = _plus(each.asked_back, back)
                said.append(Grant(client, more, back))
        return said

    def statistics(self) -> dict[str, int]:
        """Return how many clients there are, and what of the room is given away or taken."""
        together = self._together()
        return {
            "clients": len(self._clients),
            "requests": together.requests,
            "bytes": together.size,
            "waiting": sum(len(each.waiting) for each in self._clients.values()),
            "control": sum(len(each.control) for each in self._clients.values()),
        }

    def _find(self, client: K) -> _Client[T]:
        found = self._clients.get(client)
        if found is None:
            raise WireError(f"{client!r:.80} is no client here")
        return found

    def _share(self, client: _Client[T]) -> Room:
        part = client.weight / self._weights
        requests = max(1, min(self._most.requests, int(self._room.requests * part)))
        return Room(requests, min(self._most.size, int(self._room.size * part)))

    def _used(self, client: _Client[T]) -> float:
        """Return how much of its share a client has, by the scarcer of the two."""
        share, has = self._share(client), _plus(client.credit, client.held)
        return max(has.requests / share.requests, has.size / max(1, share.size))

    def _together(self) -> Room:
        requests = sum(each.credit.requests + each.held.requests for each in self._clients.values())
        return Room(requests, sum(each.credit.size + each.held.size for each in self._clients.values()))

    def _free(self) -> Room:
        return _minus(self._room, self._together())

    def _line_up(self, client: K, found: _Client[T]) -> None:
        """Let the oldest request of a client that waits have its place in the order."""
        _, size = found.waiting[0]
        start = max(self._virtual, found.finish)
        found.finish = start + (size + _FLAT) / found.weight
        self._entries += 1
        heappush(self._order, (start, self._entries, client))

    def _retry_after(self, client: _Client[T]) -> float:
        """Return the seconds until one more of a client has been served, as far as the pace tells."""
        busy = sum(each.weight for each in self._clients.values() if each.held.requests)
        turns = max(1.0, busy / client.weight)  # until it is its turn again
        return min(_LATEST, max(_SOONEST, turns * (self._pace or 0.0)))


def _plus(one: Room, other: Room) -> Room:
    return Room(one.requests + other.requests, one.size + other.size)


def _minus(one: Room, other: Room) -> Room:
    return Room(one.requests - other.requests, one.size - other.size)


def _least(one: Room, other: Room) -> Room:
    return Room(min(one.requests, other.requests), min(one.size, other.size))


def _over(has: Room, share: Room) -> Room:
    return Room(max(0, has.requests - share.requests), max(0, has.size - share.size))


def _is_worth(more: Room, wants: Room, share: Room) -> bool:
    """Return whether a message with this credit is worth it: a quarter of the share, or all that lacks."""
    return 4 * more.requests >= share.requests or 4 * more.size >= share.size or more == wants
