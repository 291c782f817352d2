"""Components in their Env: finding the class, starting the worker, and entering it into the Dir."""

import importlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from corps.addresses import ConcAddr
from corps.errors import ComponentError, CorpsError, LoadError
from corps.managers.components import Component
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.runtime.calls.futures import Future
from corps.runtime.cells.constructing import construct_soon
from corps.runtime.cells.records import Record
from corps.runtime.env import Env
from corps.runtime.options import WorkerOptions
from corps.services.dirs.finding import register_in
from corps.supervision.restarts import Restart
from corps.workers.conc import Conc

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_log = logging.getLogger("corps.managers")

TIRELESS: Final = Restart(max=1_000_000_000, backoff=(0.1, 60.0))
"""For a component that is not required: it never ends its Mgr, however often it fails."""


def restart_of(cls: type[Conc], *, is_required: bool) -> Restart:
    """Return the restart policy of a component: that of its class, or else a permanent one."""
    return cls.restart or (Restart() if is_required else TIRELESS)


def class_of(env: Env, use: str) -> Future[type[Conc]]:
    """Find the class of a component, in a worker thread, because to import its module may take long."""
    found: Future[type[Conc]] = Future()
    env.pool.submit(_Import(use, found))
    return found


class _Import:
    """Finds a class by its name."""

    def __init__(self, use: str, found: Future[type[Conc]]) -> None:
        self._use = use
        self._found = found

    def run(self) -> None:
        """See `Runnable.run`."""
        try:
            outcome: Outcome = Value(_imported(self._use))
        except LoadError as error:
            outcome = Refused(error)
        except BaseException as error:  # whatever a module raises
            outcome = Raised.capture(error, self._use)
        self._found.settle(outcome)


def _imported(use: str) -> type[Conc]:
    module, _, qualname = use.partition(":")
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, Conc)):
        raise LoadError(f"{use} is no subclass of corps.Conc: the module {module} has {found!r:.80} there")
    return found


class Components:
    """The components of one Env of which each Env has one. Event loop only: that of the Env."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._addrs: dict[str, ConcAddr | None] = {}  # by name; None for one that has not started yet

    async def start(self, component: Component, mgr: "Cell") -> None:
        """Start one as a child of the EnvMgr; nothing happens if it has begun. What goes wrong is raised."""
        if component.name in self._addrs:
            return
        self._addrs[component.name] = None
        env = self._env
        cls = await class_of(env, component.use)
        restart = restart_of(cls, is_required=component.required)
        record = Record(cls, (), dict(component.arguments), WorkerOptions(component.name, restart=restart))
        cell = env.lives.new_cell(record, mgr.name, mgr.addr)
        name = await construct_soon(cell, record)
        if not mgr.family.adopt(cell.addr, name, record):
            env.exit(cell.addr)
            return
        self._addrs[component.name] = cell.addr
        await register_in(env, name, tag=component.name, where="env")

    def __contains__(self, addr: ConcAddr) -> bool:
        return addr in self._addrs.values()

    async def end(self, name: str) -> None:
        """End one, if it is here."""
        addr = self._addrs.get(name)
        if addr is not None:
            await self._env.exit(addr)

    async def start_late(self, components: Sequence[Component], mgr: "Cell") -> None:
        """Start those of an Env that has joined a running Corps. No worker is created there before.

        Raises:
            ComponentError: One that is required did not start.
        """
        before = self._env.parts.held
        over: Future[None] = Future()
        self._env.parts.hold(over)
        try:
            for ready in before:
                await ready
            missing: set[str] = set()
            for component in components:
                lacks = [need for need in component.needs if need in missing]
                error: BaseException | None = None
                if not lacks:
                    try:
                        await self.start(component, mgr)
                        continue
                    except CorpsError as problem:
                        error = problem
                missing.add(component.name)
                judge(component, lacks, error)
        finally:
            over.settle(Value(None))


def judge(component: Component, lacks: Sequence[str], error: BaseException | None) -> None:
    """Log that a component has not started, because it lacks others or because of an error.

    Raises:
        ComponentError: It is required.
    """
    why = f"it needs {', '.join(lacks)}, which did not start" if lacks else str(error)
    text = f"the component {component.name!r} ({component.use}) did not start: {why}"
    if component.required:
        raise ComponentError(text, component=component.name) from error
    _log.error("%s; it is not required", text)


def loaded(env: Env, record: Record) -> Future[Record]:
    """Put the class of a component into a record that stands for it."""
    use, *args = record.args
    done: Future[Record] = Future()

    def found(future: Future[type[Conc]]) -> None:
        outcome = cast(Outcome, future.outcome).opened()
        if isinstance(outcome, Value):
            outcome = Value(record._replace(cls=outcome.value, args=tuple(args)))
        done.settle(outcome)

    class_of(env, use).when_settled(found)
    return done
