"""When the thread that reads has to come back, though nothing comes."""

from typing import Final

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
        self.times: Final[dict[int, float]] = {}
        """When each is due, the one that was set first at first. Not to be changed by others."""

    def __len__(self) -> int:
        """Return how many connections there are."""
        return len(self.times)

    def __contains__(self, fd: int) -> bool:
        """Return whether a connection is here."""
        return fd in self.times

    def set(self, fd: int, at: float) -> None:
        """Have a connection be due at that time, as the last of those that were set."""
        self.times.pop(fd, None)
        self.times[fd] = at

    def remove(self, fd: int) -> None:
        """Take out a connection. One that is not here is no error."""
        self.times.pop(fd, None)

    def within(self, timeout: float | None) -> float | None:
        """Return how long the thread may wait that wants to wait `timeout` seconds."""
        return until(min(self.times.values()), timeout) if self.times else timeout

    def due(self) -> list[int]:
        """Return the connections that are due now, in the order in which they were set. They stay here."""
        if not self.times:
            return []
        at = now()
        return [fd for fd, due in self.times.items() if due <= at]
