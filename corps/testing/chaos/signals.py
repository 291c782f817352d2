"""Signals to the process that booted the Corps, which its script handles: no request may notice them."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Final

from corps.testing.chaos.missed import Missed

HANDLED: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
    signal.SIGWINCH,
)
"""What a script may have handlers for, and then wants to survive."""

_PATIENCE: Final = 1.0  # seconds until a signal was handled
_STOPPER: Final = 'kill -STOP "$1"; sleep "$2"; kill -CONT "$1"'


class Signals:
    """The handlers of the script that storms. For its main thread."""

    def __init__(self) -> None:
        self._awaited: int | None = None
        self._came = Event()

    @contextmanager
    def handled(self) -> Iterator["Signals"]:
        """Handle all of `HANDLED` in the block. What comes from elsewhere has its usual effect."""
        before = {number: signal.signal(number, self._handle) for number in HANDLED}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == self._awaited:
            self._came.set()
        elif number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the user wants to stop the storm
            raise KeyboardInterrupt

    def send(self, number: signal.Signals) -> None:
        """Send a signal of `HANDLED` to this process, and wait until it was handled.

        Raises:
            Missed: It was not handled.
        """
        self._came.clear()
        self._awaited = number
        try:
            os.kill(os.getpid(), number)
            if not self._came.wait(_PATIENCE):
                raise Missed(f"{number.name} was not handled")
        finally:
            self._awaited = None


def stop_for(seconds: float) -> None:
    """Stop this process, and have it go on after so many seconds."""
    command = ["/bin/sh", "-c", _STOPPER, "sh", str(os.getpid()), f"{seconds:.3f}"]
    subprocess.run(command, check=True)  # noqa: S603 - nothing in it comes from outside
