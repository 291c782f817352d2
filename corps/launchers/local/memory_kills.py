"""Whether the kernel has killed a process because it had no memory left."""

from pathlib import Path
from typing import Final

_VMSTAT: Final = Path("/proc/vmstat")
_COUNTER: Final = "oom_kill "


class MemoryKills:
    """Watches the count of processes that the kernel has killed for want of memory. One thread.

    The count is that of the whole machine: it cannot tell a process of ours from another program that the
    kernel kills at the same moment.
    """

    def __init__(self) -> None:
        self._seen = _count()

    def is_new(self) -> bool:
        """Return whether the kernel has killed one since the last call."""
        before, self._seen = self._seen, _count()
        return self._seen > before


def _count() -> int:
    try:
        lines = _VMSTAT.read_text("ascii").splitlines()
        return next(int(line.removeprefix(_COUNTER)) for line in lines if line.startswith(_COUNTER))
    except (OSError, ValueError, StopIteration):  # a kernel that does not count
        return 0
