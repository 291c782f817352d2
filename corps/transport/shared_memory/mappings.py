"""Large buffers from another process of this host, used where they lie: in its shared memory.

What `Mappings.open` gives is a plain memoryview; arrays can be made on it, and others on those. When the
last of them is gone the segment is free, and its sender puts the next buffer there.
`corps.transport.shared_memory.arenas` is the other side.
"""

import ctypes
import gc
import mmap
import os
from contextlib import suppress
from typing import Any

from corps.errors import WireError
from corps.reserve import may_pass
from corps.transport.shared_memory.segments import (
    FREE,
    HEAD,
    MOST_WITH_GIL,
    RETIRED,
    SPOILED,
    STATE,
    check_segment,
    map_privately,
    map_segment,
)
from corps.wire.memory import new_memory


class Mappings:
    """The shared memory that one connection brings. One thread at a time calls `open`, `sweep` and `close`.

    The views that it gives, and all that is made of them, may live and end in any thread, and longer than
    this object, the connection, and the peer.
    """

    def __init__(self, *, most: int = 1024, most_in_use: int = 64) -> None:
        self._most = most  # segments that the peer may have here; each takes a descriptor before Python 3.13
        # What comes beyond is copied, so that an author who keeps all that comes never stops the sender.
        self._most_in_use = most_in_use
        self._in_use: set[int] = set()  # numbers of segments; adding and discarding is atomic
        self._segments: dict[int, Mapped] = {}
        self._forks = _Forks()

    def open(
        self, segment: int, fd: int | None, capacity: int, size: int, *, is_lent: bool = False
    ) -> memoryview:
        """Give access to what the peer has placed, through `fd` if this is the first use of the segment here.

        These are the bytes themselves, or a copy if too many segments are in use. The segment is free for the
        next message when the last object that uses this memory is gone. The caller closes the descriptor.
        What is written to a segment that is lent stays in this process.

        Raises:
            WireError: The peer says what cannot be; nothing has changed.
            MemoryError: It cannot be had now; nothing has changed.
        """
        if not 0 <= size <= capacity or capacity == 0:
            raise WireError(f"{size} bytes are said to be in a segment for {capacity}")
        copied = new_memory(size) if len(self._in_use) >= self._most_in_use else None
        if fd is None:
            mapped = self._known(segment, capacity)
        elif is_lent:
            mapped = self._map_lent(segment, fd, capacity)
        else:
            mapped = self._map(segment, fd, capacity)
        if copied is None:
            return mapped.view(size, self._forks)
        mapped.copy_out(copied)
        return copied

    def _known(self, segment: int, capacity: int) -> "Mapped":
        mapped = self._segments.get(segment)
        if mapped is None:
            raise WireError(f"segment {segment} is used before its descriptor has come")
        if mapped.capacity != capacity:
            raise WireError(f"segment {segment} is for {mapped.capacity} bytes, not for {capacity}")
        if mapped.is_in_use:
            raise WireError(f"segment {segment} is used again while its last buffer is still in use here")
        return mapped

    def _map(self, segment: int, fd: int, capacity: int) -> "Mapped":
        if segment in self._segments:
            raise WireError(f"the descriptor of segment {segment} came a second time")
        check_segment(fd, capacity)
        self.sweep()
        if len(self._segments) >= self._most:
            raise WireError(f"the peer uses more than {self._most} segments")
        mapped = self._segments[segment] = self._mapped(segment, fd, capacity)
        return mapped

    def _map_lent(self, segment: int, fd: int, capacity: int) -> "Mapped":
        """Map a segment of a third process, which is used for one message, and whose state is not ours."""
        if segment in self._segments or segment in self._in_use:
            raise WireError(f"segment {segment} is lent, and was used before")
        check_segment(fd, capacity)
        return self._mapped(segment, fd, capacity, is_lent=True)

    def _mapped(self, segment: int, fd: int, capacity: int, *, is_lent: bool = False) -> "Mapped":
        try:
            return Mapped(fd, capacity, segment, self._in_use, is_private=is_lent)
        except OSError as error:
            text = f"segment {segment} of {capacity} bytes cannot be mapped: {error}"
            if may_pass(error):
                raise MemoryError(text) from error
            raise WireError(text) from error

    def find(self, address: int, size: int) -> "Mapped | None":
        """Return the segment in which so many bytes at an address lie, if it can be lent. Thread-safe."""
        for mapped in list(self._segments.values()):  # one step is atomic
            if mapped.holds(address, size):
                return mapped if mapped.fd is not None else None
        return None

    def sweep(self) -> None:
        """Let go of segments that the peer will not use again; a new one makes this happen, too."""
        for segment, mapped in list(self._segments.items()):
            if mapped.memory[RETIRED] and not mapped.is_in_use:
                del self._segments[segment]

    def forking(self) -> None:
        """Note that this process forks. Called before, and again after in the parent. Thread-safe.

        The child sees the memory of all views that there are at this moment. So their segments are not used
        again: what an author's child process got by the fork must not change when the parent is done with it.
        """
        self._forks.last = object()

    def close(self) -> None:
        """Let go of all that is not in use: the connection has ended. The rest goes when its views go."""
        self._segments.clear()


class _Forks:
    """Stands for the last fork: a new object for each, so that none is missed, whichever threads fork."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = object()


class Mapped:
    """One segment of the peer, in the memory of this process."""

    __slots__ = (
        "_array_type",
        "address",
        "all_in_use",
        "capacity",
        "fd",
        "is_lent",
        "memory",
        "number",
    )

    def __init__(
        self, fd: int, capacity: int, number: int, all_in_use: set[int], *, is_private: bool = False
    ) -> None:
        self.fd: int | None = None  # to lend it by; None: it cannot be lent
        self.capacity = capacity
        self.memory: mmap.mmap = (map_privately if is_private else map_segment)(fd, capacity)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory, HEAD))
        self.number = number
        self.is_lent = False  # to another process: then the peer may not use it again
        if not is_private:
            with suppress(OSError):
                self.fd = os.dup(fd)
        # The thread that opens adds, where it is not in; the end of that view discards, in any thread.
        self.all_in_use = all_in_use
        self._array_type: Any = ctypes.c_ubyte * capacity

    def __del__(self) -> None:
        fd: int | None = getattr(self, "fd", None)
        if fd is not None:
            os.close(fd)

    @property
    def is_in_use(self) -> bool:
        """Whether views of it are left."""
        return self.number in self.all_in_use

    def holds(self, address: int, size: int) -> bool:
        """Return whether so many bytes at an address lie in it."""
        return self.address <= address and address + size <= self.address + self.capacity

    def copy_out(self, to: memoryview) -> None:
        """Copy what was placed, and free the segment at once."""
        size = to.nbytes
        if size <= MOST_WITH_GIL:
            to[:] = memoryview(self.memory)[HEAD : HEAD + size]
        else:
            source, target = ctypes.c_char.from_buffer(self.memory, HEAD), ctypes.c_char.from_buffer(to)
            ctypes.memmove(ctypes.addressof(target), ctypes.addressof(source), size)  # without the GIL
        self.memory[STATE] = FREE

    def view(self, size: int, forks: _Forks) -> memoryview:
        """Return so many bytes, at the end of whose use the segment is given back."""
        # All views of a ctypes array, and views of views, refer to the array and to nothing above it. So its
        # end is the end of the last of them. A memoryview or an mmap tells nobody of such an end.
        array = self._array_type.from_buffer(self.memory, HEAD)
        array.end = _End(self, forks, forks.last, os.getpid())
        return memoryview(array).cast("B")[:size]


class _End:
    """An attribute of an array: ends with it, and gives the segment back.

    It takes no lock, so it may happen anywhere: in the garbage collection of any thread, under any lock.

    The finalizer of a thing in a garbage cycle is called while others of that cycle still have theirs before
    them. These may use the memory, and even bring it back to life. (A weak reference has the same flaw: its
    callback comes before all finalizers.) So a finalizer that the garbage collection calls puts another End
    into its place, which is not in that cycle's list, and goes when the array really does.
    """

    __slots__ = ("_fork", "_forks", "_mapped", "_pid", "_successor")

    def __init__(self, mapped: Mapped, forks: _Forks, fork: object, pid: int) -> None:
        self._mapped = mapped
        self._forks = forks
        self._fork = fork  # the last one when the view was made
        self._pid = pid
        mapped.all_in_use.add(mapped.number)

    def __del__(self) -> None:
        # The garbage collection sets this before it calls the finalizer; the last reference does after it.
        if gc.is_finalized(self):
            self._successor = _End(self._mapped, self._forks, self._fork, self._pid)
            return
        if os.getpid() != self._pid:
            return  # a copy of it, in a child that was forked
        mapped = self._mapped
        # First what this process knows: as soon as the peer knows, it may use the segment again.
        mapped.all_in_use.discard(mapped.number)
        is_clean = self._forks.last is self._fork and not mapped.is_lent
        mapped.memory[STATE] = FREE if is_clean else SPOILED
