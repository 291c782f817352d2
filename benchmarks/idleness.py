"""How often idle Envs wake up: each time a processor may have slept, and energy is used."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil

import corps
from benchmarks.cases import IDLENESS, WAKE_UPS, Subject
from benchmarks.timing import Effort, Works
from benchmarks.workers import App

SUBJECT: Final = "corps, 2 Envs"
SETTLING: Final = 1.0
"""Seconds after the last call, in which threads may still look for more."""


def switches(but_for: int) -> int:
    """How often threads have begun to wait so far: all of this process and of those below it.

    Args:
        but_for: The native id of the thread that does not count, because it measures.

    Returns:
        The sum. Each wait that has ended was a wake-up.
    """
    total = 0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            if int(task.name) != but_for:
                with suppress(FileNotFoundError):  # a thread may end meanwhile
                    total += _voluntary(task / "status")
    return total


def _voluntary(status: Path) -> int:
    for line in status.read_text("ascii").splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    raise OSError("the kernel does not count the switches of threads")


def idle_for(effort: Effort) -> list[float]:
    """Do nothing for the seconds of the effort, and give the wake-ups of a second."""
    own = threading.get_native_id()
    time.sleep(min(SETTLING, effort.seconds))
    before, begin = switches(own), time.monotonic()
    time.sleep(effort.seconds)
    return [(switches(own) - before) / (time.monotonic() - begin)]


@contextmanager
def two_envs(share: float) -> Iterator[Works]:
    """Two Envs, whose workers have been called, and which have nothing to do."""
    with corps.boot(App, envs=2) as app:
        corps.gather([worker.add(1) for worker in app.names().ret]).result()
        yield {WAKE_UPS: idle_for}


SUBJECTS: Final = (Subject(IDLENESS, SUBJECT, "corps", two_envs),)
