"""Whether a thread that waits may run the code of the workers that it waits for, or read for others.

That saves two changes of threads, and the worker must not notice it: its code runs as it does on a thread of
its own, or is handed to one. A thread that is deep in its stack does neither. A thread that is near the end
of its stack does nothing that others need, and gets an error before anything is begun.
"""

import sys
from functools import partial
from threading import get_ident, main_thread
from typing import Any, Final

MAIN: Final = main_thread().ident
"""The ident of the main thread, which runs no worker and does not read for others."""

SHALLOW: Final = 250  # frames: a worker then has three quarters of what it has on a thread of its own

RESERVE: Final = 48  # levels that the runtime needs for a step that must not be broken off


def may_lend() -> bool:
    """Return whether the calling thread, if not deep in its stack, may run what another worker does."""
    # It may not while it handles an exception: the worker would have it as the context of its own errors,
    # and a bare `raise` there would raise it. The main thread never may: what the handler of a signal raises
    # there is meant for the program, and not for the method that happens to run.
    return sys.exception() is None and get_ident() != MAIN


if sys.version_info >= (3, 12):

    def is_deep() -> bool:
        """Return whether the calling thread is deep in its stack."""
        return sys._getframemodulename(SHALLOW) is not None

    def check_reserve() -> None:
        """Raise RecursionError, with nothing begun, if the stack has no room for a step of the runtime."""
        if sys._getframemodulename(sys.getrecursionlimit() - RESERVE) is not None:
            raise RecursionError("too deep in the stack to ask or wait for anything")

else:

    def is_deep() -> bool:
        """Return whether the calling thread is deep in its stack."""
        try:
            sys._getframe(SHALLOW)
        except ValueError:
            return False
        return True

    def _nested(levels: int) -> "tuple[Any, ...] | type[int]":
        return (_nested(levels - 1),) if levels else int

    # C and Python share one count: `isinstance` goes down so many levels, and raises RecursionError where
    # there are fewer left. 110 ns; a call of Python at each level would take 2 µs.
    check_reserve = partial(isinstance, None, _nested(RESERVE))
