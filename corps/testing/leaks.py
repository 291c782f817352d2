"""What a test, or any stretch of code, leaves behind.

Processes, threads, descriptors, shared memory and directories:

    before = Snapshot.take()
    ...
    assert before.leaks() == []

It looks at this process and its descendants only. The kernel does not say which process has made a piece of
shared memory or a directory. So a new one counts unless its name holds the id of another living process, or a
process outside of this family has it open. Shared memory whose name holds the id of a process that has ended
does not count either: it may have been any.
"""

import contextlib
import os
import re
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass

import psutil

from corps.clock import deadline_after, remaining

_SHARED_MEMORY = "/dev/shm"  # noqa: S108  # only looked at
_PREFIX = "corps-"
# `multiprocessing` removes the name of a semaphore as soon as it is made: another process makes this one now.
_SEMAPHORE = "sem.mp-"
_NUMBER = re.compile(r"(?:^|[-_.])(\d+)(?=[-_.]|$)")
_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1


@dataclass(frozen=True)
class Snapshot:
    """What there is at one moment. Thread-safe.

    Attributes:
        processes: Descendants of this process; equality of two includes their time of creation.
        threads: Living threads of this process.
        fds: What each open descriptor points at.
        paths: Entries of ``/dev/shm`` and directories named ``corps-*``.
    """

    processes: frozenset[psutil.Process]
    threads: frozenset[threading.Thread]
    fds: dict[int, str]
    paths: frozenset[str]

    @classmethod
    def take(cls) -> "Snapshot":
        """Look around.

        Returns:
            What there is now.
        """
        return cls(
            _descendants(),
            frozenset(threading.enumerate()),
            _open_fds(),
            frozenset(_shared_memory() + _runtime_dirs()),
        )

    def leaks(self, settle: float = 5.0) -> list[str]:
        """Return what is there now and was not then.

        Args:
            settle: Seconds that things may take which are about to go.

        Returns:
            One readable line for each; empty, and at once, as soon as nothing is left.
        """
        deadline = deadline_after(settle)
        pause = _FIRST_PAUSE
        while lines := self._difference():
            if remaining(deadline) == 0.0:
                return lines
            # A descriptor or a directory that goes away wakes nobody, so here we look again and again.
            threading.Event().wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return []

    def _difference(self) -> list[str]:
        after = Snapshot.take()
        lines = [_describe_process(process) for process in after.processes - self.processes]
        lines += [f"thread {thread.name!r}" for thread in after.threads - self.threads if thread.is_alive()]
        lines += self._new_fds(after.fds)
        lines += [f"path {path}" for path in after.paths - self.paths if not _is_foreign(path)]
        return sorted(lines)

    def _new_fds(self, after: dict[int, str]) -> list[str]:
        # Counted by what they point at: a log file that was closed and opened again has another number.
        surplus = Counter(after.values()) - Counter(self.fds.values())
        lines = []
        for fd, target in after.items():
            if surplus[target] > 0 and self.fds.get(fd) != target:
                surplus[target] -= 1
                lines.append(f"fd {fd} -> {target}")
        return lines


def _descendants() -> frozenset[psutil.Process]:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # without children
        return frozenset()
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):  # a kernel without these lists
        return frozenset(psutil.Process().children(recursive=True))
    pids = _pids_below(os.getpid())
    # One may be passed over while another process or thread ends: two looks that agree have missed none.
    while pids != (pids := _pids_below(os.getpid())):
        pass
    found = set()
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.add(psutil.Process(pid))
    return frozenset(found)


def _pids_below(pid: int) -> set[int]:
    """Return the descendants of a process. To look through all processes of the machine takes 6 ms."""
    children = set()
    with contextlib.suppress(FileNotFoundError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with (
                contextlib.suppress(FileNotFoundError, ProcessLookupError),
                open(f"/proc/{pid}/task/{task}/children", "rb") as listed,
            ):
                children |= {int(child) for child in listed.read().split()}
    return children.union(*map(_pids_below, children))


def _open_fds() -> dict[int, str]:
    fds = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            # The descriptor with which the directory was read is in the list, and closed by now.
            with contextlib.suppress(OSError):
                fds[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return fds


def _shared_memory() -> list[str]:
    with contextlib.suppress(OSError):
        names = [name for name in os.listdir(_SHARED_MEMORY) if not name.startswith(_SEMAPHORE)]
        return [os.path.join(_SHARED_MEMORY, name) for name in names]
    return []


def _runtime_dirs() -> list[str]:
    ours = f"{_PREFIX}{os.getuid()}"  # in which those of this user may lie; it stays
    places = [tempfile.gettempdir()]
    if base := os.environ.get("XDG_RUNTIME_DIR"):
        places.append(os.path.join(base, ours))
    found = []
    for place in places:
        with contextlib.suppress(OSError):
            names = [name for name in os.listdir(place) if name.startswith(_PREFIX) and name != ours]
            found += [os.path.join(place, name) for name in names]
    return found


def _describe_process(process: psutil.Process) -> str:
    try:
        command = " ".join(process.cmdline()) or process.name()
        return f"process {process.pid} ({process.status()}): {command[:200]}"
    except psutil.Error:
        return f"process {process.pid}"


def _is_foreign(path: str) -> bool:
    """Return whether a process outside of our family made or uses this path, and none of ours does."""
    family = {os.getpid(), *(child.pid for child in _descendants())}
    maker = _NUMBER.search(os.path.basename(path))
    is_shared_memory = path.startswith(_SHARED_MEMORY)
    if maker is not None and int(maker[1]) in family:
        return False
    if maker is not None and (is_shared_memory or psutil.pid_exists(int(maker[1]))):
        return True
    if not is_shared_memory or any(_uses(pid, path) for pid in family):
        return False
    return any(_uses(pid, path) for pid in psutil.pids() if pid not in family)


def _uses(pid: int, path: str) -> bool:
    """Return whether a process has this path, or something below it, in memory or open."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        if any(path in line for line in maps):
            return True
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{name}").startswith(path):
                    return True
    return False
