"""Where the socket files of the Envs of one host lie, by names that the kernel takes.

The address of a UNIX socket has room for 107 bytes, and a directory may have a longer path, or one that is no
UTF-8. So a file in such a directory is named relative to it: in the record of a member by its name alone,
and to the kernel by way of a descriptor of the directory, which is short.
"""

import os
from contextlib import suppress
from typing import Final

_ADDRESS: Final = 107  # bytes of a path in the address of a UNIX socket
_NAME: Final = 40  # bytes of the name of a socket file at most


class SocketDir:
    """The directory of the socket files, as one Env reaches it. Thread-safe."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1
        if not path.isascii() or len(path) + 1 + _NAME > _ADDRESS:
            self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def place(self, name: str) -> str:
        """Return what stands for a file in a Member: its path, or its name if the path is of no use."""
        return f"{self._path}/{name}" if self._fd < 0 else name

    def reach(self, place: str) -> str:
        """Return the path by which this process alone binds or connects to a `place`, until `close`."""
        return place if "/" in place or self._fd < 0 else f"/proc/self/fd/{self._fd}/{place}"

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(OSError):
            os.unlink(f"{self._path}/{name}")

    def close(self) -> None:
        """Let go of the directory. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
