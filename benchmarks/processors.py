"""Which processor a process runs on. A call between two processes depends on whether they share one."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.timing import Works


class Processors(NamedTuple):
    """The processor of the caller, and that of the process that is called; they may be the same."""

    near: int
    far: int


def processors(number: int) -> Processors:
    """Choose among those that this process may use now.

    Args:
        number: 1 for one that both have, 2 for one each.

    Returns:
        The processors.

    Raises:
        OSError: There are not as many.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < number:
        raise OSError(f"{number} processors are wanted, and {len(usable)} may be used")
    return Processors(usable[0], usable[number - 1])


def pin(pid: int, processor: int) -> None:
    """Have all threads of a process run on one processor, and those that they will start.

    Args:
        pid: Of the process.
        processor: Where.
    """
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # a thread may end meanwhile
            os.sched_setaffinity(int(task.name), {processor})


def part(chosen: Processors) -> None:
    """Have this process run on the near processor, and all that it has started on the far one.

    Args:
        chosen: The processors.
    """
    pin(os.getpid(), chosen.near)
    for process in psutil.Process().children(recursive=True):
        with suppress(FileNotFoundError):  # a process may end meanwhile
            pin(process.pid, chosen.far)


@contextmanager
def pinned(
    number: int, plain: Callable[[float], AbstractContextManager[Works]], share: float
) -> Iterator[Works]:
    """What a subject does, with this process on one processor and all that it has started on another one.

    Args:
        number: 1 for the same processor.
        plain: Opens the subject.
        share: Of its full size.

    Yields:
        Its works.
    """
    chosen = processors(number)
    with plain(share) as works:
        part(chosen)
        yield works
