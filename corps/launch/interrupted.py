"""Whether a Ctrl-C is why a block is left."""

import asyncio
import functools
import signal


def is_interrupt(kind: type[BaseException] | None) -> bool:
    """Return whether a Ctrl-C is why a block is left. `kind` is the type of the exception that leaves it.

    Under `asyncio.run` the first Ctrl-C cancels the main task, so the block is left with a CancelledError.
    """
    if kind is None:
        return False
    return issubclass(kind, KeyboardInterrupt) or (
        issubclass(kind, asyncio.CancelledError) and _asyncio_has_seen_one()
    )


def _asyncio_has_seen_one() -> bool:
    """Return whether the handler that `asyncio.Runner` has installed has seen a Ctrl-C.

    This leans on private names of asyncio. Where they are others, a second Ctrl-C counts as the first one.
    """
    handler = signal.getsignal(signal.SIGINT)
    bound = handler.func if isinstance(handler, functools.partial) else handler
    seen = getattr(getattr(bound, "__self__", None), "_interrupt_count", 0)
    return isinstance(seen, int) and seen > 0
