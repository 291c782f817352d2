"""`corps.boot`: from a source to a running Corps, and to its end."""

import atexit
import contextvars
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Final

from corps.clock import deadline_after, remaining
from corps.config import load_settings
from corps.errors import BootError, CorpsError, CorpsStartError, EnvStartError, RemoteError
from corps.hosting.env_process import Exit
from corps.hosting.processes import ProcessHost
from corps.hosting.runtime_dir import make_runtime_dir
from corps.launch.loading import ModuleFinder, StopLoading
from corps.launch.sources import Source, find_source
from corps.launch.transports import make_transport
from corps.managers.assembly import build_env
from corps.managers.corps_mgr import CorpsMgr
from corps.managers.membership import Membership
from corps.messages.members import Member
from corps.messages.outcomes import Raised, Refused, Value
from corps.runtime.context import Activity, current
from corps.runtime.env import Env
from corps.runtime.futures import Future
from corps.runtime.options import WorkerOptions
from corps.settings import Settings
from corps.workers.names import Name

_PRELOAD: Final = ("zmq", "msgpack", "cloudpickle", "asyncio", "corps.launch.child")


class RunningCorps:
    """A Corps that this process has booted, from its first process to its last. Any thread may call."""

    def __init__(self, source: Source, settings: Settings) -> None:
        """Start nothing yet.

        Args:
            source: What to load.
            settings: All settings.
        """
        self._source = source
        self._settings = settings
        self._corps_id = secrets.token_hex(8)
        self._env: Env | None = None
        self._membership: Membership | None = None
        self._host: ProcessHost | None = None
        self._mgr: Name[Any] | None = None
        # Held by the thread that ends the Corps, until that is done.
        self._end_lock = Lock()
        self._has_ended = False
        self.is_over = Event()
        """Set when the Corps can do nothing more: it has ended, or the Env of its Corps object has died."""
        self.failure: str | None = None
        """Why it is over, if it was not asked to end."""
        self._home = 1

    def start(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "BootedName":
        """Start the processes and the application.

        Args:
            args: For the constructor of the Corps.
            kwargs: For the constructor of the Corps.

        Returns:
            The Name of the Corps.

        Raises:
            BootError: It did not start. Nothing is left running.
            PackError: An argument cannot be packed. Nothing is left running.
        """
        try:
            return self._start(args, kwargs)
        except BaseException:
            self.end_now()
            raise

    def _start(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "BootedName":
        settings = self._settings
        runtime_dir = make_runtime_dir()
        host = ProcessHost(runtime_dir, preload=_preload(), on_exit=self._process_ended)
        self._host = host
        host.start()
        incarnation = secrets.token_hex(16)
        transport, public_key = make_transport(self._corps_id, 0, incarnation, settings, runtime_dir)
        env = build_env(
            self._corps_id,
            0,
            settings,
            transport,
            resolve_module=ModuleFinder(self._source),
            main_alias=self._source.module if self._source.is_main else None,
        )
        self._env = env
        assert env.peers is not None
        env.peers.start()
        me = Member(0, incarnation, transport.endpoint, public_key)
        order = [self._corps_id, settings.model_dump(), self._source.as_list(), runtime_dir]
        self._membership = Membership(env, me, host, order, settings.boot_timeout)
        interface = self._membership.start(settings.envs)
        cell = env.new_cell(CorpsMgr._corps_interface, WorkerOptions(tag="CorpsMgr"), None, None, None)
        cell.family.on_end = self._application_ended
        self._mgr = env.construct_here(cell, CorpsMgr, (env,), {}).result()
        name = self._start_application(args, kwargs)
        env.corps_name = name
        self._membership.tell_all("corps", list(name._addr), list(interface.as_tuple()))
        self._membership.tell_all("release")
        atexit.register(self.end)
        return BootedName(name, self, env)

    def _start_application(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Name[Any]:
        assert self._mgr is not None
        assert self._membership is not None
        try:
            name: Name[Any] = self._mgr.start_application(args, kwargs, self._settings.tag).ret
        except RemoteError as error:
            if error.type_name.endswith("PackError"):
                raise
            raise CorpsStartError(
                f"the constructor of the Corps raised {error.type_name}: {error.text}\n{error.traceback}",
                output=self._membership.output(),
            ) from error
        return name

    def _process_ended(self, ended: Exit) -> None:
        """A process has ended; in the watcher's thread."""
        membership = self._membership
        if membership is None:
            return
        reason = membership.env_ended(ended)
        if ended.env_id == self._home and not self._has_ended:
            self.failure = f"env{ended.env_id}, where the Corps itself lived, is lost: {reason}"
            self.is_over.set()

    def _application_ended(self) -> None:
        """The Corps was ended by somebody in it: the processes follow. In the thread that tells."""
        if not self._has_ended:
            self.end_soon()

    def end_soon(self) -> Future[None]:
        """End the Corps in a thread of its own.

        Returns:
            A Future, done when nothing of it is left.
        """
        ended: Future[None] = Future()

        def end() -> None:
            try:
                self.end()
            except CorpsError as error:
                ended.settle(Refused(error))
            except Exception as error:  # whoever waits must hear of it
                ended.settle(Raised.capture(error, "the end of the Corps"))
            else:
                ended.settle(Value(None))

        Thread(target=end, name="corps-end", daemon=True).start()
        return ended

    def end(self) -> None:
        """End the Corps in order: its workers, children before their Mgr, then its processes.

        Waits until nothing of it is left. Asking again waits for the same end.
        """
        with self._end_lock:
            if self._has_ended:
                return
            self._has_ended = True
            atexit.unregister(self.end)
            try:
                self._end_workers()
            finally:
                self._end_processes(self._settings.grace)
                self.is_over.set()

    def end_now(self) -> None:
        """End the Corps at once: processes are killed, no `cleanup` is called."""
        self._has_ended = True
        atexit.unregister(self.end)
        if self._host is not None:
            self._host.close(0.0)
        if self._env is not None:
            self._env.close(0.0)
        self.is_over.set()

    def _end_workers(self) -> None:
        if self._env is None or self._mgr is None:
            return
        try:
            self._env.exit(self._mgr._addr).result()
        except RemoteError:
            raise
        except CorpsError:  # what could not end in order ends with its process
            return

    def _end_processes(self, grace: float) -> None:
        env = self._env
        deadline = deadline_after(grace)
        if env is not None:
            try:
                env.exit(env.manager_addr).result(timeout=remaining(deadline))
            except CorpsError:
                pass  # as above
        if self._membership is not None:
            self._membership.stop(grace)
        elif self._host is not None:
            self._host.close(0.0)
        if env is not None:
            env.close(grace)


class BootedName(Name[Any]):
    """The Name of a Corps in the process that booted it: its end is the end of the whole Corps.

    Leaving its ``with`` block ends the Corps in order; a second Ctrl-C meanwhile ends it at once.
    """

    _running: RunningCorps
    _token: "contextvars.Token[Activity | None] | None"

    def __init__(self, name: Name[Any], running: RunningCorps, env: Env) -> None:
        """For `boot`."""
        super().__init__(name._addr, name._interface, env)
        vars(self).update(_running=running, _token=None)

    def exit(self) -> Future[None]:
        """End the Corps: its workers in order, then its processes.

        Returns:
            A Future that is done when nothing of it is left. Asking again is no error.
        """
        return self._running.end_soon()

    def __enter__(self) -> "BootedName":
        vars(self)["_token"] = current.set(Activity(self._bound()))
        return self

    def __exit__(self, *exc: object) -> None:
        if self._token is not None:
            current.reset(self._token)
            vars(self)["_token"] = None
        try:
            self._running.end()
        except KeyboardInterrupt:
            self._running.end_now()
            raise


def boot(
    source: str | Path | type,
    *args: Any,
    envs: int | None = None,
    tag: str | None = None,
    config: str | Path | Mapping[str, Any] | Settings | None = None,
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
    overrides = {key: value for key, value in (("envs", envs), ("tag", tag)) if value is not None}
    loaded = load_settings(config, directory=found.directory, environ=os.environ, overrides=overrides)
    try:
        return RunningCorps(found, loaded.settings).start(args, kwargs)
    except OSError as error:
        raise EnvStartError(f"the Corps could not be started: {error}") from error


def _preload() -> list[str]:
    """What the template imports once for all Envs."""
    try:
        import uvloop  # noqa: F401 - only to see whether it is there
    except ImportError:
        return list(_PRELOAD)
    return [*_PRELOAD, "uvloop"]
