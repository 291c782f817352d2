"""Calls a function at a point in time: deadlines, above all.

One thread per Env, which sleeps until the next alarm is due. It is there from the beginning, because it tries
again to start what could not be started in a moment without threads.
"""

import heapq
import itertools
import logging
from collections.abc import Callable
from threading import Condition, RLock, Thread

from corps.clock import remaining
from corps.runtime.threads.sleeping import join
from corps.runtime.threads.watched_thread import Failed, WatchedThread, note_failure

_log = logging.getLogger("corps.alarms")


class Alarm:
    """One alarm."""

    __slots__ = ("_alarms", "due", "ring")

    def __init__(self, alarms: "Alarms", due: float, ring: Callable[[], object]) -> None:
        self._alarms = alarms
        self.due = due
        self.ring: Callable[[], object] | None = ring

    def cancel(self) -> None:
        """Do not ring. One that has rung makes no difference. Thread-safe."""
        self._alarms.cancel(self)


class Alarms:
    """The alarms of one Env. Thread-safe."""

    def __init__(self, name: str, prepare: Callable[[], object], failed: Failed = note_failure) -> None:
        """Set no alarm yet. `prepare` is called first in the thread; `failed` hears of its early end."""
        self._name = name
        self._failed = failed
        self._prepare = prepare
        # Protects everything below. Nothing rings while it is held. Taken as it is, by one step of the
        # interpreter: in `with self._changed` a signal of the main thread might leave it taken.
        self._lock = RLock()
        self._changed = Condition(self._lock)
        self._heap: list[tuple[float, int, Alarm]] = []
        self._order = itertools.count()
        self._cancelled = 0
        self._thread: Thread | None = None
        self._closed = False

    def at(self, due: float, ring: Callable[[], object]) -> Alarm:
        """Call `ring` at a point on the monotonic clock, in the alarm thread: short, and without waiting."""
        alarm = Alarm(self, due, ring)
        with self._lock:
            if self._closed:
                return alarm
            heapq.heappush(self._heap, (due, next(self._order), alarm))
            if self._thread is None:
                self._start()
            elif self._heap[0][2] is alarm:
                self._changed.notify()
        return alarm

    def start(self) -> None:
        """Start the thread, if the first alarm has not; a RuntimeError if the system gives none."""
        with self._lock:
            if self._thread is None and not self._closed:
                self._start()

    def _start(self) -> None:
        """Start the thread. If that fails, the next alarm tries again. Caller holds the lock."""
        thread = WatchedThread(self._name, self._run, self._failed)
        thread.start()
        self._thread = thread

    def cancel(self, alarm: Alarm) -> None:
        """Cancel an alarm. When most of the heap is cancelled, build it anew without those."""
        with self._lock:
            if alarm.ring is None:
                return
            alarm.ring = None
            self._cancelled += 1
            if self._cancelled > 64 and self._cancelled * 2 > len(self._heap):
                self._heap = [entry for entry in self._heap if entry[2].ring is not None]
                heapq.heapify(self._heap)
                self._cancelled = 0

    def close(self) -> None:
        """Stop; alarms that were not due yet never ring. Joins the thread."""
        with self._lock:
            self._closed = True
            self._heap.clear()
            self._changed.notify()
        if self._thread is not None:
            join(self._thread)

    def _run(self) -> None:
        self._prepare()
        while (ring := self._next_due()) is not None:
            try:
                ring()
            except BaseException:  # this thread must live for all the other alarms
                _log.exception("an alarm raised")

    def _next_due(self) -> Callable[[], object] | None:
        with self._lock:
            while not self._closed:
                if not self._heap:
                    self._changed.wait()
                    continue
                due, _, alarm = self._heap[0]
                if alarm.ring is None:
                    heapq.heappop(self._heap)
                    self._cancelled = max(0, self._cancelled - 1)
                    continue
                if left := remaining(due):
                    self._changed.wait(left)
                    continue
                heapq.heappop(self._heap)
                ring, alarm.ring = alarm.ring, None
                return ring
        return None
