"""What an author wants called when a Future is done: it runs as the worker that registered it, or as none.

The thread that settles a Future may be any of the runtime's: it reads from the links, ends deadlines, or has
just run another worker. None of that is the callback's business. So a callback runs in a copy of the context
it was registered in, as `asyncio` does it; what it raises is logged and ends nothing.
"""

import logging
import os
import sys
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

from corps.runtime.context import Activity, current

if TYPE_CHECKING:
    from corps.runtime.calls.futures import Future

_log: Final = logging.getLogger("corps.futures")


class Callback:
    """One callback of an author's. The thread that settles the Future calls it, once."""

    __slots__ = ("_context", "_function")

    def __init__(self, function: "Callable[[Future[Any]], object]") -> None:
        self._function = function
        self._context = copy_context()  # in which it is registered

    def __call__(self, future: "Future[Any]") -> None:
        """Call it. Nothing that it raises comes out, not even what ends programs."""
        settling = current.get()
        process = os.getpid()
        try:
            self._context.run(self._run, settling, future)
        except BaseException:  # the thread belongs to the runtime, and others wait for what it does next
            log_raised(_log, "a callback of a Future raised")
        if os.getpid() != process:
            sys.stderr.write("a fork came back from a callback of a Future: call os._exit() in it\n")
            sys.stderr.flush()
            os._exit(1)

    def _run(self, settling: Activity | None, future: "Future[Any]") -> None:
        registrant = current.get()
        known = registrant if registrant is not None and registrant.env is not None else settling
        if known is not None and known.env is not None:
            activity = Activity(known.env, registrant.cell if registrant is not None else None)
            activity.reading = True  # it may not wait, whichever thread this is
            current.set(activity)  # the context is a copy, used for this alone
        self._function(future)


def log_raised(log: logging.Logger, what: str) -> None:
    """Log the exception that is being handled, which is an author's, and may raise when it is shown."""
    try:
        log.error(what, exc_info=True)  # noqa: LOG014 - its callers handle one
    except BaseException as error:
        log.error("%s; the log of that failed with %s", what, type(error).__name__)
