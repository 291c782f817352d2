"""How a receiver shares its room among its clients, so that none of them can crowd out the others.

Each client has a *share*: so many requests, of so many bytes together, that it may have unanswered. A client
that needs little keeps the least share, which everybody has without a word. One that needs more is *busy*:
the room is divided among those, by their weights. The receiver says a share to a client when the share has
changed by a quarter or more. A smaller share holds when the client confirms that it has no more under way.
Until then the former one counts, so the shares together are never more than the room, and the least share of
each client. One request alone may have any size.

Pure: no clock, no thread; its owner's lock protects it. `fair_order` says which request is served next.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

from corps.errors import Overloaded, WireError

K = TypeVar("K", bound=Hashable)

_REST: Final = 1.0  # seconds without need after which a client is busy no more
_MOST_UNCONFIRMED: Final = 4  # shares that were said to one client, which has not confirmed them
_SMOOTH: Final = 0.1  # how much the newest time counts in the mean
_SOONEST: Final = 0.01  # seconds
_LATEST: Final = 30.0  # seconds


class Room(NamedTuple):
    """So many requests, of so many bytes together."""

    requests: int
    size: int


_NOTHING: Final = Room(0, 0)

LEAST: Final = Room(8, 64 * 1024)
"""The share that every client has before another one is said to it. Both ends of the protocol know it."""

_HALF: Final = Room(LEAST.requests // 2, LEAST.size // 2)


class Share(NamedTuple):
    """What is to be said to a client: its share, and the number of that word."""

    serial: int
    room: Room


@dataclass(slots=True)
class _Client:
    weight: int = 1
    said: Room = LEAST  # the share that was said to it last
    confirmed: Room = LEAST
    unconfirmed: list[Share] = field(default_factory=list)
    serial: int = 0
    requests: int = 0  # that have come and are not answered
    size: int = 0  # their bytes
    busy: float | None = None  # when it has last needed more than the least share; None: it rests
    seen: int = -1  # which change of the shares it was judged after
    taken: Room = _NOTHING  # of the room, beyond the least share
    is_gone: bool = False

    @property
    def allowed(self) -> Room:
        """What it may have unanswered, as far as is known here."""
        rooms = [self.confirmed, *(share.room for share in self.unconfirmed)]
        return Room(max(room.requests for room in rooms), max(room.size for room in rooms))

    @property
    def needs_more(self) -> bool:
        """Whether it uses half of the least share, or more."""
        return self.requests >= _HALF.requests or self.size >= _HALF.size


class FairShare(Generic[K]):
    """The room of one receiver. Caller holds the lock."""

    def __init__(self, room: Room, most: Room) -> None:
        """Share `room` among clients, none of which gets more than `most`. All numbers are above 0."""
        self._room = room
        self._most = Room(max(LEAST.requests, most.requests), max(LEAST.size, most.size))
        self._clients: dict[K, _Client] = {}
        self._weights = 0  # of those that are busy
        self._changes = 0  # of the weights, and of what is taken: then the shares are others
        self._taken = _NOTHING
        self._requests = 0  # of all that have come and are not answered
        self._size = 0
        self._pace: float | None = None  # seconds from one that is answered to the next
        self._last_done: float | None = None

    @property
    def has_busy(self) -> bool:
        """Whether any client is busy."""
        return self._weights > 0

    def join(self, client: K) -> None:
        """Take in a client. One that is here keeps what it has."""
        if client not in self._clients:
            self._clients[client] = _Client()

    def leave(self, client: K) -> None:
        """Forget a client that has gone, when all that it has sent is done."""
        found = self._clients.get(client)
        if found is None or found.is_gone:
            return
        self._let_rest(found)
        found.is_gone = True
        found.confirmed = _NOTHING
        found.unconfirmed.clear()
        self._count(found)
        if not found.requests:
            del self._clients[client]

    def has(self, client: K) -> bool:
        """Return whether a client is here, and has not gone."""
        found = self._clients.get(client)
        return found is not None and not found.is_gone

    def take(
        self, client: K, size: int, at: float, *, may_refuse: bool = True, weight: int = 1
    ) -> Share | None:
        """Take a request of a client, which has this weight now; return the share to say to it, if any.

        Raises:
            Overloaded: The client has more unanswered than its share, and there is no room beyond that.
            WireError: The client has not joined.
        """
        found = self._find(client)
        if found.weight != weight:
            self._weigh(found, weight)
        requests, together = found.requests + 1, found.size + size
        if may_refuse and requests > 1 and self._is_full:
            self._check(found, size)
        found.requests, found.size = requests, together
        self._requests += 1
        self._size += size
        if requests < _HALF.requests and together < _HALF.size:
            return None
        if found.busy is None:
            self._weights += found.weight
            self._changes += 1
        found.busy = at
        if found.seen == self._changes:  # nothing has changed: 3 µs less
            return None
        found.seen = self._changes
        return self._said(found, self._fair(found))

    def _check(self, found: _Client, size: int) -> None:
        """Raise Overloaded if one more request is more than a client may have."""
        allowed = found.allowed
        if found.requests + 1 > allowed.requests or found.size + size > allowed.size:
            raise Overloaded(
                f"this client has {found.requests} unanswered requests of {found.size} bytes here, and its "
                f"share is {allowed.requests} of {allowed.size}; wait as long as retry_after says",
                retry_after=self._retry_after(found),
            )

    def done(self, client: K, size: int, at: float) -> None:
        """Free the room of a request that is answered."""
        last, self._last_done = self._last_done, at
        if last is not None:
            passed = max(0.0, at - last)
            self._pace = passed if self._pace is None else self._pace + _SMOOTH * (passed - self._pace)
        found = self._find(client)
        found.requests -= 1
        found.size -= size
        self._requests -= 1
        self._size -= size
        if found.is_gone:
            self._count(found)
            if not found.requests:
                del self._clients[client]

    def confirm(self, client: K, serial: int) -> None:
        """Note that a client has heard of a share, and has no more than that under way.

        Raises:
            WireError: No such share was said to the client, or it has confirmed it before.
        """
        found = self._find(client)
        room = next((share.room for share in found.unconfirmed if share.serial == serial), None)
        if room is None:
            raise WireError(f"a share was confirmed with the number {serial}, which was not said")
        found.confirmed = room
        found.unconfirmed = [share for share in found.unconfirmed if share.serial > serial]
        self._count(found)

    def adjust(self, at: float) -> list[tuple[K, Share]]:
        """Return the shares that are to be said without a request: to who needs little, or has too much.

        Call it now and then while any client is busy.
        """
        said = []
        for client, each in self._clients.items():
            if each.busy is None:
                continue
            is_idle = not each.needs_more and at - each.busy >= _REST
            share = self._said(each, LEAST if is_idle else self._fair(each))
            if share is not None:
                said.append((client, share))
            if is_idle and not _differ(LEAST, each.said):
                self._let_rest(each)
        return said

    def statistics(self) -> dict[str, int]:
        """Return how many clients there are, what they hold, and what they may have beyond the least."""
        return {
            "clients": len(self._clients),
            "busy": sum(each.busy is not None for each in self._clients.values()),
            "requests": self._requests,
            "bytes": self._size,
            "given_requests": self._taken.requests,
            "given_bytes": self._taken.size,
        }

    @property
    def _is_full(self) -> bool:
        return self._requests >= self._room.requests or self._size >= self._room.size

    def _find(self, client: K) -> _Client:
        found = self._clients.get(client)
        if found is None:
            raise WireError(f"{client!r:.80} is no client here")
        return found

    def _weigh(self, found: _Client, weight: int) -> None:
        if found.busy is not None:
            self._weights += weight - found.weight
            self._changes += 1
        found.weight = weight

    def _let_rest(self, found: _Client) -> None:
        if found.busy is not None:
            found.busy = None
            self._weights -= found.weight
            self._changes += 1

    def _fair(self, found: _Client) -> Room:
        """Return the share of a busy client: its part of the room, but of that no more than is free."""
        allowed, part = found.allowed, found.weight / self._weights
        requests = min(int(self._room.requests * part), self._most.requests)
        size = min(int(self._room.size * part), self._most.size)
        free_requests = self._room.requests - self._taken.requests
        free_size = self._room.size - self._taken.size
        return Room(
            max(LEAST.requests, min(requests, allowed.requests + free_requests)),
            max(LEAST.size, min(size, allowed.size + free_size)),
        )

    def _said(self, found: _Client, room: Room) -> Share | None:
        """Return a share as it is to be said; None if it is not worth a word, or too many wait for theirs."""
        if len(found.unconfirmed) >= _MOST_UNCONFIRMED or not _differ(room, found.said):
            return None
        found.serial += 1
        share = Share(found.serial, room)
        found.said = room
        found.unconfirmed.append(share)
        self._count(found)
        return share

    def _count(self, found: _Client) -> None:
        """Count what a client may have beyond the least; of one that has gone, what it has."""
        may = Room(found.requests, found.size) if found.is_gone else found.allowed
        taken = Room(max(0, may.requests - LEAST.requests), max(0, may.size - LEAST.size))
        if taken == found.taken:
            return
        self._changes += 1
        self._taken = Room(
            self._taken.requests + taken.requests - found.taken.requests,
            self._taken.size + taken.size - found.taken.size,
        )
        found.taken = taken

    def _retry_after(self, client: _Client) -> float:
        """Return the seconds until one more of a client has been answered, as far as the pace tells."""
        busy = sum(each.weight for each in self._clients.values() if each.requests)
        turns = max(1.0, busy / client.weight)  # until it is its turn again
        return min(_LATEST, max(_SOONEST, turns * (self._pace or 0.0)))


def _differ(one: Room, other: Room) -> bool:
    """Return whether one of the two numbers differs by a quarter, so that it is worth a word."""
    return 4 * abs(one.requests - other.requests) >= max(one.requests, other.requests) or 4 * abs(
        one.size - other.size
    ) >= max(one.size, other.size)
