"""The components of a Corps that starts or ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from corps.addresses import ConcAddr
from corps.clock import now
from corps.errors import ComponentError, CorpsError, RemoteError, WaitTimeout, remote_of
from corps.managers.autoloading import judge
from corps.managers.components import GROUP, Component
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future
from corps.runtime.cells.cell import Cell
from corps.runtime.cells.records import Component as Named
from corps.runtime.cells.records import Record
from corps.runtime.env import Env
from corps.runtime.options import WorkerOptions
from corps.services.dirs.finding import register_in


def installed() -> Mapping[str, str]:
    """Find the components that installed packages offer: names with classes."""
    from importlib.metadata import entry_points  # takes 10 ms

    return {each.name: f"{each.module}:{each.attr}" for each in entry_points(group=GROUP)}


class Autoloading:
    """Starts the components of a Corps, one after the other, and ends them. One thread at a time."""

    def __init__(
        self, env: Env, mgr: Cell, home: int, env_ids: Sequence[int], note: Callable[[ConcAddr], object]
    ) -> None:
        """Start nothing yet.

        `mgr` becomes the Mgr of those of which the Corps has one, in the Env `home`; `note` hears of each.
        `env_ids` are the Envs for the others.
        """
        self._env = env
        self._mgr = mgr
        self._home = home
        self._env_ids = env_ids
        self._note = note
        self._started: list[tuple[Component, ConcAddr | None]] = []  # the address of one of the Corps

    def start(self, components: Sequence[Component], until: float) -> None:
        """Start components in their order, within the time; end them again if a required one fails.

        Raises:
            ComponentError: A required one did not start.
        """
        missing: set[str] = set()
        try:
            for component in components:
                lacks = [need for need in component.needs if need in missing]
                error = None if lacks else self._failure(component, until)
                if lacks or error is not None:
                    missing.add(component.name)
                    judge(component, lacks, error)
        except ComponentError:
            for ended in self.ends(self._env_ids):
                with suppress(CorpsError):
                    ended.result(self._env.options.grace)
            raise

    def ends(self, env_ids: Sequence[int]) -> Iterator[Future[Any]]:
        """Begin to end the components in `env_ids` and of the Corps, each after those that need it."""
        while self._started:
            component, addr = self._started.pop()
            if addr is not None:
                yield self._env.exit(addr)
                continue
            yield from [self._env.ask_manager(each, "end_component", component.name) for each in env_ids]

    def _failure(self, component: Component, until: float) -> BaseException | None:
        """Start one, and return why it did not start; None if it has."""
        try:
            if component.where == "env":
                self._start_in_each(component, until)
            else:
                self._start_in_home(component, until)
        except WaitTimeout as error:
            return CorpsError(f"it was not ready in time (setting boot_timeout): {error}")
        except RemoteError as error:
            remote = remote_of(error)
            return error if remote is None else CorpsError(f"{remote.summary}\n{remote.traceback}".rstrip())
        except CorpsError as error:
            return error
        return None

    def _start_in_each(self, component: Component, until: float) -> None:
        self._started.append((component, None))
        asked = [self._ask(env_id, "start_component", list(component)) for env_id in self._env_ids]
        for answer in asked:
            answer.result(max(0.0, until - now()))

    def _start_in_home(self, component: Component, until: float) -> None:
        env, mgr = self._env, self._mgr
        asked = self._ask(self._home, "component_restart", component.use, component.required)
        restart = asked.result(max(0.0, until - now()))
        options = WorkerOptions(component.name, restart=restart)
        record = Record(Named, (component.use,), dict(component.arguments), options)
        made = self._ask(self._home, "create", record, mgr.name, mgr.addr)
        try:
            name = made.result(max(0.0, until - now()))
        except WaitTimeout:
            made.cancel()
            raise
        self._note(name._addr)
        if not mgr.family.adopt(name._addr, name, record):
            env.exit(name._addr)
            raise CorpsError(f"{mgr} ends")
        self._started.append((component, name._addr))
        env.others.adopted(mgr.family, name._addr)
        register_in(env, name, tag=component.name).result(max(0.0, until - now()))

    def _ask(self, env_id: int, what: str, *args: Any) -> Future[Any]:
        return self._env.ask(CALL, self._env.manager_of(env_id), what, args, {})
