"""Pulse: signs of life of an Env's process, in memory that it shares with the booting process.

Counts only: whoever gives a sign adds one, and whoever looks sees whether a count has changed. That needs no
message and no system call, so neither side can ever hold up the other, stopped as it may be. The memory has
no name and no size that could be changed, so that nothing which happens to a file can happen to it: a count
in a file on a disk may have to wait for that disk.
"""

import contextlib
import fcntl
import mmap
import os
from typing import Final

_COUNTS: Final = 2
_SIZE: Final = 4096
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def open_pulse() -> int:
    """Memory for one Env.

    Returns:
        A descriptor of it, close-on-exec; the caller's to close, after `Pulse` has mapped it.

    Raises:
        OSError: There is no descriptor or no memory left.
    """
    fd = os.memfd_create("corps-pulse", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.posix_fallocate(fd, 0, _SIZE)  # now, and not when it is written to, which would be a SIGBUS
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except OSError:
        os.close(fd)
        raise
    return fd


class Pulse:
    """The counts of one process. Any thread may call; `beat` for each count one thread at a time."""

    def __init__(self, fd: int) -> None:
        """Map it.

        Args:
            fd: From `open_pulse`; not needed any more afterwards.

        Raises:
            OSError: It cannot be mapped.
        """
        self._map = mmap.mmap(fd, _SIZE)
        self._words = memoryview(self._map).cast("Q")
        self._last: tuple[int, ...] = (0,) * _COUNTS

    def beat(self, which: int) -> None:
        """Give a sign of life. In the Env.

        Args:
            which: MAIN or READING.
        """
        self._words[which] += 1

    def counts(self) -> tuple[int, ...]:
        """How many signs there were of each kind. In the booting process.

        Returns:
            The counts, by MAIN and READING; after `close` those of the last look.
        """
        with contextlib.suppress(ValueError):  # it was closed, perhaps at this very moment
            self._last = tuple(self._words[:_COUNTS])
        return self._last

    def close(self) -> None:
        """Let go of it. Idempotent."""
        self._words.release()
        with contextlib.suppress(BufferError):  # somebody looks at it now: it goes with the last reference
            self._map.close()
