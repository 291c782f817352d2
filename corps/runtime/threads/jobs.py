"""A queue of jobs, and the thread that does them: what follows a destructor, and what may block for long.

A destructor may run between any two steps of any thread, whatever lock that holds. So it may take no lock and
send nothing: it puts what is to be done into a queue that can be used from there (`queue.SimpleQueue` says
so), and a thread does it.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Lock, Thread, current_thread

from corps.runtime.threads.sleeping import join

_log = logging.getLogger("corps.env")


class Jobs:
    """A queue, and its thread. Thread-safe. Destructors may call `put` alone."""

    def __init__(self, name: str, begin: Callable[[], object] | None = None) -> None:
        """Start no thread yet. `begin` is called in it first."""
        self._name = name
        self._begin = begin
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._lock = Lock()  # protects what follows; never taken by `put`
        self._thread: Thread | None = None  # it stays for good
        self._is_closed = False

    def watch(self) -> bool:
        """Have the thread, because something will call `put`; return whether the system gives one."""
        if self._thread is None:
            self._start()
        return self._thread is not None

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

    @property
    def is_here(self) -> bool:
        """Whether the calling thread is the one that does the jobs."""
        return self._thread is current_thread()

    def put(self, job: Callable[[], object]) -> None:
        """Have something done soon. Takes no lock."""
        self._jobs.put(job)

    def help(self) -> None:
        """Do what there is in this thread, if the system gives no thread for it."""
        if not self.watch():
            copy_context().run(self._do_here)

    def _do_here(self) -> None:
        if self._begin is not None:
            self._begin()
        with suppress(Empty):
            while True:
                self._do(self._jobs.get_nowait())

    def end_soon(self) -> None:
        """Have the thread end when it has done what there is."""
        with self._lock:
            self._is_closed = True
        self._jobs.put(None)

    def close(self) -> None:
        """End the thread when it has done what there is, and wait for that, unless it is this one."""
        self.end_soon()
        thread = self._thread
        if thread is not None and not self.is_here:
            join(thread)

    def _run(self) -> None:
        if self._begin is not None:
            self._begin()
        while (job := self._jobs.get()) is not None:
            self._do(job)
            del job  # otherwise what it holds would live until the next one comes

    def _do(self, job: Callable[[], object] | None) -> None:
        try:
            if job is not None:
                job()
        except BaseException:  # what an author's code raises must not end it
            _log.exception("what the thread %s should do could not be done", self._name)
