"""A thread that others need: it ends when its work is done, and any other end is a failure.

What an author's code raises is stopped where that code is called, so it does not come here. What comes here
is a defect of the runtime, or a want of memory. Without the thread no deadline would ring, no answer would be
read, or no end would be noticed, and others would wait for ever. So its starter hears of its end.
"""

import logging
from collections.abc import Callable
from threading import Thread

_log = logging.getLogger("corps.env")

Failed = Callable[[str, BaseException], object]
"""Hears that a thread of that name has ended with an exception. In that thread; it does not raise."""


def note_failure(name: str, error: BaseException) -> None:
    """Log that a thread has ended which should not."""
    _log.critical("the thread %s has ended; please report it", name, exc_info=error)


class WatchedThread(Thread):
    """A thread that reports the exception that ends it. It does not keep the interpreter from its end."""

    def __init__(self, name: str, work: Callable[[], object], failed: Failed = note_failure) -> None:
        """Start nothing yet. To return from `work` is the orderly end; `failed` hears of any other."""
        super().__init__(name=name, daemon=True)
        self._work = work
        self._failed = failed

    def run(self) -> None:
        """Do the work."""
        try:
            self._work()
        except BaseException as error:
            self._failed(self.name, error)
