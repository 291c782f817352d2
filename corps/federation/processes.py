"""Processes of an external Corps, held by descriptors: a later process with the same id is never meant."""

import contextlib
import os
import select
import signal
from collections.abc import Callable, Iterable, Iterator

from corps.clock import deadline_after, remaining
from corps.process_stat import name_of_process, process_stat


class HeldProcess:
    """One process. One thread. `fd` can be waited for with `select`: it is readable once that has ended."""

    def __init__(self, pid: int, fd: int) -> None:
        """Hold a process by a descriptor of it."""
        self.pid = pid
        self.fd = fd

    def send(self, number: signal.Signals) -> None:
        """Send it a signal. Nothing happens if it has ended.

        Raises:
            PermissionError: It belongs to another user.
        """
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.fd, number)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)


def hold(pid: int, name: str) -> HeldProcess | None:
    """Hold the process that has this id and this name of `name_of_process`; None if it has ended."""
    return _hold(pid, lambda: name_of_process(pid) == name)


@contextlib.contextmanager
def holding_family(parent: int, template: int) -> Iterator[list[HeldProcess]]:
    """Hold the processes of a Corps but for the booting one, `parent`: the Envs, then the template.

    Only children of these two are held. So no process that the application has started is among them.
    """
    family: list[HeldProcess] = []
    try:
        for pid in children_of(template):
            _append(family, pid, template)
        _append(family, template, parent)
        yield family
    finally:
        for each in family:
            each.close()


def children_of(pid: int) -> list[int]:
    """List the ids of the children of a process, sorted."""
    ids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    return sorted(each for each in ids if _is_child(each, pid))


def wait_ended(processes: Iterable[HeldProcess], timeout: float | None) -> bool:
    """Wait until all have ended; return False if one has not within `timeout` seconds."""
    deadline = deadline_after(timeout)
    for each in processes:
        poll = select.poll()
        poll.register(each.fd, select.POLLIN)
        left = remaining(deadline)
        if not poll.poll(None if left is None else left * 1000):
            return False
    return True


def _append(family: list[HeldProcess], pid: int, parent: int) -> None:
    held = _hold(pid, lambda: _is_child(pid, parent))
    if held is not None:
        family.append(held)


def _is_child(pid: int, parent: int) -> bool:
    found = process_stat(pid)
    return found is not None and found.parent == parent and found.state not in "ZX"


def _hold(pid: int, is_meant: Callable[[], bool]) -> HeldProcess | None:
    """Hold a process if, once it is held, it is the one that is meant."""
    try:
        fd = os.pidfd_open(pid)
    except (OSError, ValueError, OverflowError):
        return None
    if is_meant():
        return HeldProcess(pid, fd)
    os.close(fd)
    return None
