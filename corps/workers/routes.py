"""Names of "any of them": which workers are behind one, and what this Env has under way in each.

The Env of a group's Mgr knows its workers, and says so to each Env in which such a Name is used: when that
asks for it first, and at every change. An Env whose process has died is left out by each Env itself, at once.
"""

import random
from collections.abc import Sequence
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakValueDictionary

from corps.addresses import ROUTES, ConcAddr
from corps.errors import CorpsError
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.workers.conc import Conc
from corps.workers.routing import Choice, How, choose

if TYPE_CHECKING:
    from corps.workers.replicas import Replicas

Listing = tuple[int, tuple[ConcAddr, ...]]
"""A number that grows with each change, and the workers."""


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
                self._version, self._members = version, tuple(ConcAddr(*member) for member in members)

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
                living = [member for member in members if member.env not in self._lost]
            if but is None:
                others = living
            elif is_lost:
                others = [member for member in living if member.env != but.env]
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

    def has_hope(self, but: ConcAddr) -> bool:
        """Return whether another worker could take what `but` has not begun, now or soon."""
        with self._lock:
            members = self._members
            return any(
                self._lost.get(member.env, True) and (member != but or member.env in self._lost)
                for member in members
            )


class Routes(Part):
    """The routes of one Env, and the groups of its workers. Thread-safe."""

    def __init__(self, env: Env) -> None:
        """Know none yet."""
        self._env = env
        self._lock = Lock()  # protects all below
        self._routes: WeakValueDictionary[ConcAddr, Route] = WeakValueDictionary()
        self._groups: WeakValueDictionary[int, Replicas] = WeakValueDictionary()
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
    def _followed(route: Route, done: Future[Listing | None]) -> None:
        if done.failure() is None and (listing := done.result()) is not None:
            route.update(listing)

    def changed(self, addr: ConcAddr, listing: Listing) -> bool:
        """Hear of a change of a group; return whether a Name of it is still used here."""
        with self._lock:
            route = self._routes.get(addr)
        if route is not None:
            route.update(listing)
        return route is not None

    # --- where a group is kept ---

    def own(self, group: "Replicas", listing: Listing) -> Route:
        """Give a group of a worker of this Env its address, and the route to its workers."""
        addr = ConcAddr(self._env.corps_id, self._env.id, self._env.registry.next_number())
        with self._lock:
            self._groups[addr.conc] = group
        return self.route(addr, listing)

    def follow(self, number: int, env_id: int) -> Listing | None:
        """Let another Env hear of all changes of a group from now on; None if there is no such group."""
        with self._lock:
            group = self._groups.get(number)
            if group is not None:
                self._followers.setdefault(number, set()).add(env_id)
        return None if group is None else group.listing

    def tell(self, route: Route, listing: Listing) -> None:
        """Say to all who use a Name of a group who its workers are now."""
        route.update(listing)
        with self._lock:
            followers = list(self._followers.get(route.addr.conc, ()))
        for env_id in followers:
            try:
                told = self._env.ask_service(env_id, ROUTES, "changed", route.addr, listing)
            except CorpsError:
                continue  # it ends
            told.when_settled(partial(self._told, route.addr.conc, env_id))

    def _told(self, number: int, env_id: int, done: Future[bool]) -> None:
        if done.failure() is not None or not done.result():
            with self._lock:
                self._followers.get(number, set()).discard(env_id)

    def close_group(self, number: int) -> None:
        """Let a group get no workers any more, because all it has were asked to end."""
        with self._lock:
            group = self._groups.get(number)
        if group is not None:
            group.close()

    # --- what the engine says ---

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

    async def follow(self, number: int, env_id: int) -> Listing | None:
        """See `Routes.follow`."""
        return self._routes.follow(number, env_id)

    async def changed(self, addr: ConcAddr, listing: Listing) -> bool:
        """See `Routes.changed`."""
        return self._routes.changed(addr, listing)

    async def close_group(self, number: int) -> None:
        """See `Routes.close_group`."""
        self._routes.close_group(number)
