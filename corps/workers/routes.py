"""Names of "any of them": which workers are behind one, and what this Env has under way in each.

The Env of a group's Mgr knows its workers, and says so to each Env in which such a Name is used: when that
asks for it first, and at every change. An Env whose process has died is left out by each Env itself, at once.
"""

import random
from collections.abc import Sequence
from functools import partial
from threading import Lock
from typing import Any, ClassVar, Protocol
from weakref import WeakValueDictionary

from corps.addresses import ROUTES, ConcAddr
from corps.errors import CorpsError
from corps.messages.contacts import address_in
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.workers.conc import Conc
from corps.workers.routing import Choice, How, choose

Listing = tuple[int, tuple[ConcAddr, ...]]
"""A number that grows with each change, and the workers."""

PlainListing = tuple[int, tuple[tuple[Any, ...], ...]]
"""The same as plain data, as it travels."""


def as_plain(listing: Listing) -> PlainListing:
    """Return a listing as plain data."""
    version, members = listing
    return version, tuple(member.as_plain() for member in members)


def listing_in(corps: str, plain: PlainListing) -> Listing:
    """Undo `as_plain`, in a Corps. A worker may belong to another one."""
    version, members = plain
    return version, tuple(address_in(corps, tuple(member)) for member in members)


class Routed(Protocol):
    """Workers behind one Name, where their Mgr is: `Replicas`, or the instances of a pool that is scaled."""

    @property
    def listing(self) -> Listing:
        """The workers there are."""

    def forget(self, worker: ConcAddr) -> None:
        """Forget a worker that has ended for good, if it is one of these."""

    def close(self) -> None:
        """Get no workers any more, because all were asked to end."""


class Route:
    """The workers behind one Name, as one Env knows them. Thread-safe."""

    def __init__(self, addr: ConcAddr, here: int, lost: dict[int, bool]) -> None:
        """Know no worker yet. `lost` are the Envs without a process, and whether they get another one."""
        self.addr = addr
        self._here = here
        self._lost = lost
        self._lock = Lock()  # protects all below
        self._version = -1
        self._members: tuple[ConcAddr, ...] = ()
        self._loads: dict[ConcAddr, int] = {}
        self._turn = 0
        # One of its own, because that of the module is the same in all forked Envs. No secret hangs on it.
        self._chance = random.Random().randrange  # noqa: S311

    def update(self, listing: Listing) -> None:
        """Take over a listing, unless a newer one has come before."""
        version, members = listing
        with self._lock:
            if version > self._version:
                self._version, self._members = version, members

    @property
    def listing(self) -> Listing:
        """What is known now."""
        with self._lock:
            return self._version, self._members

    def take(
        self, how: How, key: bytes | None, but: ConcAddr | None = None, *, is_lost: bool = False
    ) -> ConcAddr | None:
        """Choose a worker for a request, and count the request; None if there is no worker.

        Take `but` only if there is no other; if its Env `is_lost`, none of that Env.
        """
        with self._lock:
            members = self._members
            living: Sequence[ConcAddr] = members
            if self._lost:
                living = [member for member in members if not self._is_lost(member)]
            if but is None:
                others = living
            elif is_lost:
                others = [member for member in living if member[:2] != but[:2]]
            else:
                others = [member for member in living if member != but]
            usable = others or living or members
            if not usable:
                return None
            chosen = choose(how, key, Choice(usable, self._here, self._loads, self._turn), self._chance)
            self._turn += 1
            self._loads[chosen] = self._loads.get(chosen, 0) + 1
            return chosen

    def give_back(self, member: ConcAddr) -> None:
        """Count a request as over."""
        with self._lock:
            left = self._loads.get(member, 0) - 1
            if left > 0:
                self._loads[member] = left
            else:
                self._loads.pop(member, None)

    def _is_lost(self, member: ConcAddr) -> bool:
        """Return whether a worker is in an Env of this Corps without a process."""
        return member.env in self._lost and member.corps == self.addr.corps

    def has_hope(self, but: ConcAddr, *, is_scaled: bool = False) -> bool:
        """Return whether another worker could take what `but` has not begun, now or soon.

        `is_scaled`: there is a worker that replaces those that are gone.
        """
        with self._lock:
            members = self._members
            if is_scaled and members and self.addr.env not in self._lost:
                return True
            return any(
                (member != but and not self._is_lost(member))
                or (self._is_lost(member) and self._lost.get(member.env, True))
                for member in members
            )

    def loads(self) -> list[tuple[ConcAddr, int]]:
        """Return how many requests of this Env are under way in each worker that has some."""
        with self._lock:
            return list(self._loads.items())


class Routes(Part):
    """The routes of one Env, and the groups of its workers. Thread-safe."""

    def __init__(self, env: Env) -> None:
        """Know none yet."""
        self._env = env
        self._lock = Lock()  # protects all below
        self._routes: WeakValueDictionary[ConcAddr, Route] = WeakValueDictionary()
        self._groups: WeakValueDictionary[int, Routed] = WeakValueDictionary()
        self._followers: dict[int, set[int]] = {}  # Envs that hear of changes, by the number of the group
        self._lost: dict[int, bool] = {}

    # --- where a Name is used ---

    def route(self, addr: ConcAddr, listing: Listing) -> Route:
        """Return the route to a group of which a listing has come here with a Name."""
        with self._lock:
            route = self._routes.get(addr)
            is_new = route is None
            if route is None:
                route = self._routes[addr] = Route(addr, self._env.id, self._lost)
        route.update(listing)
        if is_new and addr.env != self._env.id:
            self._follow(route)
        return route

    def _follow(self, route: Route) -> None:
        addr = route.addr
        try:
            asked = self._env.ask_service(addr.env, ROUTES, "follow", addr.conc, self._env.id)
        except CorpsError:
            return  # then it goes on with what it knows
        asked.when_settled(lambda done: self._followed(route, done))

    @staticmethod
    def _followed(route: Route, done: Future[PlainListing | None]) -> None:
        if done.failure() is None and (listing := done.result()) is not None:
            route.update(listing_in(route.addr.corps, listing))

    def loads(self, addr: ConcAddr) -> list[tuple[ConcAddr, int]]:
        """Return what `Route.loads` does of a group; nothing if no Name of it is used here."""
        with self._lock:
            route = self._routes.get(addr)
        return [] if route is None else route.loads()

    def changed(self, addr: ConcAddr, listing: PlainListing) -> bool:
        """Hear of a change of a group; return whether a Name of it is still used here."""
        with self._lock:
            route = self._routes.get(addr)
        if route is not None:
            route.update(listing_in(addr[0], listing))
        return route is not None

    # --- where a group is kept ---

    def own(self, group: Routed, listing: Listing, number: int | None = None) -> Route:
        """Give a group of a worker of this Env its address, and the route to its workers.

        `number` is that of a worker whose address the group has; None gives it one of its own.
        """
        number = self._env.registry.next_number() if number is None else number
        addr = ConcAddr(self._env.corps_id, self._env.id, number)
        with self._lock:
            self._groups[addr.conc] = group
        return self.route(addr, listing)

    def follow(self, number: int, env_id: int) -> PlainListing | None:
        """Let another Env hear of all changes of a group from now on; None if there is no such group."""
        with self._lock:
            group = self._groups.get(number)
            if group is not None:
                self._followers.setdefault(number, set()).add(env_id)
        return None if group is None else as_plain(group.listing)

    def followers(self, number: int) -> list[int]:
        """Return the other Envs in which Names of a group are used."""
        with self._lock:
            return sorted(self._followers.get(number, ()))

    def unfollow(self, number: int, env_id: int) -> None:
        """Let an Env hear of no more changes of a group."""
        with self._lock:
            self._followers.get(number, set()).discard(env_id)

    def tell(self, route: Route, listing: Listing) -> None:
        """Say to all who use a Name of a group who its workers are now."""
        route.update(listing)
        plain = as_plain(listing)
        for env_id in self.followers(route.addr.conc):
            try:
                told = self._env.ask_service(env_id, ROUTES, "changed", route.addr, plain)
            except CorpsError:
                continue  # it ends
            told.when_settled(partial(self._told, route.addr.conc, env_id))

    def _told(self, number: int, env_id: int, done: Future[bool]) -> None:
        if done.failure() is not None or not done.result():
            self.unfollow(number, env_id)

    def close_group(self, number: int) -> None:
        """Let a group get no workers any more, because all it has were asked to end."""
        with self._lock:
            group = self._groups.get(number)
        if group is not None:
            group.close()

    # --- what the engine says ---

    def worker_ended(self, worker: ConcAddr, *, returns: bool) -> None:
        """See `Part.worker_ended`. A group that has the address of a worker ends with it."""
        self.close_group(worker.conc)

    def worker_gone(self, worker: ConcAddr) -> None:
        """See `Part.worker_gone`."""
        with self._lock:
            groups = list(self._groups.values())
        for group in groups:
            group.forget(worker)

    def env_came(self, env_id: int) -> None:
        """See `Part.env_came`."""
        self._lost.pop(env_id, None)

    def env_lost(self, env_id: int, *, returns: bool) -> None:
        """See `Part.env_lost`."""
        self._lost[env_id] = returns

    def env_left(self, env_id: int) -> None:
        """See `Part.env_left`."""
        self._lost[env_id] = False


class RoutesService(Conc):
    """Answers what Envs ask each other about groups."""

    interleave: ClassVar[bool | int] = True

    def __init__(self, env: Env) -> None:
        """Answer for the Routes of an Env."""
        self._routes = env.parts.get(Routes)

    async def follow(self, number: int, env_id: int) -> PlainListing | None:
        """See `Routes.follow`."""
        return self._routes.follow(number, env_id)

    async def changed(self, addr: ConcAddr, listing: PlainListing) -> bool:
        """See `Routes.changed`."""
        return self._routes.changed(addr, listing)

    async def loads(self, addr: ConcAddr) -> list[tuple[ConcAddr, int]]:
        """See `Routes.loads`. The addresses are those that the workers have at home."""
        return [(ConcAddr(*member), load) for member, load in self._routes.loads(addr)]

    async def close_group(self, number: int) -> None:
        """See `Routes.close_group`."""
        self._routes.close_group(number)
