"""A Corps that this process runs, from its first process to its last.

One thread of its own boots it, waits until somebody wants it to end, and ends it, in this order whoever
asks and however often. A KeyboardInterrupt, which comes to the main thread alone, so never tears a step of
it apart: the main thread only waits. A second thread follows the ends of processes, because telling of a
lost Env runs callbacks of the application and may block, and the thread that reports ends must not.

The end, in order: nothing more is accepted, and what was asked is finished; the workers that the script
created, the class that came last first; the application, its children first; the CorpsMgr; the processes;
the links and threads of this process.
"""

import atexit
import concurrent.futures
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from queue import SimpleQueue
from threading import Event, Lock, Thread, current_thread
from typing import TYPE_CHECKING, Any, Final

from corps.addresses import BOOT_ENV, ENV_MGR, FRONT, env_label
from corps.clock import now
from corps.errors import (
    BootError,
    ConfigError,
    CorpsLost,
    EnvStartError,
    RestartLimit,
    SupervisionError,
    WaitTimeout,
)
from corps.launch.application import create_application, end_worker, end_workers
from corps.launch.loading import alias_main
from corps.launch.patience import Patience
from corps.launch.phases import Phase, run_phases
from corps.launch.sources import Source
from corps.launch.starting import start_env
from corps.launchers.launcher import Exit
from corps.launchers.local.launcher import LocalLauncher
from corps.launchers.local.processes import ProcessHost
from corps.launchers.local.runtime_dir import make_runtime_dir
from corps.managers.assembly import env_options
from corps.managers.corps_mgr import CorpsMgr
from corps.membership.membership import Membership
from corps.membership.orders import CorpsCreated, ReleaseOutput, Start
from corps.membership.vitals import Vitals
from corps.messages.endings import Failure
from corps.messages.outcomes import Outcome, Refused, Value
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future
from corps.runtime.calls.travelling import Travels
from corps.runtime.calls.waiting import wait_all, wait_any
from corps.runtime.calls.winding_down import hear_last_words, still
from corps.runtime.cells.cell import Cell
from corps.runtime.cells.constructing import construct_here
from corps.runtime.cells.records import Application, Record
from corps.runtime.env import Env
from corps.runtime.options import WorkerOptions
from corps.runtime.this_process import this_process
from corps.runtime.threads.thread_starts import THREADS_START_AT_EXIT
from corps.runtime.threads.watched_thread import WatchedThread, note_failure
from corps.supervision.restarts import Restart
from corps.workers.names import Name
from corps.workers.parameters import Parameter, read_assignments

if TYPE_CHECKING:
    from corps.settings import Settings

_log = logging.getLogger("corps.launch")

_LAST_REPORTS: Final = 1.0  # seconds for reports of processes that end last

_PRELOAD: Final = ("zmq", "msgpack", "cloudpickle", "asyncio", "corps.launch.child")


def _as_corps_error(error: BaseException) -> BaseException:
    if not isinstance(error, OSError):
        return error
    told = EnvStartError(f"the Corps could not be started: {error}")
    told.__cause__ = error
    return told


class RunningCorps:
    """A Corps that this process has booted. Any thread may call."""

    def __init__(
        self,
        source: Source,
        find_settings: "Callable[[], Settings]",
        *,
        executable: str | None = None,
        of_command: Mapping[str, str] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            source: What to load.
            find_settings: Gives all settings. Called once by `start`, in the Corps's own thread, while the
                template imports; what it raises is raised there.
            executable: The Python interpreter of its processes; None for that of this one.
            of_command: It is the program of a command: the front reads the stdin of this process, and these
                are texts for arguments of the constructor, by their names.
        """
        self._executable = executable
        self._of_command = of_command
        self._source = source
        self._find_settings = find_settings
        self._corps_id = secrets.token_hex(8)
        self._pid = os.getpid()
        # Made by the Corps's own thread, in this order; None until then.
        self._host: ProcessHost | None = None
        self._env: Env | None = None
        self._membership: Membership | None = None
        self._mgr: Cell | None = None
        self._name: Name[Any] | None = None
        self._exits: SimpleQueue[Exit | None] = SimpleQueue()
        self._follower = WatchedThread("corps-exits", self._follow, self._thread_failed)
        self._thread: Thread | None = None
        self._is_end_wanted = Event()
        self._hurry: Future[None] = Future()  # settled: do not wait for workers any more
        self._is_exiting = False  # the interpreter ends
        self._comes_back = False  # the Corps object, after its process has died
        self._is_stopping = False  # processes end because they were told to
        self._lock = Lock()  # protects _asked, _has_ended and _error
        self._asked: list[Future[None]] = []
        self._has_ended = False
        self._error: SupervisionError | None = None
        self._outcome: Outcome = Value(None)  # how the Corps object ended
        self._finish_timeout = 0.0
        self._patience: Patience | None = None  # from when the end begins
        self.is_over = Event()
        """Set when it has ended."""

    # --- from the start to the end ---

    def start(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Name[Any]:
        """Start the processes and the application; once.

        Args:
            args: For the constructor of the Corps.
            kwargs: For the constructor of the Corps.

        Returns:
            The Name of the Corps.

        Raises:
            BootError: It did not start. Nothing is left running, in this case and all others.
            ConfigError: From finding the settings.
            PackError: An argument cannot be packed.
        """
        try:
            return self.begin(args, kwargs).result()
        except BaseException:
            self.end_now()
            raise

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "concurrent.futures.Future[Name[Any]]":
        """Begin to start it; once. Call `end_now` if what is returned fails, or nobody waits for it any more.

        Args:
            args: For the constructor of the Corps.
            kwargs: For the constructor of the Corps.

        Returns:
            A Future of the Name of the Corps, with the errors of `start`.
        """
        alias_main(self._source)
        booted: concurrent.futures.Future[Name[Any]] = concurrent.futures.Future()
        self._thread = Thread(
            target=self._live, args=(booted, args, kwargs), name=f"corps-{self._corps_id[:6]}", daemon=True
        )
        self._thread.start()
        return booted

    @property
    def env(self) -> Env:
        """The Env of this process. After `start`."""
        assert self._env is not None
        return self._env

    def run_parameters(self) -> list[Parameter] | None:
        """The parameters of the application's method ``run``; None if it has none. After `start`."""
        described = self.env.ask(CALL, self.env.manager_of(FRONT), "run_parameters", (), {}).result()
        return None if described is None else [Parameter(*fields) for fields in described]

    def end_soon(self) -> Future[None]:
        """Begin to end the Corps in order.

        Returns:
            A Future, done when nothing of it is left; fails with a RemoteError if the ``cleanup()`` of the
            Corps raised. Asking again asks for the same end.
        """
        ended: Future[None] = Future()
        with self._lock:
            over = self._has_ended
            if not over:
                self._asked.append(ended)
        if over:
            ended.settle(self._how_it_ended(Value(None)))
        self._is_end_wanted.set()
        return ended

    def end(self, *, interrupted: bool = False) -> None:
        """End the Corps in order, and wait until nothing of it is left.

        A first Ctrl-C leaves the end in order, and is raised after it; a second one ends the Corps at once.

        Args:
            interrupted: A Ctrl-C is why it ends.

        Raises:
            RemoteError: The ``cleanup()`` of the Corps raised.
            KeyboardInterrupt: One came meanwhile.
        """
        ended = self.end_soon()
        interrupt: KeyboardInterrupt | None = None
        while not ended.done():
            try:
                wait_all([ended])
            except KeyboardInterrupt as error:
                if interrupted:
                    self.end_now()
                    raise
                interrupted, interrupt = True, error
        self._join()  # it has nothing left to do but to end
        if interrupt is not None:
            raise interrupt
        ended.result()

    def end_now(self) -> None:
        """End the Corps at once: its processes are killed, no `cleanup` is called there."""
        self._hurry.settle(Value(None))
        self._is_end_wanted.set()
        if self._membership is not None:
            self._membership.replace_no_more()
        # Either we see the host here, or the thread that has made it sees that there is a hurry.
        if self._host is not None:
            self._host.close(0.0)
        self._join()

    def _join(self) -> None:
        thread = self._thread
        if thread is not None and thread.ident is not None and thread is not current_thread():
            thread.join()

    def _at_exit(self) -> None:
        """The interpreter ends. A forked child of this process is none of the Corps's business."""
        if os.getpid() == self._pid:
            self._is_exiting = True
            if self._env is not None and not THREADS_START_AT_EXIT:
                self._env.pool.start_no_more()
            self.end()

    # --- the Corps's own thread ---

    def _live(
        self, booted: "concurrent.futures.Future[Name[Any]]", args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        try:
            name = self._boot(args, kwargs)
        except BaseException as error:  # whatever it is, `start` is waiting for it
            try:
                self._end_processes()
            finally:
                if isinstance(error, BootError) and not error.output and self._membership is not None:
                    error.output = self._membership.output()  # only now is it complete
                self._be_over(Value(None))
                booted.set_exception(_as_corps_error(error))
            return
        atexit.register(self._at_exit)
        this_process.has_opened(self.env)
        booted.set_result(name)
        self._is_end_wanted.wait()
        assert self._membership is not None
        patience = self._patience = Patience(
            self.env,
            self._membership.places,
            self._hurry,
            self.env.options.shutdown_timeout,
            has_threads=not self._is_exiting,
        )
        try:
            run_phases(
                [
                    Phase("stop accepting", self._stop_accepting),
                    Phase("finish requests", lambda: self._finish_requests(patience)),
                    Phase("stand still", lambda: self._stand_still(patience)),
                    Phase("stop Concs", lambda: self._end_workers(name, patience)),
                    Phase("stop Envs", self._end_processes),
                ]
            )
        finally:
            atexit.unregister(self._at_exit)
            self._be_over(self._how_it_ended(self._outcome))

    def _stop_accepting(self) -> None:
        """Take nothing more from outside, and start no process any more."""
        if self._membership is not None:
            self._membership.replace_no_more()
        self.env.accept_no_more()

    def _finish_requests(self, patience: Patience) -> None:
        """Have what the script has asked answered, if it wants that, and that does not take too long."""
        limit = patience.left(self._finish_timeout)
        if self._error is not None or not limit:
            return
        try:
            wait_any([self.env.when_answered(), self._hurry], limit)
        except WaitTimeout:
            _log.debug("the Corps ends, though not all its requests were answered within %s s", limit)

    def _stand_still(self, patience: Patience) -> None:
        """Let nothing begin any more, in any worker of any Env, but for what a `cleanup()` asks of others."""
        assert self._membership is not None
        for what, here in (("still", still), ("hear_last_words", hear_last_words)):
            env_ids = [place.process.env_id for place in self._membership.places()]
            asked = [self.env.ask_manager(each, what) for each in env_ids] if not patience.is_over else []
            for answer in (*here(self.env), *asked):
                patience.wait(answer)

    def _limit_passed(self, failure: Failure) -> None:
        """A restart limit was passed, and nobody could heal it. Any thread."""
        self._fail(RestartLimit(f"{failure.text}\n{failure.traceback}".rstrip()))

    def _fail(self, error: SupervisionError) -> None:
        """The Corps cannot go on, and ends. Any thread."""
        with self._lock:
            self._error = self._error or error
        self._is_end_wanted.set()

    def _thread_failed(self, name: str, error: BaseException) -> None:
        note_failure(name, error)
        self._fail_at_once(f"the Corps cannot go on, because its thread {name} has ended: {error!r}")

    def _fail_at_once(self, text: str) -> None:
        """Without one of its threads the Corps cannot even end in order."""
        self._hurry.settle(Value(None))
        self._fail(SupervisionError(text))

    def _how_it_ended(self, outcome: Outcome) -> Outcome:
        return outcome if self._error is None else Refused(self._error)

    def _application_ended(self) -> None:
        """Begin the end: the Corps object has ended, and nothing brings it back."""
        self._is_end_wanted.set()

    def _be_over(self, outcome: Outcome) -> None:
        with self._lock:
            self._has_ended = True
            asked, self._asked = self._asked, []
        self.is_over.set()
        for ended in asked:
            ended.settle(outcome)

    def _boot(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Name[Any]:
        began = now()
        host = self._host = ProcessHost(
            make_runtime_dir(),
            preload=_PRELOAD,
            on_exit=self._exits.put,
            executable=self._executable,
            stdin_env=None if self._of_command is None else FRONT,
        )
        if self._hurry.done():
            host.close(0.0)
        host.launch()
        # While the template imports, which takes longer than all three.
        from corps.launch import child

        settings = self._find_settings()
        options = env_options(settings)
        self._finish_timeout = settings.finish_timeout
        env, me = start_env(self._corps_id, BOOT_ENV, options, self._source, host.runtime_dir)
        self._env = env
        env.on_defect = self._fail_at_once
        env.attend()
        until = began + settings.boot_timeout
        host.start_timeout = settings.boot_timeout
        host.wait_ready(max(0.0, until - now()))
        order = Start(
            self._corps_id, asdict(options), self._source.as_list(), os.fsencode(host.runtime_dir), 0
        )
        restart = Restart(max=settings.env_restart.max, within=settings.env_restart.within)
        membership = self._membership = Membership(
            env,
            me,
            LocalLauncher(host, child.main),
            order,
            boot_timeout=settings.boot_timeout,
            restart=restart,
            vitals=Vitals(settings.beat.every, settings.beat.suspect, settings.beat.dead),
            on_limit=self._fail,
        )
        interface, app_restart, travels = membership.start(settings.envs, until)
        env.travels = Travels(places=travels) if travels else None
        # Not before: until here an end is seen by who waits for the process, and then everybody is known.
        self._follower.start()
        env.others.on_unreachable = lambda env_id, generation, reason: membership.cannot_reach(
            (env_id, generation), (BOOT_ENV, 0), reason
        )
        manager = Record(CorpsMgr, (env, membership), {}, WorkerOptions("CorpsMgr"))
        self._mgr = env.lives.new_cell(manager)
        self._mgr.family.on_end = self._application_ended
        env.lives.on_limit = self._limit_passed
        construct_here(self._mgr, manager).result()
        kwargs = {**kwargs, **self._read_arguments(env)}
        application = Record(Application, args, kwargs, WorkerOptions(settings.tag, restart=app_restart))
        self._comes_back = app_restart is not None and app_restart.brings_back("killed")
        name = self._name = create_application(env, self._mgr, application)
        # From here on its end is told. It may have ended before, if its constructor asked for that.
        alive = env.ask(CALL, env.manager_of(FRONT), "has_worker", (name._addr,), {})
        alive.when_settled(self._note_whether_alive)
        env.corps_name = name
        membership.tell_all(CorpsCreated(name._addr, interface))
        membership.tell_all(ReleaseOutput())
        # While the interpreter ends no thread can be started any more (3.12): have a worker thread, and the
        # loop on which the ends of workers are told, before that.
        env.ask(CALL, env.manager_of(env.id), "statistics", (), {}).result()
        return name

    def _read_arguments(self, env: Env) -> dict[str, Any]:
        """The arguments of the constructor that the command line has."""
        if self._of_command is None:
            return {}
        described = env.ask(CALL, env.manager_of(FRONT), "init_parameters", (), {}).result()
        try:
            return read_assignments([Parameter(*fields) for fields in described], self._of_command)
        except ValueError as error:
            raise ConfigError(f"the constructor of the Corps (--init): {error}") from error

    def _note_whether_alive(self, alive: Future[bool]) -> None:
        if alive.failure() is None and not alive.result():
            self._is_end_wanted.set()

    def _end_workers(self, name: Name[Any], patience: Patience) -> None:
        """End those that the script created; the application, its children first; the others.

        These are what plain threads of Envs created, and the CorpsMgr.
        """
        assert self._env is not None
        assert self._mgr is not None
        manager = self._env.registry.find(ENV_MGR)
        for turn in manager.family.close_in_turns() if manager is not None else ():
            end_workers(self._env, turn, patience)
        self._outcome = end_worker(self._env, name._addr, patience)
        assert self._membership is not None
        there = [place.process.env_id for place in self._membership.places()]
        if FRONT in there and not patience.is_over:  # the report of its failure may be slower than its end
            told = self._env.ask(CALL, self._env.manager_of(FRONT), "has_told", (BOOT_ENV,), {})
            with suppress(WaitTimeout):
                wait_any([told, self._hurry], patience.left(self._env.options.grace))
        if not patience.is_over:
            for ended in [self._env.ask_manager(env_id, "end_children") for env_id in there]:
                patience.wait(ended)
        for addr in (self._mgr.addr, self._env.manager_of(self._env.id)):
            end_worker(self._env, addr, patience)

    def _end_processes(self) -> None:
        """What is there of processes, threads and links ends; after a failed boot that may be a part only."""
        self._is_stopping = True
        grace = 0.0
        if self._env is not None and self._mgr is not None and not self._hurry.done():
            grace = self._env.options.grace
        if self._patience is not None:
            grace = self._patience.left(grace)
        if self._membership is not None:
            self._membership.stop(grace or None)
        if self._name is None:  # there is nobody to be waited for
            grace = 0.0
        if self._host is not None:
            self._host.close(0.0)
        if self._follower.ident is not None:
            self._exits.put(None)
            # With a limit, for it may run a callback of the application that waits for this very end.
            self._follower.join(max(grace, _LAST_REPORTS))
        if self._env is not None:
            late = self._env.close(grace)
            if late and not self._hurry.done():
                _log.warning("threads of this process are still busy in workers: %s", ", ".join(late))

    # --- the thread that follows the ends of processes ---

    def _has_killed(self, env_id: int) -> bool:
        return self._patience is not None and env_id in self._patience.killed

    def _follow(self) -> None:
        while (ended := self._exits.get()) is not None:
            assert self._membership is not None
            failure = self._membership.failure_of(ended)
            if failure is None:
                continue
            if (
                ended.env_id == FRONT
                and not self._is_stopping
                and not self._comes_back
                and not self._has_killed(FRONT)
            ):
                self._fail(_lost(failure, is_ending=self._is_end_wanted.is_set()))
            try:
                self._membership.env_ended(ended, failure)
            except BaseException:  # the end of the next process must be followed too
                _log.exception("the end of %s was not passed on; please report it", env_label(ended.env_id))
                continue
            if self._is_stopping or failure.reason == "shutdown":
                continue
            _log.warning("%s is lost: %s", env_label(ended.env_id), failure.text)


def _lost(failure: Failure, *, is_ending: bool) -> CorpsLost:
    """The error for a front that died, where nothing brings the Corps object back."""
    if is_ending:
        return CorpsLost(
            f"the Corps object was lost with its Env, the front, while the Corps ended: {failure.text}"
        )
    return CorpsLost(
        f"the Corps object is lost with its Env, the front: {failure.text}; it comes back if its class "
        "declares that: restart = corps.Restart()"
    )
