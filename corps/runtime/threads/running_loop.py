"""Which event loop runs in this thread: every wait asks asyncio for it.

`asyncio.get_running_loop` answers "none" by an exception, which takes 0.4 µs. What it calls takes 0.04 µs, is
exported by `asyncio.events`, and has an underscore. Where that is gone, the exception does.
"""

import asyncio
from collections.abc import Callable
from typing import Final

Loop = asyncio.AbstractEventLoop


def ask_aloud() -> Loop | None:
    """Return the running event loop of this thread, or None, by documented names alone."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


running_loop: Final[Callable[[], Loop | None]] = getattr(asyncio, "_get_running_loop", ask_aloud)
"""Gives the running event loop of this thread, or None."""


def take_none(_: Loop | None) -> None:
    """Do nothing, where asyncio has no such function."""


set_running_loop: Final[Callable[[Loop | None], None]] = getattr(asyncio, "_set_running_loop", take_none)
"""Makes this thread count as one that runs a loop, because it acts for another one."""
