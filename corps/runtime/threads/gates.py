"""Where one thread stands still until others let it go on."""

import os
from collections.abc import Callable
from threading import TIMEOUT_MAX, Lock

from corps.core import native
from corps.runtime.threads.sleeping import PART


def look_time(spin: float) -> float:
    """Return for how many seconds a thread looks before it sleeps: with one processor it does not."""
    return spin if len(os.sched_getaffinity(0)) > 1 else 0.0


@native
class Gate:
    """Lets the one thread that made it through once any thread has opened it.

    While it is shut, that thread sleeps here, or reads from the links of its Env (see `readers`). Only it may
    call `sleep` and `read_instead`. The rest is thread-safe.
    """

    __slots__ = ("_interrupt", "_lock", "_permit", "is_open")

    def __init__(self) -> None:
        # Protects is_open, _interrupt, and the release of _permit, which must not be released twice.
        self._lock = Lock()
        self._permit = Lock()
        self._permit.acquire()
        self._interrupt: Callable[[], object] | None = None
        self.is_open = False

    def open(self, _: object = None) -> None:
        """Let the thread through. Idempotent. It can be the callback of a Future as it is."""
        if self.is_open:  # for good, so that a look without the lock will do
            return
        with self._lock:
            self.is_open = True
            interrupt = self._interrupt
            if interrupt is None and self._permit.locked():
                self._permit.release()
        if interrupt is not None:
            interrupt()

    __call__ = wake = open

    def call(self) -> None:
        """Wake the thread if it sleeps, without letting it through."""
        with self._lock:
            if self._permit.locked():
                self._permit.release()

    def sleep(self, timeout: float | None) -> bool:
        """Block until the gate is opened, or its thread called; False if so many seconds were over first."""
        # As `sleep_in_parts`, without its calls: each request that is waited for comes here.
        left = TIMEOUT_MAX if timeout is None else max(0.0, timeout)
        while not self._permit.acquire(timeout=min(left, PART)):
            left -= PART
            if left <= 0:
                return False
        return True

    def read_instead(self, interrupt: Callable[[], object] | None) -> bool:
        """Have `open` interrupt the coming read; None for no more reads. Return whether it is still shut."""
        with self._lock:
            self._interrupt = interrupt
            return not self.is_open
