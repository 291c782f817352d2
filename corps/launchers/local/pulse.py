"""Pulse: signs of life of an Env's process, in memory that it shares with the booting process.

It holds counts only. The Env adds one for each sign, and the booting process sees whether a count has
changed. That needs no message and no system call, so a side that is stopped never holds up the other. The
memory has no name, and its size cannot change: a count in a file might have to wait for a disk.
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
    """Make the memory for one Env. The caller closes its descriptor after `Pulse` has mapped it."""
    fd = os.memfd_create("corps-pulse", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.posix_fallocate(fd, 0, _SIZE)  # now, and not when it is written to, which would be a SIGBUS
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except OSError:
        os.close(fd)
        raise
    return fd


class Pulse:
    """The counts of one process. Thread-safe, but for `beat`: one thread for each count."""

    def __init__(self, fd: int) -> None:
        """Map the memory of a descriptor from `open_pulse`, which is not needed afterwards."""
        self._map = mmap.mmap(fd, _SIZE)
        self._words = memoryview(self._map).cast("Q")
        self._last: tuple[int, ...] = (0,) * _COUNTS

    def beat(self, which: int) -> None:
        """Give a sign of life, MAIN or READING. In the Env."""
        self._words[which] += 1

    def counts(self) -> tuple[int, ...]:
        """Count the signs by MAIN and READING; after `close` as at the last look. In the booting process."""
        with contextlib.suppress(ValueError):  # it was closed, perhaps at this very moment
            self._last = tuple(self._words[:_COUNTS])
        return self._last

    def close(self) -> None:
        """Let go of it. Idempotent."""
        self._words.release()
        with contextlib.suppress(BufferError):  # another thread looks at it: it goes with the last reference
            self._map.close()
