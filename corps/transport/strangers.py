"""Connections that have not said yet who they are: few at a time, and none for long."""

from typing import Final

from corps.clock import now

MOST: Final = 256
"""So many at once: each takes a descriptor of the Env, and a bit of memory."""


class Strangers:
    """The connections of one Env that have not said hello. The thread that reads uses it alone."""

    def __init__(self, patience: float, most: int = MOST) -> None:
        """Begin with none.

        Args:
            patience: Seconds that each has to say who it is.
            most: How many there may be at once.
        """
        self._patience = patience
        self._most = most
        self._until: dict[int, float] = {}  # oldest first

    def add(self, fd: int) -> None:
        """Add a connection.

        Args:
            fd: Its descriptor.
        """
        self._until[fd] = now() + self._patience

    def remove(self, fd: int) -> None:
        """Take out one that has said who it is, or is gone. One that is no stranger is no error.

        Args:
            fd: Its descriptor.
        """
        self._until.pop(fd, None)

    def within(self, timeout: float | None) -> float | None:
        """How long the thread that reads may wait for something to come.

        Args:
            timeout: Seconds that it wants to; None for as long as it takes.

        Returns:
            Seconds that it may.
        """
        for until in self._until.values():
            rest = max(0.0, until - now())
            return rest if timeout is None else min(rest, timeout)
        return timeout

    def due(self) -> list[int]:
        """Those that are to go, if they still have nothing to say.

        Returns:
            Descriptors, oldest first.
        """
        if not self._until:
            return []
        surplus = len(self._until) - self._most
        at = now()
        return [fd for place, (fd, until) in enumerate(self._until.items()) if place < surplus or until <= at]
