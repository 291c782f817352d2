"""Ctrl-C, and signals like it, in a main thread that does the runtime's work while it waits.

Python raises KeyboardInterrupt between any two steps of the main thread: also where a cell has just been
claimed, a message read, or a thread told to come that nobody would then wake. While an Env is used by a
``with`` block, it is therefore raised only in the author's code, and where the runtime waits; elsewhere it is
tried again a moment later. Calls pay nothing for that: what runs is read off the stack when the signal comes.
"""

import signal
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Timer, current_thread, main_thread
from types import FrameType
from typing import Any, Final

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
    """The handler of signals that interrupt the main thread. In other threads it changes nothing.

    Args:
        numbers: The signals.
        error: What to raise in the main thread, made of the number of the signal.
    """

    def __init__(
        self,
        numbers: Sequence[int] = (signal.SIGINT,),
        error: Callable[[int], BaseException] = lambda _: KeyboardInterrupt(),
    ) -> None:
        self._numbers = numbers
        self._error = error
        self._replaced: dict[int, Any] = {}

    def install(self) -> None:
        """Take over the signals that nobody handles or ignores, if this is the main thread."""
        if current_thread() is not main_thread():
            return
        for number in self._numbers:
            before = signal.getsignal(number)
            if before in (signal.default_int_handler, signal.SIG_DFL):
                self._replaced[number] = before
                signal.signal(number, self._interrupt)

    def remove(self) -> None:
        """Give the signals back that were taken over."""
        if current_thread() is not main_thread():
            return
        for number, before in self._replaced.items():
            if signal.getsignal(number) == self._interrupt:
                signal.signal(number, before)
        self._replaced.clear()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        here = current.get()
        hands_on = here is not None and here.reading  # a callback of the author's runs in the runtime's midst
        if not hands_on and may_be_interrupted(frame):
            raise self._error(number)
        # A real signal: the main thread may have gone to sleep in the kernel by then.
        again = Timer(_AGAIN_AFTER, signal.pthread_kill, (main_thread().ident, number))
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
