"""`corps.boot`: from a source to a running Corps, and to its end."""

import contextvars
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corps.errors import BootError, EnvStartError
from corps.launch.found_settings import find_settings
from corps.launch.loading import StopLoading
from corps.launch.running import RunningCorps
from corps.launch.sources import find_source
from corps.runtime.context import Activity, current
from corps.runtime.futures import Future
from corps.runtime.interrupts import Interrupts
from corps.workers.names import Name

if TYPE_CHECKING:
    from corps.settings import Settings


class BootedName(Name[Any]):
    """The Name of a Corps in the process that booted it: its end is the end of the whole Corps.

    Leaving its ``with`` block ends the Corps in order; a second Ctrl-C meanwhile ends it at once.
    """

    _running: RunningCorps
    _interrupts: Interrupts
    _token: "contextvars.Token[Activity | None] | None"

    def __init__(self, name: Name[Any], running: RunningCorps) -> None:
        """For `boot`."""
        super().__init__(name._addr, name._interface, running.env)
        vars(self).update(_running=running, _token=None, _interrupts=Interrupts())

    def exit(self) -> Future[None]:
        """End the Corps: its workers in order, then its processes.

        Returns:
            A Future that is done when nothing of it is left; fails with a RemoteError if the ``cleanup()``
            of the Corps raised. Asking again is no error.
        """
        return self._running.end_soon()

    def __enter__(self) -> "BootedName":
        vars(self)["_token"] = current.set(Activity(self._bound()))
        self._interrupts.install()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        token = self._token
        vars(self)["_token"] = None
        try:
            if token is not None:
                current.reset(token)
        finally:  # a block that was entered in another context has nothing to reset, but a Corps to end
            try:
                self._running.end(interrupted=kind is not None and issubclass(kind, KeyboardInterrupt))
            finally:
                self._interrupts.remove()


def boot(
    source: str | Path | type,
    *args: Any,
    envs: int | None = None,
    tag: str | None = None,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    **kwargs: Any,
) -> BootedName:
    """Boot a Corps: start its processes, load the application in each, and create the Corps object.

    Use it in a ``with`` statement, or call ``app.exit().ret``: that ends the Corps in order, `cleanup()` of
    every worker, children before their Mgr, then the processes. If this process dies, the Corps ends too.

    Args:
        source: ``"app.py"``, ``"app.py:Class"``, ``"package.module"``, ``"package.module:Class"``, or the
            subclass of Corps itself.
        *args: For the constructor of the Corps.
        envs: How many Envs (processes) to start; None for the setting, whose default is one per core.
        tag: The tag of the Corps.
        config: A configuration file, a mapping of settings, or Settings; None looks for ``corps.toml`` or
            ``pyproject.toml`` beside the application.
        **kwargs: For the constructor of the Corps.

    Returns:
        The Name of the Corps, which is also a context manager.

    Raises:
        LoadError: The application could not be found or loaded, or has not exactly one Corps class.
        EnvStartError: A process did not start, or a port is taken.
        CorpsStartError: The constructor raised.
        ConfigError: A setting is unknown or has a bad value.
        PackError: An argument cannot be packed.
    """
    here = current.get()
    if here is not None and here.loading:
        raise StopLoading
    if here is not None and here.cell is not None:
        raise BootError(
            "a worker cannot boot a Corps of its own: create it inside this one with corps.create(...)"
        )
    found = find_source(source)

    def settings() -> "Settings":
        return find_settings(config, {"envs": envs, "tag": tag}, directory=found.directory).settings

    return start(RunningCorps(found, settings), *args, **kwargs)


def start(running: RunningCorps, /, *args: Any, **kwargs: Any) -> BootedName:
    """Start a Corps whose source has been found.

    Args:
        running: Not started yet.
        *args: For the constructor of the Corps.
        **kwargs: For the constructor of the Corps.

    Returns:
        As `boot`.

    Raises:
        As `boot`.
    """
    try:
        return BootedName(running.start(args, kwargs), running)
    except OSError as error:
        raise EnvStartError(f"the Corps could not be started: {error}") from error
