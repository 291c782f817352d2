"""`corps.env`: one Env inside this process, for plain scripts and for tests."""

import asyncio
import atexit
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack

from corps.addresses import ENV_MGR
from corps.clock import now
from corps.errors import ClosedError, ConfigError, RestartLimit, SupervisionError
from corps.exporting import exported
from corps.launch.autoloading import Autoloading
from corps.launch.ending_alone import end_alone
from corps.launch.interrupted import is_interrupt
from corps.launch.launch_settings import launch_settings
from corps.launch.surroundings import labels_of
from corps.managers.assembly import build_env
from corps.managers.components import Component
from corps.messages.endings import Failure
from corps.messages.env_event import EnvEvent
from corps.messages.requests import EXIT_NOW
from corps.runtime.calls.travelling import fault_of
from corps.runtime.context import Block, current
from corps.runtime.env import Env
from corps.runtime.options import WhenFull
from corps.runtime.this_process import this_process
from corps.runtime.threads.sleeping import result_of
from corps.runtime.threads.thread_starts import THREADS_START_AT_EXIT
from corps.services.dirs.handle import DirHandle
from corps.workers.dead_letters import DeadLetters
from corps.workers.env_events import EnvEvents
from corps.workers.factory import Chosen, Options
from corps.workers.names import Name
from corps.workers.news import News
from corps.workers.placement import with_label

if TYPE_CHECKING:
    from corps.settings import Settings

T = TypeVar("T")
P = ParamSpec("P")


class _Nothing:
    """Work for a pool that does nothing."""

    def run(self) -> None:
        """See `Runnable.run`."""


@exported
class LocalEnv(DirHandle):
    """One Env in this process. Any thread may use it; leaving its ``with`` block, from anywhere, ends it.

    In a coroutine ``async with`` ends it without blocking the event loop.
    """

    def __init__(self, env: Env) -> None:
        """Serve `env`."""
        self._env = env
        self._plain = Options(_of=env)  # made once: 2 µs of each creation
        self._error: SupervisionError | None = None
        env.lives.on_limit = self._limit_passed
        env.on_defect = lambda text: self._fail(SupervisionError(text), EXIT_NOW)
        self._blocks: list[Block] = []
        env.attend()
        this_process.has_opened(env)
        env.parts.tell(lambda part: part.corps_runs())
        self._pid = os.getpid()
        atexit.register(self._at_exit)
        if not THREADS_START_AT_EXIT:
            env.pool.submit(_Nothing())
            env.alarms.at(now(), lambda: None)

    def create(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Name[T]:
        """Create a worker here; see `corps.create`."""
        self._check_open()
        return self._plain.create(cls, *args, **kwargs)

    def create_funcs(
        self, /, *functions: Callable[..., Any] | ModuleType, **named: Callable[..., Any]
    ) -> Name[Any]:
        """Create a worker that is a set of functions; see `corps.create_funcs`."""
        self._check_open()
        return self._plain.create_funcs(*functions, **named)

    def singleton(self, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Name[T]:
        """Return the only worker of a class, created first if it is not there; see `corps.singleton`."""
        self._check_open()
        return self._plain.singleton(cls, *args, **kwargs)

    def options(
        self,
        *,
        deadline: float | None = None,
        when_full: WhenFull | None = None,
        **chosen: Unpack[Chosen],
    ) -> Options:
        """Say how workers are to be created here; see `corps.options`."""
        self._check_open()
        return replace(Options(deadline=deadline, when_full=when_full, **chosen).checked(), _of=self._env)

    def _check_open(self) -> None:
        if self._env.closed:
            raise ClosedError("this Env has been closed: it can create no more workers")

    def envs(self, label: str | None = None) -> list[int]:
        """List the Envs in which workers can be created: this one. See `corps.envs`."""
        return with_label(self._env, self._env.worker_envs, label)

    def _dirs_of(self) -> Env:
        self._check_open()
        return self._env

    def dead_letters(self) -> DeadLetters:
        """Give the messages that did not arrive here; see `corps.dead_letters`."""
        return DeadLetters.of(self._env, "here")

    def env_events(self) -> News[EnvEvent]:
        """Hear of the Envs of this Corps from now on; see `corps.env_events`."""
        return self._env.parts.get(EnvEvents).listen()

    def statistics(self) -> dict[str, Any]:
        """Tell what goes on here, and what went wrong so far.

        Returns:
            ``workers`` is their number, the runtime's own among them. ``threads`` tells of worker threads,
            ``peers`` of requests under way between Envs. ``refused`` counts refusals by kind (see
            `corps.Refusal`), and ``dead_letters`` those by reason.
            ``supervision`` holds, for the ``workers`` of the Env and the ``envs`` that its process has
            started: ``ends`` by reason (see `corps.Ended`), ``failures`` and ``restarts``, the same
            ``by_name`` of those that failed last, and two times, each with ``count``, ``total`` and ``max``
            in seconds. ``detection``: from the failure until the Mgr knows. ``recovery``: from
            the failure until it works again. Both are counted in the Env of a worker's Mgr, all else in the
            worker's own.
        """
        return self._env.statistics()

    def _limit_passed(self, failure: Failure) -> None:
        """Hear that a restart limit was exceeded, and no Mgr could heal it. Thread-safe."""
        self._fail(RestartLimit(f"{failure.text}\n{failure.traceback}".rstrip()))

    def _fail(self, error: SupervisionError, how: str = "exit") -> None:
        """End all workers, because this Env cannot go on. Thread-safe."""
        self._error = self._error or error
        token = current.set(None)  # the worker whose thread reports it may not ask for that
        try:
            self._env.exit(self._env.manager_of(self._env.id), how)
        finally:
            current.reset(token)

    def close(self) -> None:
        """End the workers in order, children before their Mgr, then the threads. Idempotent.

        A first Ctrl-C leaves the end in order, and is raised after it; a second one ends it at once. A worker
        that does not end in time is left behind, because a thread cannot be ended from outside; the log names
        it.

        Raises:
            RestartLimit: A worker that was created here failed more often than its policy allows. Then all
                workers have ended already.
            SupervisionError: A thread of the Env has ended, so that it could not go on; the same.
            KeyboardInterrupt: One came meanwhile.
        """
        self._close(interrupted=False)

    def _close(self, *, interrupted: bool) -> None:
        atexit.unregister(self._at_exit)
        if not self._env.closed:
            end_alone(self._env, interrupted=interrupted)
        if self._error is not None:
            raise self._error

    def _at_exit(self) -> None:
        """End with the interpreter, but not with that of a forked child of this process."""
        if os.getpid() == self._pid:
            if not THREADS_START_AT_EXIT:
                self._env.pool.start_no_more()
            self.close()

    def __enter__(self) -> "LocalEnv":
        self._blocks.append(Block(self._env))
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        try:
            self._close(interrupted=is_interrupt(kind))
        finally:
            self._leave()

    async def __aenter__(self) -> "LocalEnv":
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        try:
            await asyncio.to_thread(self.close)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._blocks:
            self._blocks.pop().leave()


@exported
def env(
    threads: int | None = None,
    *,
    config: "str | Path | Mapping[str, Any] | Settings | None" = None,
    travels: tuple[ContextVar[Any], ...] = (),
) -> LocalEnv:
    """Start an Env inside this process: workers without child processes.

    Args:
        threads: How many worker threads may run at once; None for the setting `threads.max`.
        config: A configuration file, a mapping of settings, or Settings.
        travels: The context variables whose values travel with each request; see `corps.Corps`.

    Returns:
        The Env, which is also a context manager: ``with corps.env() as env: env.create(Counter)``.

    Raises:
        ConfigError: A setting is unknown or has a bad value, or `travels` has.
        ComponentError: A component that the settings require did not start.
    """
    if fault := fault_of(travels):
        raise ConfigError(f"corps.env got travels={travels!r:.200}: {fault}")
    settings = launch_settings(config, {"threads.max": threads})
    local = LocalEnv(build_env(secrets.token_hex(8), 0, settings.options, travels=travels))
    # It is alone, so it is where each Env would be.
    local._env.labels = {0: frozenset().union(*labels_of(settings.of_envs).values())}
    if settings.components:
        try:
            _start_components(local._env, settings.components, now() + settings.boot_timeout)
        except BaseException:
            local.close()
            raise
    return local


def _start_components(env: Env, components: Sequence[Component], until: float) -> None:
    """Start components, in a thread that may wait for them. What they raise is raised."""
    from concurrent.futures import ThreadPoolExecutor

    mgr = env.registry.find(ENV_MGR)
    assert mgr is not None
    autoloading = Autoloading(env, mgr, env.id, [env.id], lambda _: None)
    with ThreadPoolExecutor(1, "corps-components") as thread:
        result_of(thread.submit(autoloading.start, components, until))
