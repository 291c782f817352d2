"""A Corps that this process runs, from its first process to its last.

One thread of its own boots it, waits until something wants its end, and ends it, in one order however many
ask for it. Python raises a KeyboardInterrupt in the main thread alone. That only waits, so the interrupt
never tears a step of the end apart.
"""

import atexit
import concurrent.futures
import os
import secrets
from threading import Thread, current_thread
from typing import Any

from corps.addresses import FRONT
from corps.errors import CorpsError, EnvStartError
from corps.launch.building import CorpsBuilder, CorpsParts, CorpsPlan
from corps.launch.corps_end import CorpsEnd
from corps.launch.loading import alias_main
from corps.launch.orderly_end import OrderlyEnd
from corps.messages.endings import Failure
from corps.messages.outcomes import Refused, Value
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import wait_all
from corps.runtime.this_process import this_process
from corps.runtime.threads.sleeping import join, result_of
from corps.runtime.threads.thread_starts import THREADS_START_AT_EXIT
from corps.workers.parameters import Parameter


class RunningCorps:
    """A Corps that this process has booted. Thread-safe."""

    def __init__(self, parts: CorpsParts, end: CorpsEnd, thread: Thread) -> None:
        """Take a Corps that has started. `thread` has booted it, and calls `live`."""
        self.name = parts.name
        self.env = parts.env
        self.is_over = end.is_over
        self.tag = parts.tag
        self._parts = parts
        self._end = end
        self._thread = thread
        self._pid = os.getpid()
        self._is_exiting = False  # the interpreter ends

    @property
    def failure(self) -> Failure | None:
        """Why the Corps object has failed, if it has, and nothing has brought it back."""
        return self._end.failure

    @property
    def comes_back(self) -> bool:
        """Whether the Corps object is to come back when its process has died."""
        restart = self._parts.restart
        return restart is not None and restart.brings_back("killed")

    def run_parameters(self) -> list[Parameter] | None:
        """Ask for the parameters of the application's method ``run``; None if it has none."""
        described = self.env.ask(CALL, self.env.manager_of(FRONT), "run_parameters", (), {}).result()
        return None if described is None else [Parameter(*fields) for fields in described]

    def end_soon(self) -> Future[None]:
        """Begin to end the Corps in order; see `BootedName.exit`. Asking again gives the same end."""
        return self._end.ask()

    def end(self, *, interrupted: bool = False) -> None:
        """End the Corps in order, and wait for that. `interrupted`: a Ctrl-C is why it ends.

        A first Ctrl-C leaves the end in order, and is raised after it; a second one ends the Corps at once.
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
        _join(self._thread)  # it has nothing left to do but to end
        if interrupt is not None:
            raise interrupt
        ended.result()

    def end_now(self) -> None:
        """End the Corps at once: its processes are killed, no `cleanup` is called there."""
        self._end.kill()
        _join(self._thread)

    def live(self, booted: "concurrent.futures.Future[RunningCorps]") -> None:
        """Hand the Corps over, wait until its end is wanted, and end it. The Corps's own thread only."""
        atexit.register(self._at_exit)
        this_process.has_opened(self.env)
        booted.set_result(self)
        self._end.is_wanted.wait()
        orderly = OrderlyEnd(self._parts, self._end, has_threads=not self._is_exiting)
        try:
            orderly.run()
        finally:
            atexit.unregister(self._at_exit)
            outcome = self._end.outcome(orderly.outcome)
            if self._parts.tag is not None:
                self._parts.tag.give_back(outcome.error if isinstance(outcome, Refused) else None)
            self._end.be_over(outcome)

    def _at_exit(self) -> None:
        """End the Corps with the interpreter, but not with that of a forked child of this process."""
        if os.getpid() == self._pid:
            self._is_exiting = True
            if not THREADS_START_AT_EXIT:
                self.env.pool.start_no_more()
            self.end()


class StartingCorps:
    """A Corps that starts; `booted` has the errors of `CorpsBuilder.build`. Thread-safe."""

    def __init__(self, plan: CorpsPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Start nothing yet. The arguments are for the constructor of the Corps."""
        self.booted: concurrent.futures.Future[RunningCorps] = concurrent.futures.Future()
        self._plan = plan
        self._corps_id = secrets.token_hex(8)
        self._end = CorpsEnd()
        name = f"corps-{self._corps_id[:6]}"
        self._thread = Thread(target=self._run, args=(args, kwargs), name=name, daemon=True)

    def begin(self) -> "StartingCorps":
        """Begin the start. Call `end_now` if it fails, or when nothing waits for it any more. Once."""
        alias_main(self._plan.source)
        self._thread.start()
        return self

    def end_soon(self) -> Future[None]:
        """Begin to end the Corps in order as soon as it has started; see `RunningCorps.end_soon`."""
        return self._end.ask()

    def end_now(self) -> None:
        """End what has started, at once, and wait until nothing of it is left."""
        self._end.kill()
        _join(self._thread)

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            parts = CorpsBuilder(self._corps_id, self._plan, self._end).build(args, kwargs)
        except BaseException as error:  # whatever it is, a thread waits for it
            self._end.be_over(Value(None))
            self.booted.set_exception(_as_corps_error(error))
            return
        RunningCorps(parts, self._end, self._thread).live(self.booted)


def start_corps(plan: CorpsPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> RunningCorps:
    """Start a Corps, and wait for that; raise as `CorpsBuilder.build`."""
    starting = StartingCorps(plan, args, kwargs)
    try:
        return result_of(starting.begin().booted)
    except BaseException:
        starting.end_now()
        raise


def _as_corps_error(error: BaseException) -> BaseException:
    if not isinstance(error, OSError) or isinstance(error, CorpsError):
        return error
    wrapped = EnvStartError(f"the Corps could not be started: {error}")
    wrapped.__cause__ = error
    return wrapped


def _join(thread: Thread) -> None:
    if thread.ident is not None and thread is not current_thread():
        join(thread)
