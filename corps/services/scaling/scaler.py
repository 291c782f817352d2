"""The worker that keeps a pool: it looks at the load, and begins and ends instances as `sizing` decides."""

import asyncio
import logging
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Final

from corps.addresses import ROUTES, ConcAddr
from corps.clock import now
from corps.errors import CorpsError, DeadlineExceeded, NoSuchEnv
from corps.messages.interfaces import Interface
from corps.messages.requests import CALL, EXIT_LAST
from corps.runtime.calls.futures import Future
from corps.scaling.placing import fresh, place
from corps.scaling.scale import Scale
from corps.scaling.sizing import (
    Seen,
    Sizing,
    decide,
    first_to_leave,
    look_every,
    may_end,
    start_failed,
    start_succeeded,
)
from corps.services.scaling.berth import Berth
from corps.services.scaling.env_reports import EnvReports
from corps.services.scaling.instances import Instances, Leaving
from corps.workers.conc import Conc
from corps.workers.factory import Options
from corps.workers.names import Name
from corps.workers.placement import choose, labelled
from corps.workers.routes import Listing, Routes

_log = logging.getLogger("corps.scaling")

_ANSWERS: Final = 2.0  # seconds that an Env has to say how many requests it has under way


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """What a pool is made of.

    Attributes:
        scale: How many instances there are.
        options: How the worker of each instance is created.
        cls: The class of that worker; `Berth` for one that boots a Corps.
        args: For its constructor.
        kwargs: For its constructor.
    """

    scale: Scale
    options: Options
    cls: type[Conc]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Scaler(Conc):
    """Keeps one pool. Its children are the instances, or what has booted them; they end with it.

    Its methods are coroutines, so all that it knows belongs to the event loop.
    """

    interleave: ClassVar[bool | int] = True

    def __init__(self, plan: PoolPlan) -> None:
        """Have no instance yet."""
        cell = self._corps_own_cell()
        self._env = cell.env
        self._addr = cell.addr
        self._plan = plan
        self._sizing = Sizing()
        self._starting: Counter[int] = Counter()  # how many instances, by the Env
        self._loads: dict[ConcAddr, int] = {}  # as the last look has found them
        self._interface: Interface | None = None  # that of the instances
        self._reports = EnvReports(cell.env)
        # No secret hangs on it.
        self._chance = random.Random().randrange  # noqa: S311
        self._instances = Instances(cell.env, cell.addr.conc)
        cell.family.add_group(self._instances)

    async def start(self) -> None:
        """Begin the least number of instances. If one does not come up, the pool does not."""
        places = [await self._place() for _ in range(self._plan.scale.min)]
        await asyncio.gather(*map(self._begin, places))
        self.my_timer().every(look_every(self._plan.scale), self.my_self().look, rate="delay")

    async def route(self) -> tuple[ConcAddr, Interface, Listing]:
        """Return what a Name of the pool is made of."""
        assert self._interface is not None  # that of the first one, which is up
        return self._addr, self._interface, self._instances.listing

    async def state(self) -> tuple[int, int, int, int, str]:
        """Return the fields of a `PoolState`."""
        instances = self._instances
        up, leaving = len(instances.members()), len(instances.leaving())
        return up, self._starting.total(), leaving, sum(self._loads.values()), self._sizing.kind

    # --- looking ---

    async def look(self) -> None:
        """Count the load, and take the step that follows on it."""
        if self._instances.is_closed:
            return
        loads, is_complete = await self._count()
        at = now()
        self._loads = loads
        for leaving in self._instances.leaving():
            load = loads.get(leaving.member, 0) if is_complete else None
            if may_end(self._plan.scale, leaving.since, load, at):
                self._instances.let_go(leaving.owner)
                self.my_self().end.send(leaving)
        members = self._instances.members()
        load = sum(loads.get(member, 0) for _, member in members)
        seen = Seen(at, len(members), self._starting.total(), load)
        self._sizing, step = decide(self._plan.scale, self._sizing, seen)
        for _ in range(step):
            await self._begin_one()
        if step < 0:
            owners = [owner for owner, _ in members]
            leaves = owners[first_to_leave([loads.get(member, 0) for _, member in members])]
            self._instances.take_out(leaves, at)

    async def _count(self) -> tuple[dict[ConcAddr, int], bool]:
        """Return the unanswered requests of each instance, and whether all Envs have said theirs."""
        routes = self._env.parts.get(Routes)
        found = Counter(dict(routes.loads(self._addr)))
        is_complete = True
        asked: list[Future[list[tuple[ConcAddr, int]]]] = []
        for env_id in routes.followers(self._addr.conc):
            target = ConcAddr(self._addr.corps, env_id, ROUTES)
            with suppress(CorpsError):  # it ends, and its requests with it
                ask = partial(self._env.ask, CALL, target, "loads", (self._addr,), {}, _ANSWERS)
                asked.append(self._env.at_once(ask))
        for answer in asked:
            try:
                for member, load in await answer:
                    found[ConcAddr(*member)] += load
            except DeadlineExceeded:
                is_complete = False
            except CorpsError:  # its process has died
                continue
        return dict(found), is_complete

    # --- instances that come ---

    async def _begin_one(self) -> None:
        try:
            chosen = await self._place()
        except NoSuchEnv as error:
            self._failed(error)
            return
        self.my_self().begin.send(chosen)

    async def begin(self, place: int) -> None:
        """Begin one more instance in an Env. What that raises is logged, and it is tried again later."""
        try:
            await self._begin(place)
        except Exception as error:  # of an author's constructor
            self._failed(error)

    async def _begin(self, place: int) -> None:
        """Begin an instance that was counted as starting."""
        plan = self._plan
        try:
            options = replace(plan.options, env=place, label=None)
            owner: Name[Any] = await options.create_nowait(plan.cls, *plan.args, **plan.kwargs)
            member: Name[Any] = await owner.corps() if plan.cls is Berth else owner
        finally:
            self._starting[place] -= 1
        self._interface = self._interface or member._interface
        self._sizing = start_succeeded(self._sizing)
        if not self._instances.add(owner._addr, member._addr):
            self._env.exit(owner._addr)

    def _failed(self, error: Exception) -> None:
        self._sizing = start_failed(self._sizing, now())
        pause = self._sizing.retry_at - now()
        _log.warning("%s gets no further instance, and tries again in %.3g s: %s", self, pause, error)

    async def _place(self) -> int:
        """Choose the Env for the next instance, which counts as starting from now on.

        Raises:
            NoSuchEnv: None has the label, or none has free what an instance needs.
        """
        env, label, needs = self._env, self._plan.options.label, self._plan.scale.needs or {}
        places = labelled(env, label)
        reports = fresh(await self._reports.ask(places), now()) if needs or len(places) > 1 else []
        chosen: int | None = None
        if reports:
            # Those that start there are not workers yet.
            known = [replace(each, workers=each.workers + self._starting[each.env]) for each in reports]
            chosen = place(known, label, needs, self._chance)
        elif not needs:
            chosen = choose(env, None, label)
        if chosen is None:
            wanted = ", ".join(f"{what} {least:g}" for what, least in sorted(needs.items()))
            raise NoSuchEnv(f"no Env has free what an instance needs ({wanted})", label=label or "")
        self._starting[chosen] += 1
        return chosen

    # --- instances that go ---

    async def end(self, leaving: Leaving) -> None:
        """End an instance that has no requests any more, or has taken too long for them."""
        with suppress(CorpsError):  # it is gone already
            await self._env.exit(leaving.member, EXIT_LAST)
        with suppress(CorpsError):
            await self._env.exit(leaving.owner)

    async def drain_all(self) -> None:
        """Send no more requests to the instances, and let each do those that it has."""
        members = self._instances.members()
        self._instances.close()
        until = now() + self._plan.scale.drain
        while now() < until:
            loads, is_complete = await self._count()
            if is_complete and not any(loads.values()):
                break
            await asyncio.sleep(look_every(self._plan.scale))
        ends = [self._env.exit(member, EXIT_LAST) for _, member in members]
        for ended in ends:
            with suppress(CorpsError):
                await ended

    def __repr__(self) -> str:
        return f"the pool {self._addr}"
