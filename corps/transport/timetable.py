"""When the thread that reads has to come back, though nothing comes."""

from corps.clock import now


def until(due: float | None, timeout: float | None) -> float | None:
    """Return how long a thread may wait that wants to wait `timeout` seconds, and has to be back when due."""
    if due is None:
        return timeout
    rest = max(0.0, due - now())
    return rest if timeout is None else min(rest, timeout)


class Timetable:
    """When each of some connections is due, by their descriptors. The thread that reads uses it alone."""

    def __init__(self) -> None:
        self._due: dict[int, float] = {}  # the one that was set first comes first

    def __len__(self) -> int:
        """Return how many connections there are."""
        return len(self._due)

    def __contains__(self, fd: int) -> bool:
        """Return whether a connection is here."""
        return fd in self._due

    def set(self, fd: int, at: float) -> None:
        """Have a connection be due at that time, as the last of those that were set."""
        self._due.pop(fd, None)
        self._due[fd] = at

    def remove(self, fd: int) -> None:
        """Take out a connection. One that is not here is no error."""
        self._due.pop(fd, None)

    def within(self, timeout: float | None) -> float | None:
        """Return how long the thread may wait that wants to wait `timeout` seconds."""
        return until(min(self._due.values()), timeout) if self._due else timeout

    def due(self) -> list[int]:
        """Return the connections that are due now, in the order in which they were set. They stay here."""
        if not self._due:
            return []
        at = now()
        return [fd for fd, due in self._due.items() if due <= at]
