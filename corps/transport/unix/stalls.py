"""Connections whose next message cannot be taken now, because there is no memory or no descriptor for it.

Nothing of it is lost: it is tried again, less and less often. Meanwhile nothing more is read, so the kernel
slows the sender. Only after a while without success the connection is given up.
"""

from corps.clock import now
from corps.reserve import FIRST_PAUSE, longer
from corps.transport.timetable import Timetable


class Stalls(Timetable):
    """The stalled connections of one Env. Each is to be tried again when it is due."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self._patience = patience
        self._tries: dict[int, tuple[float, float]] = {}  # the last pause, and until when

    def add(self, fd: int) -> bool:
        """Stall a connection. Return False if it has been so for too long: then it is over."""
        at = now()
        pause, until = self._tries.get(fd, (FIRST_PAUSE / 2, at + self._patience))
        if at >= until:
            self.remove(fd)
            return False
        pause = longer(pause)
        self._tries[fd] = pause, until
        self.set(fd, at + pause)
        return True

    def remove(self, fd: int) -> None:
        """Take out a connection that goes on, or is gone. One that is not stalled is no error."""
        super().remove(fd)
        self._tries.pop(fd, None)
