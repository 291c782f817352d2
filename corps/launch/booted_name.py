"""The Name of a Corps in the process that booted it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, Unpack

from corps.exporting import exported
from corps.launch.interrupted import is_interrupt
from corps.launch.running import RunningCorps
from corps.launch.starting_corps import StartingCorps
from corps.messages.env_event import EnvEvent
from corps.runtime.calls.futures import Future
from corps.runtime.context import Block
from corps.runtime.env import Env
from corps.runtime.options import WhenFull
from corps.runtime.threads.sleeping import result_of
from corps.services.dirs.handle import DirHandle
from corps.workers.dead_letters import DeadLetters
from corps.workers.env_events import EnvEvents
from corps.workers.everywhere import ask_everywhere
from corps.workers.factory import Chosen, Options
from corps.workers.groups import Group
from corps.workers.names import Name
from corps.workers.news import News
from corps.workers.placement import Where, with_label

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")

_log = logging.getLogger("corps.launch")

_OF_HANDLE: Final = (
    "create",
    "create_nowait",
    "create_many",
    "create_per_env",
    "replicate",
    "create_funcs",
    "replicate_funcs",
    "envs",
    "env_events",
    "statistics",
    "dead_letters",
    "singleton",
    "find",
    "afind",
    "find_all",
    "register",
    "aregister",
    "unregister",
    "aunregister",
    "watch_dir",
)
"""What a booted Name offers beside the methods of its Corps, if that has none of the same name."""


@exported
class BootedName(Name[T_co], DirHandle):
    """The Name of a Corps in the process that booted it: its end is the end of the whole Corps.

    Leaving its ``with`` or ``async with`` block, in any thread, task or context, ends the Corps in order; a
    second Ctrl-C meanwhile ends it at once. Its methods `create`, `envs`, `find`, `statistics` and so on do
    everywhere what `corps.create` and the others do inside the block. A method of the Corps with such a name
    goes before.
    """

    _running: RunningCorps
    _blocks: list[Block]
    _chosen: Options

    def __init__(self, name: Name[T_co], running: RunningCorps, chosen: Options | None = None) -> None:
        """Make the Name of a Corps that runs."""
        how: dict[str, Any] = {"prefetch": name._prefetch, "when_full": name._when_full}
        super().__init__(name._addr, name._interface, running.env, name._deadline, **how)
        vars(self).update(
            _running=running,
            _blocks=[],
            _chosen=chosen or Options(_of=running.env),
        )
        for own in self._interface.methods.intersection(_OF_HANDLE):
            vars(self)[own] = self._method(own)

    def options(
        self,
        *,
        deadline: float | None = None,
        prefetch: int | None = None,
        when_full: WhenFull | None = None,
        **chosen: Unpack[Chosen],
    ) -> "BootedName[T_co]":
        """Return a Name of the same Corps that calls it, and creates workers, in another way.

        Args:
            deadline: Seconds within which each request must be answered, and each worker constructed; None
                for no limit.
            prefetch: See `Name.options`.
            when_full: See `Name.options`; of workers created through what is returned, see `corps.options`.
                None: ``"wait"``, and for workers what their class declares.
            **chosen: For workers created through what is returned: see `corps.options`.

        Returns:
            Another Name of the Corps, equal to this one.

        Raises:
            ConfigError: A value is out of range.
        """
        wanted = Options(deadline=deadline, when_full=when_full, **chosen)
        how = replace(wanted.checked(), _of=self._running.env)
        limited = super().options(deadline=deadline, prefetch=prefetch, when_full=when_full or "wait")
        return BootedName(limited, self._running, how)

    def create(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Name[T]:
        """Create a worker in this Corps, from any thread; see `corps.create`."""
        return self._chosen.create(cls, *args, **kwargs)

    def create_nowait(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[Name[T]]:
        """Create one without waiting for its constructor; see `corps.Options.create_nowait`."""
        return self._chosen.create_nowait(cls, *args, **kwargs)

    def create_many(self, n: int, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> list[Name[T]]:
        """Create `n` workers over all Envs in turn; see `corps.Options.create_many`."""
        return self._chosen.create_many(n, cls, *args, **kwargs)

    def create_per_env(
        self, n: int, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> list[Name[T]]:
        """Create `n` workers in each Env; see `corps.Options.create_per_env`."""
        return self._chosen.create_per_env(n, cls, *args, **kwargs)

    def replicate(self, n: int, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Group[T]:
        """Create `n` workers in each Env, and keep it so; see `corps.Options.replicate`."""
        return self._chosen.replicate(n, cls, *args, **kwargs)

    def create_funcs(
        self, /, *functions: Callable[..., Any] | ModuleType, **named: Callable[..., Any]
    ) -> Name[Any]:
        """Create a worker that is a set of functions; see `corps.create_funcs`."""
        return self._chosen.create_funcs(*functions, **named)

    def singleton(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Name[T]:
        """Return the only worker of a class, created first if it is not there; see `corps.singleton`."""
        return self._chosen.singleton(cls, *args, **kwargs)

    def replicate_funcs(
        self, n: int, /, *functions: Callable[..., Any] | ModuleType, **named: Callable[..., Any]
    ) -> Name[Any]:
        """Create `n` workers of functions in each Env; see `corps.Options.replicate_funcs`."""
        return self._chosen.replicate_funcs(n, *functions, **named)

    def envs(self, label: str | None = None) -> list[int]:
        """List the Envs in which workers can be created; see `corps.envs`."""
        env = self._running.env
        return with_label(env, env.worker_envs, label)

    def env_events(self) -> News[EnvEvent]:
        """Hear of the Envs of this Corps from now on; see `corps.env_events`."""
        return self._running.env.parts.get(EnvEvents).listen()

    def statistics(self, timeout: float | None = 5.0) -> dict[int, dict[str, Any]]:
        """Tell what goes on in each Env; see `corps.statistics`."""
        return ask_everywhere(self._running.env, "statistics", timeout=timeout)

    def dead_letters(self, env: Where = None) -> DeadLetters:
        """Give the messages that did not arrive; see `corps.dead_letters`."""
        return DeadLetters.of(self._running.env, env)

    def _dirs_of(self) -> Env:
        return self._running.env

    def exit(self) -> Future[None]:
        """End the Corps: its workers in order, then its processes.

        Returns:
            A Future that is done when nothing of it is left; fails with a RemoteError if the ``cleanup()``
            of the Corps raised. Asking again is no error.
        """
        return self._running.end_soon()

    def __enter__(self) -> "Self":
        self._blocks.append(Block(self._bound()))
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        self._leave()
        self._running.end(interrupted=is_interrupt(kind))

    async def __aenter__(self) -> "BootedName[T_co]":
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        self._leave()
        await self._running.end_soon()

    def _leave(self) -> None:
        if self._blocks:
            self._blocks.pop().leave()


class StartingName(BootedName[T_co]):
    """A booted Name whose Corps still starts. ``async with`` awaits that; every other use waits for it.

    Its parts are missing until then, so each use of one of them comes to `__getattr__`.
    """

    def __init__(self, starting: StartingCorps, where: str) -> None:
        vars(self).update(_starting=starting, _arrival=Lock(), _where=where, _is_used=False)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            self._arrive()
            return getattr(self, name)

    def _arrive(self) -> None:
        """Wait for the start, and become an ordinary booted Name. Each use raises what the start raised."""
        parts = vars(self)
        parts["_is_used"] = True
        try:
            running = result_of(parts["_starting"].booted)
        except BaseException:
            parts["_starting"].end_now()  # nothing is left of it, also after a Ctrl-C
            raise
        with parts["_arrival"]:  # held while it changes its class: two threads may come
            if type(self) is StartingName:
                BootedName.__init__(self, running.name, running)
                object.__setattr__(self, "__class__", BootedName)

    async def arrived(self) -> BootedName[T_co]:
        """Do what `_arrive` does, for a coroutine. If that is cancelled, the Corps ends."""
        parts = vars(self)
        parts["_is_used"] = True
        booted = asyncio.wrap_future(parts["_starting"].booted)
        try:
            await asyncio.shield(booted)
        except BaseException:
            await asyncio.to_thread(parts["_starting"].end_now)
            booted.add_done_callback(lambda failed: failed.exception())  # its caller has it
            raise
        self._arrive()
        return self

    def exit(self) -> Future[None]:
        """End the Corps as soon as it has started; see `BootedName.exit`."""
        ended: Future[None] = vars(self)["_starting"].end_soon()
        return ended

    async def __aenter__(self) -> BootedName[T_co]:
        return (await self.arrived()).__enter__()

    def __del__(self) -> None:
        parts = vars(self)
        starting: StartingCorps | None = parts.get("_starting")
        if starting is None or parts["_is_used"] or not starting.booted.done():
            return
        if error := starting.booted.exception():
            text = "a Corps booted in %s did not start, and nobody has used it: %s"
            _log.error(text, parts["_where"], error)
