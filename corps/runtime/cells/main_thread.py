"""The thread of a worker whose class overrides `main`: it takes its requests itself."""

import logging
from threading import Condition
from typing import TYPE_CHECKING

from corps.clock import deadline_after, remaining
from corps.errors import WorkerGone
from corps.messages.endings import BY_ITSELF, Failure
from corps.messages.outcomes import Refused
from corps.messages.requests import AHEAD, DROP, EXIT, HALT, KEEP, STILL, Request
from corps.runtime.cells import halting
from corps.runtime.cells.hooks import hook
from corps.runtime.cells.records import comes_back
from corps.runtime.context import Activity, current
from corps.runtime.threads.thread_starts import start_thread
from corps.runtime.threads.watched_thread import WatchedThread, note_failure

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_log = logging.getLogger("corps.workers")


class MainThread:
    """Runs ``main()`` of one worker. When that returns or raises, the worker ends, or is started again."""

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell
        self.arrival = Condition(cell.mailbox.lock)  # notified, under the cell's lock, when a request arrives
        # Taken, and perhaps not settled yet. Any thread may take one out, in one step of the interpreter.
        self._open: dict[Request, None] = {}
        self.exiting = False  # whether the worker was asked to end
        self._halt: Request | None = None  # the HALT that ends its `main`

    def start(self) -> None:
        """Start the thread, as soon as the system gives one. Requests wait until then."""
        env = self._cell.env
        name = f"{env.label}-main-{self._cell.addr.conc}"
        start_thread(name, lambda: WatchedThread(name, self._run, self._end_has_failed), env.alarms)

    def receive(self, timeout: float | None) -> Request | None:
        """Return the next request; None if the worker is to end, or the time was over. For its own `main`."""
        cell = self._cell
        cell.activity.end_request()  # what waits here is under no limit of a request
        for settled in [taken for taken in list(self._open) if taken.promise.done()]:
            self.forget(settled)
        until = deadline_after(timeout)
        while not self.exiting:
            with self.arrival:
                if not self.arrival.wait_for(lambda: cell.mailbox.first is not None, remaining(until)):
                    return None
                request: Request = cell.mailbox.take()
            if request.kind in (KEEP, AHEAD, DROP):
                cell.performer.perform(request)
            elif request.kind is STILL:
                cell.ending.stands_still(request)
            elif request.kind in (EXIT, HALT):
                self.exiting = True
                self._halt = request if request.kind is HALT else None
            elif cell.is_wanted(request):
                cell.activity.request = request
                cell.activity.deadline = request.deadline
                self._open[request] = None
                return request
        return None

    def handle(self, request: Request) -> None:
        """Run a request from `receive`, and settle it. For the worker's own `main`, in this thread."""
        cell = self._cell
        cell.performer.perform(request)
        if cell.activity.request is request:
            cell.activity.end_request()
        if request.promise.done():  # else a coroutine runs it
            self.forget(request)

    def forget(self, request: Request) -> None:
        """Forget a settled request, which the author's `main` may hold for longer. Thread-safe."""
        if request in self._open:
            self._open.pop(request, None)
            request.let_go()

    def _run(self) -> None:
        self._cell.context.run(self._run_main)

    def _run_main(self) -> None:
        cell = self._cell
        cell.activity = Activity(cell.env, cell)
        current.set(cell.activity)
        error: BaseException | None = None
        failure: Failure | None = None
        try:
            hook(cell.performer.worker, "main")()
        except BaseException as raised:  # what has to follow must follow, whatever its main did
            _log.exception("main() of %s raised", cell)
            error, failure = raised, halting.failure_of("main()", raised)
        else:
            if not self.exiting:
                failure = BY_ITSELF
        cell.activity.end_request()
        self.abandon(cell.gone("unknown"))
        if (
            self._halt is None
            and failure is not None
            and not self.exiting
            and comes_back(cell.record, failure)
        ):
            self._halt = halting.order(cell, failure, error)
        if self._halt is None or halting.stop(cell, self._halt):
            cell.ending.finish(failure if failure is not None and failure.reason != "normal" else None)

    def _end_has_failed(self, name: str, error: BaseException) -> None:
        """End the worker all the same: what follows on `main` has raised."""
        note_failure(name, error)
        self._cell.ending.finish(halting.failure_of("the end of main()", error))

    def abandon(self, error: WorkerGone) -> None:
        """Settle what was taken and not answered. Thread-safe."""
        for request in list(self._open):
            request.settle(Refused(error))
