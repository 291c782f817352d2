"""What the kernel says of a process, by which a later one with the same id is known to be another."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """What ``/proc/<pid>/stat`` says of a process.

    Attributes:
        state: One letter: ``R`` for running, ``T`` for stopped, ``Z`` for ended and not yet reaped.
        parent: The id of its parent.
        started: When it started, in ticks of the kernel since the machine started.
    """

    state: str
    parent: int
    started: int


def process_stat(pid: int) -> ProcessStat | None:
    """Read what the kernel says of a process; None if there is none with this id."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The second field is a name in parentheses, which may hold anything.
            fields = file.read().rpartition(b")")[2].split()
        return ProcessStat(fields[0].decode("ascii"), int(fields[1]), int(fields[19]))
    except (OSError, IndexError, ValueError):
        return None


def name_of_process(pid: int) -> str:
    """Return a text that no other process has, also after its end; empty if there is none with this id.

    The id may be used again, so the text has the time of its start, the start of the machine, and the
    namespace in which the id counts. Of a process that has ended and is not yet reaped the text is empty.
    """
    found = process_stat(pid)
    if found is None or found.state in "ZX":
        return ""
    return f"{found.started}@{place_of_ids()}"


def place_of_ids() -> str:
    """Return where, and since when, the ids of processes count that this process sees."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except (OSError, ValueError):  # a sandbox may hide it
        boot = ""
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        namespace = 0
    return f"{boot}/{namespace}"
