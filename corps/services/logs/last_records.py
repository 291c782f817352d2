"""The last records of a process in a file that outlives it, however it dies.

The file is mapped into memory: what is written there belongs to the kernel at once, so a SIGKILL loses none
of it. It has two halves, which are filled in turn. So at least half of its size is there at any time, and
each half can be read from its beginning.

    half     epoch, length of what follows; 8 bytes each
    then     records: 4 bytes of length, and the bytes of `entries.pack`

The epoch says which half is the newer one. It is 0 in a half that was never used.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

_HEAD: Final = struct.Struct("<QQ")
_LENGTH: Final = struct.Struct("<I")
_LEAST: Final = 4_096  # bytes of a half


class LastRecords:
    """Writes such a file. One thread at a time."""

    def __init__(self, path: str, size: int) -> None:
        """Make the file, of about `size` bytes; an OSError if that cannot be."""
        self._half = max(_LEAST, size // 2)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Allocated now: in a file system that is full, writing to a hole would be a SIGBUS.
            os.posix_fallocate(fd, 0, 2 * self._half)
            self._map = mmap.mmap(fd, 2 * self._half)
        except BaseException:
            with suppress(OSError):
                os.unlink(path)
            raise
        finally:
            os.close(fd)
        self._epoch = 0
        self._start = self._half  # so that the first half is the first one to be used
        self._used = 0
        self._is_writing = False
        self._turn()

    def write(self, body: bytes) -> None:
        """Add a record. One that is longer than a half is left out."""
        if self._is_writing:  # a destructor logs, in the middle of this
            return
        self._is_writing = True
        needs = _LENGTH.size + len(body)
        if self._used + needs > self._half - _HEAD.size:
            self._turn()
        if needs <= self._half - _HEAD.size:
            at = self._start + _HEAD.size + self._used
            _LENGTH.pack_into(self._map, at, len(body))
            self._map[at + _LENGTH.size : at + needs] = body
            self._used += needs
            _HEAD.pack_into(self._map, self._start, self._epoch, self._used)
        self._is_writing = False

    def _turn(self) -> None:
        """Go on at the beginning of the other half."""
        self._start = self._half - self._start
        self._epoch += 1
        self._used = 0
        _HEAD.pack_into(self._map, self._start, self._epoch, 0)

    def close(self) -> None:
        """Write no more. The file stays."""
        self._is_writing = True
        self._map.close()


def records_path(directory: str, env_id: int, generation: int) -> str:
    """Return the path of the file of one process of an Env."""
    return os.path.join(directory, f"{env_id}.{generation}.records")


def read_records(path: str) -> list[bytes]:
    """Read the records of a file, oldest first. What is missing or damaged is left out."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return []
    half = len(data) // 2
    if half < _HEAD.size:
        return []
    halves = sorted((_HEAD.unpack_from(data, start), start) for start in (0, half))
    found: list[bytes] = []
    for (epoch, used), start in halves:
        if epoch:
            begin = start + _HEAD.size
            found += _records_in(data[begin : min(begin + used, start + half)])
    return found


def _records_in(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            return
        yield data[at : at + length]
        at += length
