"""Whether a thread that waits may run the code of the workers that it waits for.

That saves two changes of threads, and must not be seen by the worker: its code runs as it does on a thread of
its own, or is handed to one.
"""

from sys import exception


def may_lend() -> bool:
    """Whether the calling thread may run what another worker does.

    Not while it handles an exception: the worker would have it as the context of its own errors, and a bare
    ``raise`` there would raise it.
    """
    return exception() is None
