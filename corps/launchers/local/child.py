"""The Env's side of its start: what its entry function gets, and how its end becomes an exit status."""

import contextlib
import fcntl
import importlib
import os
import sys
import termios
import threading
import traceback
from collections.abc import Callable
from typing import Final

from corps.clock import now
from corps.launchers.local.channel import Channel
from corps.launchers.local.pulse import Pulse

_READ_WITHIN: Final = 0.5  # seconds for the booting process to read what was written before the release
_LOOKS_EVERY: Final = 0.0005


class ChildSide:
    """What the entry function of an Env gets. Thread-safe.

    The end of file of `channel` says that the booting process has gone. `stdout_fd` and `stderr_fd` are
    duplicates of its own, or None if output was never captured. Without `has_stdin` this process has an empty
    stdin.
    """

    def __init__(
        self,
        env_id: int,
        channel: Channel,
        pulse: Pulse,
        stdout_fd: int | None,
        stderr_fd: int | None,
        *,
        has_stdin: bool = False,
    ) -> None:
        self.env_id = env_id
        self.has_stdin = has_stdin
        self.channel = channel
        self.pulse = pulse
        self._saved = [(saved, fd) for saved, fd in ((stdout_fd, 1), (stderr_fd, 2)) if saved is not None]
        # Protects _saved. The output is flushed while it is held, so that no line is divided.
        self._lock = threading.Lock()

    def release_output(self) -> None:
        """Write to the booting process's own stdout and stderr, which has read it until now. Idempotent."""
        with self._lock:
            flush_output()
            for saved, fd in self._saved:
                _wait_until_read(fd)
                os.dup2(saved, fd)
                os.close(saved)
            self._saved.clear()


def run_entry(entry: str, child: ChildSide) -> int:
    """Import ``"module:function"`` and call it with `child`, as the whole life of this process.

    The function gives the exit status, where None stands for 0. It is 1 after the traceback if it raised.
    """
    try:
        module_name, _, function_name = entry.partition(":")
        module = importlib.import_module(module_name)
        function: Callable[[ChildSide], int | None] = getattr(module, function_name)
        code = function(child)
    except SystemExit as stop:
        return _status_of(stop.code)
    except BaseException:
        # No frame above could handle it: the process ends here, and has to say why.
        traceback.print_exc()
        return 1
    return _status_of(code)


def _status_of(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _wait_until_read(fd: int) -> None:
    """Wait until the booting process has read what is in a pipe, so that it is shown before what follows."""
    unread = bytearray(4)
    pause = threading.Event()
    until = now() + _READ_WITHIN
    with contextlib.suppress(OSError):  # it is no pipe
        while not fcntl.ioctl(fd, termios.FIONREAD, unread) and any(unread) and now() < until:
            pause.wait(_LOOKS_EVERY)


def flush_output() -> None:
    """Write out what Python still buffers for stdout and stderr."""
    for stream in (sys.stdout, sys.stderr):
        # The streams may have been replaced, closed, or lead to a reader that has gone.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
