"""A segment: memory that two processes share, for one large buffer at a time.

Its first page, the head, says in one byte who may use the rest, and in another one whether it is given up.
The buffer begins on the second page, aligned for whatever looks at it. The states:

    ============  =====================================  =======================================
    state         written by                             means
    ============  =====================================  =======================================
    FREE          the receiver; the kernel, when made    nobody uses it, the sender may fill it
    LEASED        the sender, before it fills it         the receiver has it, or will have it
    SPOILED       the receiver, instead of FREE          done with, but another process sees it
    ============  =====================================  =======================================

So a lease ends with the store of one byte, without a message or a lock. A byte is never half written. What
the sender writes cannot come before the receiver's last look at the buffer: it depends on the byte that the
receiver stored, and between that look and that store lie thousands of instructions of the interpreter, more
than any processor reorders. In the other direction the message itself is the barrier.

A segment never shrinks, which seals see to: a process that reads from it cannot be killed by a bus error
because another one made it shorter.

Linux only.
"""

import ctypes
import fcntl
import mmap
import os
import sys
from typing import Final

from corps.errors import WireError

HEAD: Final = mmap.PAGESIZE
"""Bytes before the buffer."""
STATE: Final = 0
"""Where in the head the state is."""
RETIRED: Final = 1
"""Where in the head the sender puts a byte other than 0 when it will not use the segment again."""

FREE: Final = 0
LEASED: Final = 1
SPOILED: Final = 2

MOST_WITH_GIL: Final = 4 * 1024 * 1024
"""Bytes that are copied with the GIL at most: in some 200 µs, where getting it back can take 5 ms."""

_MADV_POPULATE_WRITE: Final = 23  # not named by the standard library before Python 3.14
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def capacity_for(size: int) -> int:
    """Return the capacity for so many bytes: four per doubling, so that a segment fits others, too."""
    pages = max(1, -(-size // mmap.PAGESIZE))
    step = 1 << max(0, pages.bit_length() - 3)
    return -(-pages // step) * step * mmap.PAGESIZE


def map_segment(fd: int, capacity: int) -> mmap.mmap:
    """Map the head and the buffer of a segment, whose descriptor is not needed afterwards."""
    return _map(fd, capacity, mmap.ACCESS_WRITE)


def map_privately(fd: int, capacity: int) -> mmap.mmap:
    """Do the same, so that no other process sees what is written to it."""
    return _map(fd, capacity, mmap.ACCESS_COPY)


def _map(fd: int, capacity: int, access: int) -> mmap.mmap:
    if sys.version_info >= (3, 13):  # earlier ones keep a copy of the descriptor for as long as the mapping
        return mmap.mmap(fd, HEAD + capacity, access=access, trackfd=False)
    return mmap.mmap(fd, HEAD + capacity, access=access)


def check_segment(fd: int, capacity: int) -> None:
    """Raise WireError unless a peer's descriptor is a sealed segment of the capacity that the peer says."""
    try:
        seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    except OSError as error:
        raise WireError(f"the descriptor of a segment is no shared memory: {error}") from error
    if seals & _SEALS != _SEALS:
        raise WireError(f"a segment is not sealed (seals {seals:#x}): it could shrink while it is read")
    size = os.fstat(fd).st_size
    if size != HEAD + capacity:
        raise WireError(f"a segment has {size} bytes, and {HEAD + capacity} were announced")
    if os.fstatvfs(fd).f_bsize != mmap.PAGESIZE:
        raise WireError("a segment is made of huge pages: the kernel may run out of them while it is read")


class Segment:
    """A segment as the process has it that made it. Its owner, an `Arenas`, says which thread may do what.

    The memory goes back to the kernel when nobody refers to this object any more, and no receiver has it.
    A thread that has the object may use the descriptor, whatever others give up: it stays the same file.
    """

    def __init__(self, number: int, capacity: int) -> None:
        self.number = number  # unique in this process
        self.capacity = capacity  # bytes of the longest buffer: a multiple of the size of a page
        self.size = HEAD + capacity
        self.holder = 0  # to whom it is leased, or was last
        self.lease = 0  # counts its leases
        self.known_by: set[int] = set()  # the holders that have had it, and so have mapped it
        self._filled = 0  # bytes of the buffer that have been written to, ever
        self._populated = 0  # those of them that have been written to through the mapping
        self.fd = os.memfd_create("corps", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, self.size)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _SEALS)
        self._memory = map_segment(self.fd, capacity)

    def __del__(self) -> None:
        if hasattr(self, "fd"):  # else there was none for it
            os.close(self.fd)

    @property
    def state(self) -> int:
        """Return what the head says; receivers change it at any time. Thread-safe."""
        return self._memory[STATE]

    def mark(self, state: int) -> None:
        """Write the state."""
        self._memory[STATE] = state

    def fill(self, source: memoryview, offset: int = 0) -> None:
        """Copy a buffer in. Only the sender that leased it; buffers with a lower offset come before."""
        size = source.nbytes
        end = offset + size
        begin = HEAD + offset
        is_fresh = end > self._filled
        if is_fresh or (size > MOST_WITH_GIL and source.readonly):
            # Into fresh memory twice as fast as a copy: the kernel fetches and fills pages at once.
            # Else 1.6 times as slow, but without the GIL; ctypes finds no address of what is read-only.
            _write(self.fd, source, begin)
            self._filled = max(end, self._filled)
            return
        if end > self._populated:
            self._populate(end)
        if size <= MOST_WITH_GIL:
            self._memory[begin : begin + size] = source
        else:
            to, start = ctypes.c_char.from_buffer(self._memory, begin), ctypes.c_char.from_buffer(source)
            ctypes.memmove(ctypes.addressof(to), ctypes.addressof(start), size)  # without the GIL

    def _populate(self, size: int) -> None:
        """Have all pages entered into the tables of this process at once, and not by a fault for each."""
        try:
            self._memory.madvise(_MADV_POPULATE_WRITE, 0, HEAD + size)
        except OSError:
            pass  # before Linux 5.14: so they are
        self._populated = size

    def retire(self) -> None:
        """Tell all receivers to let go of it, for good. If it is free, its memory goes back at once."""
        self._memory[RETIRED] = 1
        if self.state == FREE:
            try:
                self._memory.madvise(mmap.MADV_REMOVE, HEAD, self.capacity)
            except OSError:
                pass  # this process locks all its memory: it goes when nobody has mapped it any more


def _write(fd: int, source: memoryview, offset: int) -> None:
    done = 0
    while done < source.nbytes:  # the kernel takes 2 GiB at a time
        done += os.pwrite(fd, source[done:], offset + done)
