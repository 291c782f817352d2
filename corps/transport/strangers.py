"""Connections that have not said yet who they are: few at a time, and none for long."""

from typing import Final

from corps.clock import now
from corps.transport.timetable import Timetable

MOST: Final = 256
"""So many at once: each takes a descriptor of the Env, and a bit of memory."""


class Strangers(Timetable):
    """The connections of one Env that have not said hello. Each has to go when it is due."""

    def __init__(self, patience: float, most: int = MOST) -> None:
        super().__init__()
        self._patience = patience
        self._most = most

    def add(self, fd: int) -> None:
        """Add a connection. If there are too many then, the oldest are due at once."""
        at = now()
        self.set(fd, at + self._patience)
        for oldest in list(self.times)[: max(0, len(self) - self._most)]:
            self.times[oldest] = min(at, self.times[oldest])
