"""`corps.boot`: from a source to a running Corps, and to its end."""

import asyncio
import inspect
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeVar, TypeVarTuple, Unpack, overload

from corps.errors import CorpsError
from corps.exporting import exported
from corps.launch.building import CorpsPlan
from corps.launch.found_settings import find_executable, find_settings
from corps.launch.interrupted import is_interrupt
from corps.launch.may_boot import check_before, check_source, line_of
from corps.launch.running import RunningCorps, StartingCorps, start_corps
from corps.launch.sources import find_source
from corps.launchers.local.starting_python import take_role
from corps.messages.env_event import EnvEvent
from corps.runtime.calls.futures import Future
from corps.runtime.context import Block
from corps.runtime.env import Env
from corps.runtime.threads.running_loop import running_loop
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

    from corps.settings import Settings

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")

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
        how: dict[str, Any] = {"prefetch": name._prefetch, "is_hasty": name._is_hasty}
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
        when_full: Literal["wait", "raise"] = "wait",
        **chosen: Unpack[Chosen],
    ) -> "BootedName[T_co]":
        """Return a Name of the same Corps that calls it, and creates workers, in another way.

        Args:
            deadline: Seconds within which each request must be answered, and each worker constructed; None
                for no limit.
            prefetch: See `Name.options`.
            when_full: See `Name.options`.
            **chosen: For workers created through what is returned: see `corps.options`.

        Returns:
            Another Name of the Corps, equal to this one.

        Raises:
            ConfigError: A value is out of range.
        """
        how = replace(Options(deadline=deadline, **chosen).checked(), _of=self._running.env)
        limited = super().options(deadline=deadline, prefetch=prefetch, when_full=when_full)
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


class _StartingName(BootedName[T_co]):
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
            if type(self) is _StartingName:
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


@overload
def boot(
    source: str | Path,
    *args: Any,
    envs: int | None = None,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    **kwargs: Any,
) -> BootedName[Any]: ...
@overload
def boot(source: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> BootedName[T]: ...
@overload
def boot(
    source: Callable[[*Ts], T],
    *args: *Ts,
    envs: int | None = None,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
) -> BootedName[T]: ...
@overload
def boot(
    source: type[T],
    *,
    envs: int,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    **kwargs: Any,
) -> BootedName[T]: ...
@exported  # type: ignore[misc]  # it takes whatever a constructor takes
def boot(
    source: Any,
    *args: Any,
    envs: int | None = None,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    **kwargs: Any,
) -> BootedName[Any]:
    """Boot a Corps: start its processes, load the application in each, and create the Corps object.

    Use it in a ``with`` statement, or call ``app.exit().ret``: that ends the Corps in order, `cleanup()` of
    every worker, children before their Mgr, then the processes. If this process dies, the Corps ends too.

    In a coroutine write ``async with corps.boot(...) as app``: then neither the start nor the end blocks the
    event loop. There `boot` returns while the Corps starts; any other use of what it returns waits for that,
    and raises what the start has raised. `corps.aboot` is awaited instead.

    Args:
        source: ``"app.py"``, ``"app.py:Class"``, ``"package.module"``, ``"package.module:Class"``, or the
            subclass of Corps itself. The name of a file is relative to the current folder.
        *args: For the constructor of the Corps.
        envs: How many Envs (processes) to start; None for the setting, whose default is one per core.
        tag: The tag of the Corps.
        external: Whether other Corps and scripts of this user can reach the Corps, by its tag, which it needs
            then; None for the setting, whose default is that none can.
        config: A configuration file, a mapping of settings, or Settings; None looks for ``corps.toml`` or
            ``pyproject.toml`` beside the application, and in the folders above it up to the project's root.
        **kwargs: For the constructor of the Corps.

    Returns:
        The Name of the Corps, which is also a context manager.

    Raises:
        LoadError: The application could not be found or loaded, or has not exactly one Corps class.
        EnvStartError: A process did not start, or a port is taken.
        CorpsStartError: The constructor raised.
        ComponentError: A component that the settings require did not start.
        ConfigError: A setting is unknown or has a bad value; or it is to be external, and has no tag.
        NameTaken: It is to be external, and another external Corps of this user has the tag on this host.
        UnsafeFile: It is to be external, and the directory of the tags could have been made by another user.
        PackError: An argument cannot be packed.
        BootError: A worker asks, or a process that it has started is importing this very application.
    """
    caller = sys._getframe(1)
    plan = _planned(source, caller, {"envs": envs, "tag": tag, "external": external}, config)
    if _is_coroutine(caller):
        return _StartingName(StartingCorps(plan, args, kwargs).begin(), line_of(caller))
    return start(plan, *args, **kwargs)


@overload
async def aboot(
    source: str | Path,
    *args: Any,
    envs: int | None = None,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    **kwargs: Any,
) -> BootedName[Any]: ...
@overload
async def aboot(source: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> BootedName[T]: ...
@overload
async def aboot(
    source: Callable[[*Ts], T],
    *args: *Ts,
    envs: int | None = None,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
) -> BootedName[T]: ...
@overload
async def aboot(
    source: type[T],
    *,
    envs: int,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    **kwargs: Any,
) -> BootedName[T]: ...
@exported  # type: ignore[misc]  # as boot
async def aboot(
    source: Any,
    *args: Any,
    envs: int | None = None,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    **kwargs: Any,
) -> BootedName[Any]:
    """Boot a Corps without blocking the event loop: ``app = await corps.aboot(App)``.

    End it with ``await app.exit()``, or use it in ``async with``. If the awaiting task is cancelled before
    the Corps has started, the Corps ends.

    Args:
        source: As for `boot`, like all that follows.
        *args: For the constructor of the Corps.
        envs: How many Envs (processes) to start.
        tag: The tag of the Corps.
        external: Whether others can reach the Corps, by its tag.
        config: A configuration file, a mapping of settings, or Settings.
        **kwargs: For the constructor of the Corps.

    Returns:
        The Name of the Corps, which has started.

    Raises:
        CorpsError: As `boot`.
    """
    caller = sys._getframe(1)
    plan = _planned(source, caller, {"envs": envs, "tag": tag, "external": external}, config)
    return await _StartingName(StartingCorps(plan, args, kwargs).begin(), line_of(caller)).arrived()


def _planned(
    source: str | Path | type,
    caller: FrameType,
    given: Mapping[str, Any],
    config: "str | Path | Mapping[str, Any] | Settings | None",
) -> CorpsPlan:
    """Find what is to be booted, if that may be from here."""
    freeze_support()
    check_before(caller)
    found = find_source(source)
    check_source(found, caller)

    def settings() -> "Settings":
        return find_settings(config, given, source=found).settings

    return CorpsPlan(found, settings, executable=find_executable(config, found))


@exported
def freeze_support() -> None:
    """Call this first in a program that is frozen, as by PyInstaller, if it may not come to `boot` by itself.

    The processes of a Corps are such a program once more, started by corps. Each becomes what it was started
    for here, or at the latest where it calls `boot`, and does not return. Everywhere else nothing happens.
    """
    role = take_role()
    if role is not None:
        from corps.launchers.local.template import become

        sys.path[:] = role["path"]
        become(role)


def _is_coroutine(caller: FrameType) -> bool:
    """Return whether a coroutine of an event loop calls: then nothing may block."""
    flags = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
    return bool(caller.f_code.co_flags & flags) and running_loop() is not None


def start(plan: CorpsPlan, /, *args: Any, **kwargs: Any) -> BootedName[Any]:
    """Start a Corps as `boot` does; the arguments are for its constructor."""
    try:
        running = start_corps(plan, args, kwargs)
    except CorpsError as error:
        # The frames of the thread that starts it tell an author nothing.
        cause = error.__cause__
        raise error.with_traceback(None) from (cause.with_traceback(None) if cause is not None else None)
    return BootedName(running.name, running)
