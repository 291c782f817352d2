"""What the defaults of some settings take from this machine. No pydantic: most boots need no model."""

import os
import sys
from typing import Final

MIB: Final = 1024 * 1024
MOST_ENVS: Final = 1024


def cores() -> int:
    """Count the cores on which this process may run, which can be fewer than the machine has."""
    if sys.version_info >= (3, 13):
        return min(MOST_ENVS, os.process_cpu_count() or 1)  # or what `python -X cpu_count` says
    return min(MOST_ENVS, len(os.sched_getaffinity(0)))


def quarter_of_memory() -> int:
    """Return a quarter of the memory of this machine, in bytes; a MiB at least."""
    return max(MIB, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4)
