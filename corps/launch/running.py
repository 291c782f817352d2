"""A Corps that this process runs, from its first process to its last.

One thread of its own boots it, waits until something wants its end, and ends it, in one order however many
ask for it. Python raises a KeyboardInterrupt in the main thread alone. That only waits, so the interrupt
never tears a step of the end apart.
"""

import atexit
import concurrent.futures
import os
from collections.abc import Callable

from corps.addresses import FRONT
from corps.launch.building import CorpsParts
from corps.launch.corps_end import CorpsEnd
from corps.launch.orderly_end import OrderlyEnd
from corps.messages.endings import Failure
from corps.messages.outcomes import Refused
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import wait_all
from corps.runtime.this_process import this_process
from corps.runtime.threads.thread_starts import THREADS_START_AT_EXIT
from corps.workers.parameters import Parameter


class RunningCorps:
    """A Corps that this process has booted. Thread-safe."""

    def __init__(self, parts: CorpsParts, end: CorpsEnd, join: Callable[[], None]) -> None:
        """Take a Corps that has started. `join` waits for the thread that has booted it, and calls `live`."""
        self.name = parts.name
        self.env = parts.env
        self.is_over = end.is_over
        self.tag = parts.tag
        self._parts = parts
        self._end = end
        self._join = join
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
        self._join()  # the thread has nothing left to do but to end
        if interrupt is not None:
            raise interrupt
        ended.result()

    def end_now(self) -> None:
        """End the Corps at once: its processes are killed, no `cleanup` is called there."""
        self._end.kill()
        self._join()

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
