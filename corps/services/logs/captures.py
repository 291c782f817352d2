"""What becomes a log record though no code has called `logging`: warnings, and the ends of threads."""

import logging
import threading
from collections.abc import Callable
from typing import Any


class Captures:
    """Makes records of these in this process. One thread at a time starts and ends it."""

    def __init__(self, handle: Callable[[logging.LogRecord], object]) -> None:
        """Do nothing yet. `handle` gets the records, which so are for the Corps alone."""
        self._handle = handle
        self._former: Callable[[Any], object] = threading.excepthook
        self._hook: Callable[[Any], object] | None = None
        self._has_warnings = False

    def start(self, *, warnings: bool, uncaught: bool) -> None:
        """Begin, unless it has begun."""
        if warnings and not self._has_warnings:
            logging.captureWarnings(True)
            self._has_warnings = True
        if uncaught and self._hook is None:
            self._former = threading.excepthook
            self._hook = threading.excepthook = self._thread_ended

    def end(self) -> None:
        """Leave all as it was, but for what the application has changed meanwhile."""
        if self._has_warnings:
            logging.captureWarnings(False)
            self._has_warnings = False
        if self._hook is not None and threading.excepthook is self._hook:
            threading.excepthook = self._former
        self._hook = None

    def _thread_ended(self, ended: Any) -> None:
        """Make a record of the exception that has ended a thread; then do what would be done without that."""
        if self._hook is not None and not issubclass(ended.exc_type, SystemExit):
            name = "a thread" if ended.thread is None else f"the thread {ended.thread.name}"
            info = ended.exc_type, ended.exc_value, ended.exc_traceback
            record = logging.LogRecord(
                "corps.uncaught", logging.ERROR, "", 0, "%s has ended by an exception", (name,), info
            )
            self._handle(record)
        self._former(ended)
