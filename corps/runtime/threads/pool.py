"""The worker threads of one Env: few while they are enough, more when they are held up.

A thread that waits inside corps does not count against the maximum, so threads that all wait for each other's
answers never stall the pool. At most one thread is on its way to work at any time: it is woken (or started),
takes a cell, and wakes the next one if there is more to do.
"""

import logging
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread, current_thread, get_ident
from typing import Protocol

from corps.core import Lock, native
from corps.reserve import FIRST_PAUSE, longer
from corps.runtime.threads.gates import Gate, look_time
from corps.runtime.threads.sleeping import join
from corps.runtime.threads.thread_starts import NO_THREAD
from corps.runtime.threads.watched_thread import Failed, WatchedThread, note_failure

_log = logging.getLogger("corps.pool")


class Runnable(Protocol):
    """What the pool runs."""

    def run(self) -> None:
        """Do what there is to do. It does not raise."""


@native
class WorkerPool:
    """The worker threads of one Env. Thread-safe; its own threads alone say that they block."""

    def __init__(
        self,
        name: str,
        *,
        least: int,
        most: int,
        idle: float,
        spin: float = 0.0,
        failed: Failed = note_failure,
    ) -> None:
        self._name = name
        self._least = least  # threads that are kept when idle
        self._most = most  # that may run at the same time, not counting those that wait inside corps
        self._idle_time = idle  # seconds after which an idle thread above `least` ends
        self._spin = look_time(
            spin
        )  # of the native core alone: seconds for which threads look at their gates
        self._failed = failed
        self.rest: Callable[[Gate, float], bool] = Gate.sleep
        """Has an idle thread wait at its gate for so many seconds; returns whether that was opened."""
        self.later: Callable[[float, Callable[[], object]], object] = lambda seconds, function: None
        """Calls a function after so many seconds."""
        # Protects everything below. No cell runs and no thread starts while it is held.
        self._lock = Lock()
        self._ready: deque[Runnable] = deque()
        self._idle: dict[int, Gate] = {}  # by the ident of the thread; the last to be idle comes last
        self._threads: set[Thread] = set()
        self._total = 0
        self._blocked = 0
        self._coming = False  # a thread was woken or started and has not looked for work yet
        self._taken = 0  # cells that threads have taken from the queue
        self._stall = -1, 0.0  # what `stalled` saw last: how many had been taken, and since when
        self._stalled = 0.0
        self._closing = False
        self._starts_no_more = False
        self._serial = 0
        self._pause = FIRST_PAUSE / 2  # seconds before the last further try to start a thread
        self._all_gone = Condition(self._lock)

    def submit(self, cell: Runnable) -> None:
        """Have a thread run the cell soon."""
        with self._lock:
            self._ready.append(cell)
            wake = self._next_thread()
        if wake is not None:
            wake()

    def run_here(self, cell: Runnable) -> None:
        """Run a cell in the calling thread, as one of the pool; in one of the pool's if no more may run."""
        with self._lock:
            joins = self._may_one_more_run()
            self._total += joins
        if not joins:
            self.submit(cell)
            return
        try:
            self._run(cell)
        finally:
            with self._lock:
                self._total -= 1
                wake = self._next_thread()
                if self._closing:
                    self._all_gone.notify_all()
            if wake is not None:
                wake()

    def have_a_thread(self) -> None:
        """Start a thread if there is none, so that one is idle. If that failed, the next work tries again."""
        with self._lock:
            start = None if self._threads or self._pause >= FIRST_PAUSE else self._new_thread()
        if start is not None:
            start()

    def enter_blocked(self) -> None:
        """Note that the calling thread is about to wait for something that another one may have to do."""
        with self._lock:
            self._blocked += 1
            wake = self._next_thread() if self._ready else None
        if wake is not None:
            wake()
        while self._starts_no_more and (cell := self._take()) is not None:
            self._run(cell)

    def _take(self) -> Runnable | None:
        with self._lock:
            self._taken += bool(self._ready)
            return self._ready.popleft() if self._ready else None

    def start_no_more(self) -> None:
        """Start no thread from now on; a thread that is about to wait runs first what is ready."""
        # It might wait for just that. For the end of the interpreter.
        with self._lock:
            self._starts_no_more = True

    def leave_blocked(self) -> None:
        """Note that the calling thread goes on."""
        with self._lock:
            self._blocked -= 1

    def stalled(self, at: float) -> float:
        """Return for how many seconds work has waited that no thread takes, although one more may run."""
        # That should never be. The time counts from the first call that saw it; it is in the statistics, too.
        with self._lock:
            may_run = self._may_one_more_run()
            if self._closing or not self._ready or not may_run or self._taken != self._stall[0]:
                self._stall = self._taken, at
            self._stalled = at - self._stall[1]
            return self._stalled

    def statistics(self) -> dict[str, float]:
        """Return how many threads there are, wait inside corps or are idle; what is ready, and `stalled`."""
        with self._lock:
            return {
                "threads": self._total,
                "blocked": self._blocked,
                "idle": len(self._idle),
                "ready": len(self._ready),
                "stalled": self._stalled,
            }

    def close(self, timeout: float) -> list[str]:
        """End the threads once they have nothing to run; return the names of those that stay busy."""
        with self._lock:
            self._closing = True
            idle, self._idle = self._idle, {}
            threads, busy = list(self._threads), self._total - len(idle)
        for gate in idle.values():
            gate.open()
        with self._all_gone:
            self._all_gone.wait_for(lambda: self._total <= busy)  # the idle ones need no time limit
            self._all_gone.wait_for(lambda: self._total == 0, timeout)
            late = set(self._threads)
        for thread in threads:
            if thread not in late:
                join(thread)
        return sorted(thread.name for thread in late)

    def _may_one_more_run(self) -> bool:
        return self._total - self._blocked - len(self._idle) < self._most

    def _next_thread(self) -> Callable[[], object] | None:
        """Return what sends a thread to work, called without the lock; or None. Caller holds the lock."""
        if self._coming or not self._ready:
            return None
        if not self._may_one_more_run():
            return None
        if self._idle:
            # First the calling thread itself, if it is idle: it has just read what is to be done.
            gate = self._idle.pop(get_ident(), None) or self._idle.popitem()[1]
            self._coming = True  # not before: without memory for the pair no thread comes
            return gate.open
        return self._new_thread()

    def _new_thread(self) -> Callable[[], object] | None:
        """Return what starts a thread, called without the lock. Caller holds the lock."""
        # Not while closing: every mailbox is closed then.
        if not self._closing and not self._starts_no_more:
            thread = WatchedThread(f"{self._name}-{self._serial + 1}", self._work, self._failed)
            self._threads.add(thread)
            self._coming = True
            self._total += 1
            self._serial += 1
            return lambda: self._start(thread)
        return None

    def _start(self, thread: Thread) -> None:
        try:
            thread.start()
        except NO_THREAD as error:
            with self._lock:
                self._coming = False
                self._total -= 1
                self._threads.discard(thread)
                self._pause = pause = longer(self._pause)
            text = "worker thread %s could not be started, and is tried again in %s s: %s"
            _log.warning(text, thread.name, pause, error)
            self.later(pause, self._try_again)
        else:
            self._pause = FIRST_PAUSE / 2

    def _try_again(self) -> None:
        """Send a thread to what still waits."""
        with self._lock:
            wake = self._next_thread()
        if wake is not None:
            wake()

    def _work(self) -> None:
        is_sent_for = True
        while True:
            cell, wake, gate = self._next_step(is_sent_for=is_sent_for)
            is_sent_for = False
            if cell is not None:
                if wake is not None:
                    self._send_for(wake)
                self._run(cell)
                del cell  # else what it holds would live while this thread is idle
            elif gate is None or not self._wait_at(gate):
                return
            else:
                is_sent_for = True

    def _next_step(
        self, *, is_sent_for: bool
    ) -> tuple[Runnable | None, Callable[[], object] | None, Gate | None]:
        """Return what the calling thread does next: run a cell, wait at a gate, or end."""
        # With a cell: what sends another thread to work, if there is more to do.
        with self._lock:
            if is_sent_for:
                self._coming = False
            if self._ready:
                self._taken += 1
                return self._ready.popleft(), self._next_thread(), None
            if self._closing:
                self._gone()
                return None, None, None
            self._idle[get_ident()] = gate = Gate()
            return None, None, gate

    def _send_for(self, wake: Callable[[], object]) -> None:
        try:
            wake()
        except BaseException:  # what this thread has taken it must run all the same
            _log.critical("a worker thread could not be woken; please report it", exc_info=True)

    def _wait_at(self, gate: Gate) -> bool:
        """Wait to be woken; return False if this thread was idle for too long and has left the pool."""
        while not self._has_rested(gate):
            if self._leaves(gate):
                return False
        return True

    def _leaves(self, gate: Gate) -> bool:
        """Leave the pool, because this thread was idle for long; False if it is woken now, or to be kept."""
        with self._lock:
            if self._idle.get(get_ident()) is not gate or self._total <= self._least:
                return False
            del self._idle[get_ident()]
            self._gone()
            return True

    def _has_rested(self, gate: Gate) -> bool:
        try:
            return self.rest(gate, self._idle_time)
        except BaseException:  # a thread of the pool lives on, whatever it reads meanwhile
            return self._sleeps_instead(gate)

    def _sleeps_instead(self, gate: Gate) -> bool:
        _log.critical("an idle thread could not read; please report it", exc_info=True)
        return gate.sleep(self._idle_time)

    @staticmethod
    def _run(cell: Runnable) -> None:
        try:
            cell.run()
        except BaseException:  # a thread of the pool lives on, whatever it ran
            _log.critical("a cell let an error through; please report it", exc_info=True)

    def _gone(self) -> None:
        self._total -= 1
        self._threads.discard(current_thread())
        self._all_gone.notify_all()
