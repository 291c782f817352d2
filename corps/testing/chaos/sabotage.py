"""The saboteur: a worker that does harm to the Env in which it lives.

A timer inside the process undoes what changes the whole process. So it ends even if the Env cannot be
reached. Each method says where it does less than its name promises, because it is not root or would harm
other programs.
"""

import ctypes
import os
import resource
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from corps.workers.conc import Conc

_CLOCK: Final[Any] = sys.modules["time"]
_TRUE_TIME: Final[Callable[[], float]] = _CLOCK.time  # as it was before any storm
_TRUE_TIME_NS: Final[Callable[[], int]] = _CLOCK.time_ns
_RUNTIME_DIR: Final = "/corps-"


class Saboteur(Conc):
    """Does harm on request. The methods that end the process give no answer."""

    def segfault(self) -> None:
        """Read from address 0."""
        ctypes.string_at(0)

    def abort(self) -> None:
        """Have the C library end the process by SIGABRT."""
        os.abort()

    def leave(self) -> None:
        """End the process without any word."""
        os._exit(3)

    def hold_interpreter(self, seconds: float) -> None:
        """Sleep in C without letting go of the GIL: no Python of this Env runs meanwhile."""
        ctypes.PyDLL(None).usleep(ctypes.c_uint(int(seconds * 1e6)))

    def fail(self, kind: str) -> None:
        """Raise an exception, or recurse without an end."""
        if kind == "overflow":
            self.fail(kind)
        raise getattr(sys.modules["builtins"], kind)("planned")

    def give(self, size: int) -> bytes:
        """Give something large."""
        return bytes(size)

    def lower_descriptors(self, room: int, seconds: float) -> int:
        """Let this process open only so many files more, for a time. Return the limit."""
        limit = max(int(name) for name in os.listdir("/proc/self/fd")) + 1 + room
        _limit_for(resource.RLIMIT_NOFILE, limit, seconds)
        return limit

    def lower_file_size(self, limit: int, seconds: float) -> None:
        """Let no file, and no shared memory, of this process grow beyond a size.

        This comes nearest to a full disk without a file system of its own.
        """
        _limit_for(resource.RLIMIT_FSIZE, limit, seconds)

    def jump_clock(self, offset: float, seconds: float) -> None:
        """Let `time.time` and `time.time_ns` of this process be wrong, for a time.

        Only Python code that looks them up in the module notices it. What C code reads, and `datetime.now`,
        stay as they are. The clock of the machine is not touched.
        """
        _CLOCK.time = lambda: _TRUE_TIME() + offset
        _CLOCK.time_ns = lambda: _TRUE_TIME_NS() + int(offset * 1e9)

        def restore() -> None:
            _CLOCK.time, _CLOCK.time_ns = _TRUE_TIME, _TRUE_TIME_NS

        _after(seconds, restore)

    def cut_links(self, most: int) -> int:
        """Shut down so many connections of this Env, as if the peer had closed them. Return their number."""
        links = _links()
        try:
            for link in links[:most]:
                link.shutdown(socket.SHUT_RDWR)
        finally:
            for link in links:
                link.close()
        return len(links[:most])

    def narrow_links(self, size: int) -> int:
        """Make the kernel's buffers of all links of this Env so small. Return the number of links."""
        links = _links()
        for link in links:
            with link:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
                link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        return len(links)


def _limit_for(which: int, limit: int, seconds: float) -> None:
    _, hard = resource.getrlimit(which)
    bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(which, (bound, hard))
    # To the hard limit, as every Env has it, and not to what was found: that may be the work of another one.
    _after(seconds, lambda: resource.setrlimit(which, (hard, hard)))


def _after(seconds: float, act: Callable[[], object]) -> None:
    timer = threading.Timer(seconds, act)
    timer.name = "chaos-undo"
    timer.daemon = True
    timer.start()


def _links() -> list[socket.socket]:
    """Duplicate the connections of this process whose one end has a name in a runtime directory."""
    found = []
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            link = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue  # closed meanwhile
        if _is_link(link):
            found.append(link)
        else:
            link.close()
    return found


def _is_link(link: socket.socket) -> bool:
    try:
        ends = (link.getsockname(), link.getpeername())
    except OSError:
        return False  # it listens, or is not connected any more
    return link.family == socket.AF_UNIX and any(isinstance(end, str) and _RUNTIME_DIR in end for end in ends)
