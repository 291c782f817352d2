"""Ctrl-C in a main thread that does the runtime's work while it waits.

Python raises KeyboardInterrupt between any two steps of the main thread: also where a cell has just been
claimed, or a thread was told to come that nobody would then wake. While an Env is used by a ``with`` block,
it is therefore raised only in the author's code, and where the runtime waits; elsewhere it is tried again a
moment later. Calls pay nothing for that: what runs is read off the stack when the signal comes.
"""

import signal
import sysconfig
from _thread import interrupt_main
from pathlib import Path
from threading import Timer, current_thread, main_thread
from types import FrameType
from typing import Final

from corps.runtime.context import current
from corps.runtime.gates import Gate
from corps.runtime.mailbox import Mailbox
from corps.transport.room import Room

_AGAIN_AFTER: Final = 0.001

_PACKAGE: Final = Path(__file__).parents[1]
_GUARDED: Final = tuple(
    f"{_PACKAGE / part}/" for part in ("messages", "packing", "runtime", "transport", "workers")
)

# What the runtime calls: code between it and the interrupted step that is nobody's own. What is installed may
# lie below the standard library, and be the author's.
_STANDARD: Final = ("<frozen ", f"{sysconfig.get_path('stdlib')}/")
_INSTALLED: Final = tuple(f"{sysconfig.get_path(kind)}/" for kind in ("purelib", "platlib"))
_CALLED: Final = tuple(
    f"{place}{name}/" for place in _INSTALLED for name in ("cloudpickle", "dill", "msgpack", "zmq")
)

# Where the runtime waits, ready to be interrupted.
_WAITS: Final = frozenset({Gate.sleep.__code__, Mailbox.wait_for_room.__code__, Room.wait.__code__})
_READS: Final = "await_ready"  # of every Transport


class Interrupts:
    """The handler of SIGINT for the time of a ``with`` block. For the main thread; others change nothing."""

    def __init__(self) -> None:
        self._is_installed = False

    def install(self) -> None:
        """Take over SIGINT, if this is the main thread and nobody else has."""
        if (
            current_thread() is main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            signal.signal(signal.SIGINT, self._interrupt)
            self._is_installed = True

    def remove(self) -> None:
        """Give SIGINT back, if it was taken over."""
        if self._is_installed and current_thread() is main_thread():
            self._is_installed = False
            if signal.getsignal(signal.SIGINT) == self._interrupt:
                signal.signal(signal.SIGINT, signal.default_int_handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        here = current.get()
        hands_on = here is not None and here.reading  # a callback of the author's runs in the runtime's midst
        if not hands_on and may_be_interrupted(frame):
            raise KeyboardInterrupt
        again = Timer(_AGAIN_AFTER, interrupt_main)
        again.daemon = True
        again.start()


def may_be_interrupted(frame: FrameType | None) -> bool:
    """Whether an exception may be raised where the main thread is.

    Args:
        frame: The innermost frame of the main thread.

    Returns:
        False inside the runtime, unless it waits there.
    """
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_GUARDED):
            return frame.f_code in _WAITS or frame.f_code.co_name == _READS
        if not file.startswith(_CALLED) and (file.startswith(_INSTALLED) or not file.startswith(_STANDARD)):
            return True
        frame = frame.f_back
    return True
