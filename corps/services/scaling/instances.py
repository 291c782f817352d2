"""The instances of one pool: which get requests, and which are about to end."""

from dataclasses import dataclass
from threading import Lock

from corps.addresses import ConcAddr
from corps.runtime.env import Env
from corps.workers.routes import Listing, Route, Routes


@dataclass(frozen=True, slots=True)
class Leaving:
    """An instance that gets no requests any more.

    Attributes:
        owner: The child of the pool that it ends with.
        member: What gets the requests: the same worker, or the object of the Corps that it has booted.
        since: When it was taken out of the routing.
    """

    owner: ConcAddr
    member: ConcAddr
    since: float


class Instances:
    """The instances of one pool, in the Env of the worker that keeps it. Thread-safe.

    Attributes:
        route: To those that get requests.
    """

    def __init__(self, env: Env, number: int) -> None:
        """Have none yet. `number` is the conc id of the worker that keeps the pool."""
        self._env = env
        self._lock = Lock()  # protects all below
        self._members: dict[ConcAddr, ConcAddr] = {}  # by owner, oldest first
        self._last: tuple[ConcAddr, ...] = ()  # the last one, so that callers wait for the one that follows
        self._leaving: dict[ConcAddr, Leaving] = {}  # by owner
        self._version = -1  # before the first ones; then it grows from 1 with each change
        self._is_closed = False
        self.route: Route = env.parts.get(Routes).own(self, self.listing, number)

    @property
    def listing(self) -> Listing:
        """See `Replicas.listing`. While there is none, it has the last one that there was."""
        with self._lock:
            return self._version, tuple(self._members.values()) or self._last

    @property
    def is_closed(self) -> bool:
        """Whether it gets no instances any more."""
        return self._is_closed

    def members(self) -> list[tuple[ConcAddr, ConcAddr]]:
        """Return owners and members of those that get requests, oldest first."""
        with self._lock:
            return list(self._members.items())

    def leaving(self) -> list[Leaving]:
        """Return those that are about to end."""
        with self._lock:
            return list(self._leaving.values())

    def add(self, owner: ConcAddr, member: ConcAddr) -> bool:
        """Send requests to a new instance; False if the pool has ended."""
        with self._lock:
            if self._is_closed:
                return False
            self._members[owner] = member
        self._changed()
        return True

    def take_out(self, owner: ConcAddr, at: float) -> None:
        """Send no requests to an instance any more."""
        with self._lock:
            member = self._members.pop(owner, None)
            if member is not None:
                self._leaving[owner] = Leaving(owner, member, at)
        if member is not None:
            self._changed()

    def let_go(self, owner: ConcAddr) -> None:
        """Forget an instance that is ending."""
        with self._lock:
            self._leaving.pop(owner, None)

    def forget(self, worker: ConcAddr) -> None:
        """Forget an instance that has ended, by its owner or its member."""
        with self._lock:
            gone = [owner for owner, member in self._members.items() if worker in (owner, member)]
            for owner in gone:
                self._last = (self._members.pop(owner),)
            self._leaving.pop(worker, None)
        if gone:
            self._changed()

    def close(self) -> None:
        """Send nothing to any of them any more, because they end."""
        with self._lock:
            self._is_closed = True
            self._members.clear()
            self._last = ()
        self._changed()

    def env_came(self, env_id: int) -> None:
        """See `ChildGroup.env_came`. What is begun there follows from the load."""

    def env_left(self, env_id: int) -> None:
        """See `ChildGroup.env_left`: those in an Env that is removed are drained there."""
        for owner, _ in self.members():
            if owner.env == env_id:
                self.forget(owner)

    def _changed(self) -> None:
        with self._lock:
            self._version = max(self._version, 0) + 1
        self._env.parts.get(Routes).tell(self.route, self.listing)
