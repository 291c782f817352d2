"""Keeps what a process has in memory, keys among it, out of the core file that the kernel writes at a crash.

There are two bars: the size limit, which does not count where the kernel pipes cores to a program, and the
kernel's filter of what a core holds. Both stay, because freed memory may still hold keys. Debuggers and
profilers of the same user work as before; `PR_SET_DUMPABLE` would stop them, and would close ``/proc/self``
to the process itself. All that a process starts inherits both bars.
"""

import contextlib
import resource
from typing import Final

_FILTER: Final = "/proc/self/coredump_filter"
_NOTHING: Final = "0"


def turn_off_core_files() -> None:
    """Keep the memory of this process out of core files. Idempotent."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    with contextlib.suppress(OSError), open(_FILTER, "w") as file:  # no Linux, or no /proc
        file.write(_NOTHING)
