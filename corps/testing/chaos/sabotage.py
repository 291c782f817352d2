"""The saboteur: a worker that does harm to the Env in which it lives.

What changes the whole process is undone by a timer inside it, so it ends even if nobody can reach the Env.
What is not honest without being root, or without harm to other programs, is said where it is done.
"""

import ctypes
import os
import resource
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from corps.workers.conc import Conc

_CLOCK: Final = "time"
_CLOCK_READERS: Final[Mapping[str, float]] = {"time": 1.0, "time_ns": 1_000_000_000}
_RUNTIME_DIR: Final = "/corps-"


class Saboteur(Conc):
    """Does harm on request. The methods that end the process give no answer."""

    def segfault(self) -> None:
        """Read from address 0."""
        ctypes.string_at(0)

    def abort(self) -> None:
        """Have the C library end the process by SIGABRT."""
        os.abort()

    def leave(self, status: int) -> None:
        """End the process without any word.

        Args:
            status: Its exit status.
        """
        os._exit(status)

    def hold_interpreter(self, seconds: float) -> None:
        """Sleep in C without letting go of the GIL: no Python of this Env runs meanwhile.

        Args:
            seconds: How long.
        """
        ctypes.PyDLL(None).usleep(ctypes.c_uint(int(seconds * 1e6)))

    def fail(self, kind: str) -> None:
        """Raise.

        Args:
            kind: Name of a builtin exception; "overflow" for a recursion without end.
        """
        if kind == "overflow":
            self.fail(kind)
        raise getattr(sys.modules["builtins"], kind)("planned")

    def give(self, size: int) -> bytes:
        """Give something large.

        Args:
            size: Bytes.

        Returns:
            So many zeros.
        """
        return bytes(size)

    def lower_descriptors(self, room: int, seconds: float) -> int:
        """Let this process open only a few files more.

        Args:
            room: How many.
            seconds: For how long.

        Returns:
            The limit.
        """
        limit = max(int(name) for name in os.listdir("/proc/self/fd")) + 1 + room
        _limit_for(resource.RLIMIT_NOFILE, limit, seconds)
        return limit

    def lower_file_size(self, limit: int, seconds: float) -> None:
        """Let no file, and no shared memory, of this process grow beyond a size.

        The nearest to a full disk that needs no file system of its own.

        Args:
            limit: Bytes.
            seconds: For how long.
        """
        _limit_for(resource.RLIMIT_FSIZE, limit, seconds)

    def jump_clock(self, offset: float, seconds: float) -> None:
        """Let `time.time` and `time.time_ns` of this process be wrong.

        Only for Python code that looks them up in the module when it asks: what C code reads, and
        `datetime.now`, stay as they are. Nothing of the machine is touched.

        Args:
            offset: Seconds to add.
            seconds: For how long.
        """
        clock: Any = sys.modules[_CLOCK]
        for name, unit in _CLOCK_READERS.items():
            setattr(clock, name, _Jumped(getattr(clock, name), type(unit)(offset * unit)))

        def restore() -> None:
            for name in _CLOCK_READERS:
                reader = getattr(clock, name)
                setattr(clock, name, reader.true if isinstance(reader, _Jumped) else reader)

        _after(seconds, restore)

    def cut_links(self, most: int) -> int:
        """Shut down connections of this Env to others, as if the peer had closed them.

        Args:
            most: How many, the oldest descriptors first.

        Returns:
            How many there were to cut.
        """
        links = _links()
        try:
            for link in links[:most]:
                link.shutdown(socket.SHUT_RDWR)
        finally:
            for link in links:
                link.close()
        return len(links[:most])

    def narrow_links(self, size: int) -> int:
        """Make the kernel's buffers of all links of this Env as small as it lets us.

        Args:
            size: Bytes.

        Returns:
            How many links there are.
        """
        links = _links()
        for link in links:
            with link:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
                link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        return len(links)


class _Jumped:
    """A reader of a clock that is wrong. One in place of another one stands on the true one."""

    def __init__(self, reader: Callable[[], float], offset: float) -> None:
        self.true: Callable[[], float] = reader.true if isinstance(reader, _Jumped) else reader
        self._offset = offset

    def __call__(self) -> float:
        return self.true() + self._offset


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
    """The connections of this process whose one end has a name in a runtime directory, as duplicates."""
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
