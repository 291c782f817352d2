"""Keeps what a process has in memory, keys among it, out of files that are written when it crashes.

There are two bars, because the first one does not count where cores are piped to a program: the size limit,
and the kernel's filter of what a core holds. Both stay: what was freed may still lie in memory. Debuggers and
profilers of the same user work as before; `PR_SET_DUMPABLE` would stop them, and would close ``/proc/self``
to the process itself. All that a process starts inherits both.
"""

import contextlib
import resource
from typing import Final

_FILTER: Final = "/proc/self/coredump_filter"
_NOTHING: Final = "0"


def turn_off_core_files() -> None:
    """Have no core file of this process hold memory. Idempotent."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    with contextlib.suppress(OSError), open(_FILTER, "w") as file:  # no Linux, or no /proc
        file.write(_NOTHING)
