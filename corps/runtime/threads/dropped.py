"""What has to follow when something is garbage: done by a thread that waits for that.

A destructor may run between any two steps of any thread, whatever lock that holds. So it may take no lock and
send nothing: it puts what is to be done into a queue that can be used from there (`queue.SimpleQueue` says
so), and a thread does it.
"""

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread

from corps.runtime.threads.sleeping import join

_log = logging.getLogger("corps.env")


class Dropped:
    """The queue of one Env, and its thread. Thread-safe. Destructors may call `put` alone."""

    def __init__(self, name: str, begin: Callable[[], object]) -> None:
        """Start no thread yet. `begin` is called in it first."""
        self._name = name
        self._begin = begin
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._lock = Lock()  # protects what follows; never taken by `put`
        self._thread: Thread | None = None  # it stays for good
        self._is_closed = False

    def watch(self) -> None:
        """Have the thread, because there is something now whose destructor will call `put`."""
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None or self._is_closed:
                return
            thread = Thread(target=self._run, name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system gives no more threads; the next one tries again
                _log.warning("the thread %s could not be started", self._name, exc_info=True)
                return
            self._thread = thread

    def put(self, job: Callable[[], object]) -> None:
        """Have something done soon that does not wait. Takes no lock."""
        self._jobs.put(job)

    def close(self) -> None:
        """End the thread when it has done what there is."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        if thread is not None:
            self._jobs.put(None)
            join(thread)

    def _run(self) -> None:
        self._begin()
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except BaseException:  # what an author's code raises must not end it
                _log.exception("what should follow the end of an object could not be done")
            del job  # otherwise what it holds would live until the next one comes
