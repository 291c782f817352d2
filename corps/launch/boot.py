"""`corps.boot`: from a source to a Corps that runs.

What the Name of a Corps needs is imported when the Corps has been started, or starts: see `first_process`.
"""

import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, TypeVarTuple, overload

from corps.errors import CorpsError
from corps.exporting import exported
from corps.launch.found_settings import find_executable, hosts_finder
from corps.launch.may_boot import check_before, check_source, line_of
from corps.launch.plan import CorpsPlan
from corps.launch.sources import find_source
from corps.launch.starting_corps import StartingCorps, start_corps
from corps.launchers.local.starting_python import take_role
from corps.runtime.threads.running_loop import running_loop

if TYPE_CHECKING:
    from corps.launch.booted_name import BootedName, StartingName
    from corps.launch.launch_settings import LaunchSettings
    from corps.settings import Settings

T = TypeVar("T")
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")


@overload
def boot(
    source: str | Path,
    *args: Any,
    envs: int | None = None,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    hosts: "str | Path | Mapping[str, Any] | None" = None,
    **kwargs: Any,
) -> "BootedName[Any]": ...
@overload
def boot(source: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "BootedName[T]": ...
@overload
def boot(
    source: Callable[[*Ts], T],
    *args: *Ts,
    envs: int | None = None,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    hosts: "str | Path | Mapping[str, Any] | None" = None,
) -> "BootedName[T]": ...
@overload
def boot(
    source: type[T],
    *,
    envs: int,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    hosts: "str | Path | Mapping[str, Any] | None" = None,
    **kwargs: Any,
) -> "BootedName[T]": ...
@exported  # type: ignore[misc]  # it takes whatever a constructor takes
def boot(
    source: Any,
    *args: Any,
    envs: int | None = None,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    hosts: "str | Path | Mapping[str, Any] | None" = None,
    **kwargs: Any,
) -> "BootedName[Any]":
    """Boot a Corps: start its processes, load the application in each, and create the Corps object.

    Use it in a ``with`` statement, or call ``app.exit().ret``: that ends the Corps in order, `cleanup()` of
    every worker, children before their Mgr, then the processes. If this process dies, the Corps ends too.

    In a coroutine write ``async with corps.boot(...) as app``: then neither the start nor the end blocks the
    event loop. There `boot` returns while the Corps starts; any other use of what it returns waits for that,
    and raises what the start has raised. `corps.aboot` is awaited instead.

    Args:
        source: ``"app.py"``, ``"app.py:Class"``, ``"package.module"``, ``"package.module:Class"``, the
            subclass of Corps itself, or ``"app.pyz"``, which ``corps package`` has made. The name of a file
            is relative to the current folder.
        *args: For the constructor of the Corps.
        envs: How many Envs (processes) to start; None for the setting, whose default is one per core.
        tag: The tag of the Corps.
        external: Whether other Corps and scripts of this user can reach the Corps, by its tag, which it needs
            then; None for the setting, whose default is that none can.
        config: A configuration file, a mapping of settings, or Settings; None looks for ``corps.toml`` or
            ``pyproject.toml`` beside the application, and in the folders above it up to the project's root.
        hosts: The file of the hosts over which the Corps runs, or a mapping that stands for one; None for
            this host alone. It says how many Envs each host gets, so say no `envs` then.
        **kwargs: For the constructor of the Corps.

    Returns:
        The Name of the Corps, which is also a context manager.

    Raises:
        LoadError: The application could not be found or loaded, or has not exactly one Corps class.
        EnvStartError: A process did not start, or a port is taken; or a host is not reached, or its versions
            do not fit.
        CorpsStartError: The constructor raised.
        ComponentError: A component that the settings require did not start.
        ConfigError: A setting is unknown or has a bad value; or it is to be external, and has no tag.
        NameTaken: It is to be external, and another external Corps of this user has the tag on this host.
        UnsafeFile: It is to be external, and the directory of the tags could have been made by another user.
        PackError: An argument cannot be packed.
        BootError: A worker asks, or a process that it has started is importing this very application.
    """
    caller = sys._getframe(1)
    plan = _planned(source, caller, {"envs": envs, "tag": tag, "external": external}, config, hosts)
    if _is_coroutine(caller):
        return _begin(plan, args, kwargs, caller)
    return start(plan, *args, **kwargs)


@overload
async def aboot(
    source: str | Path,
    *args: Any,
    envs: int | None = None,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    hosts: "str | Path | Mapping[str, Any] | None" = None,
    **kwargs: Any,
) -> "BootedName[Any]": ...
@overload
async def aboot(source: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "BootedName[T]": ...
@overload
async def aboot(
    source: Callable[[*Ts], T],
    *args: *Ts,
    envs: int | None = None,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    hosts: "str | Path | Mapping[str, Any] | None" = None,
) -> "BootedName[T]": ...
@overload
async def aboot(
    source: type[T],
    *,
    envs: int,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    hosts: "str | Path | Mapping[str, Any] | None" = None,
    **kwargs: Any,
) -> "BootedName[T]": ...
@exported  # type: ignore[misc]  # as boot
async def aboot(
    source: Any,
    *args: Any,
    envs: int | None = None,
    tag: str | None = None,
    external: bool | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    hosts: "str | Path | Mapping[str, Any] | None" = None,
    **kwargs: Any,
) -> "BootedName[Any]":
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
        hosts: The file of the hosts over which the Corps runs.
        **kwargs: For the constructor of the Corps.

    Returns:
        The Name of the Corps, which has started.

    Raises:
        CorpsError: As `boot`.
    """
    caller = sys._getframe(1)
    plan = _planned(source, caller, {"envs": envs, "tag": tag, "external": external}, config, hosts)
    return await _begin(plan, args, kwargs, caller).arrived()


def _planned(
    source: str | Path | type,
    caller: FrameType,
    given: Mapping[str, Any],
    config: "str | Path | Mapping[str, Any] | Settings | None",
    hosts: "str | Path | Mapping[str, Any] | None",
) -> CorpsPlan:
    """Find what is to be booted, if that may be from here."""
    freeze_support()
    check_before(caller)
    found = find_source(source)
    check_source(found, caller)

    def settings() -> "LaunchSettings":
        from corps.launch.launch_settings import launch_settings

        return launch_settings(config, given, source=found)

    find_hosts = None if hosts is None else hosts_finder(hosts, given.get("envs"))
    return CorpsPlan(found, settings, executable=find_executable(config, found), find_hosts=find_hosts)


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


def _begin(
    plan: CorpsPlan, args: tuple[Any, ...], kwargs: dict[str, Any], caller: FrameType
) -> "StartingName[Any]":
    """Begin to start a Corps, and return what stands for its Name."""
    starting = StartingCorps(plan, args, kwargs).begin()
    from corps.launch.booted_name import StartingName

    return StartingName(starting, line_of(caller))


def start(plan: CorpsPlan, /, *args: Any, **kwargs: Any) -> "BootedName[Any]":
    """Start a Corps as `boot` does; the arguments are for its constructor."""
    try:
        running = start_corps(plan, args, kwargs)
    except CorpsError as error:
        # The frames of the thread that starts it tell an author nothing.
        cause = error.__cause__
        raise error.with_traceback(None) from (cause.with_traceback(None) if cause is not None else None)
    from corps.launch.booted_name import BootedName

    return BootedName(running.name, running)
