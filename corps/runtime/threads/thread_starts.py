"""Starting a thread when the system may give none: what cannot be started now is tried again.

A limit of processes is often reached for a moment only. What waits for the thread must not wait for ever.
"""

import logging
import sys
from collections.abc import Callable
from threading import Thread
from typing import Final

from corps.clock import now
from corps.reserve import FIRST_PAUSE, longer
from corps.runtime.threads.alarms import Alarms

_log = logging.getLogger("corps.env")

NO_THREAD: Final = (RuntimeError, MemoryError)  # what Python raises when the system gives no thread

THREADS_START_AT_EXIT: Final = sys.version_info[:2] != (3, 12)
"""Whether a thread can be started while the interpreter ends. Python 3.12 refuses it."""


def start_in_time(start: Callable[[], object], what: str, alarms: Alarms, pause: float = FIRST_PAUSE) -> None:
    """Start a thread by `start`, now or as soon as the system gives one; `alarms` try again. Thread-safe."""
    try:
        start()
    except NO_THREAD as error:
        _log.warning("%s could not be started, and is tried again in %s s: %s", what, pause, error)
        alarms.at(now() + pause, lambda: start_in_time(start, what, alarms, longer(pause)))


def start_thread(name: str, make: Callable[[], Thread], alarms: Alarms) -> None:
    """Do the same for a thread with a name, which `make` makes for each try anew."""
    # CPython 3.13.0 starts none whose first start has failed.
    start_in_time(lambda: make().start(), f"the thread {name}", alarms)
