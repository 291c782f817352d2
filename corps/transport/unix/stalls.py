"""Connections whose next message cannot be taken now, because there is no memory or no descriptor for it.

Nothing of it is lost: it is tried again, less and less often. Meanwhile nothing more is read, so the kernel
slows the sender. Only after a while without success the connection is given up.
"""

from typing import Final

from corps.clock import now

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5


class Stalls:
    """The stalled connections of one Env, by their descriptors. The thread that reads uses it alone."""

    def __init__(self, patience: float) -> None:
        """Begin with none.

        Args:
            patience: Seconds after which a connection is given up.
        """
        self._patience = patience
        # When to try again, the pause before that, and until when.
        self._all: dict[int, tuple[float, float, float]] = {}

    def __len__(self) -> int:
        """Count them."""
        return len(self._all)

    def __contains__(self, fd: int) -> bool:
        """Whether a connection is stalled."""
        return fd in self._all

    def add(self, fd: int) -> bool:
        """Stall a connection whose next message cannot be taken now.

        Args:
            fd: Its descriptor.

        Returns:
            False if it has been so for too long: then it is not stalled any more, but over.
        """
        at = now()
        _, pause, until = self._all.pop(fd, (0.0, _FIRST_PAUSE / 2, at + self._patience))
        if at >= until:
            return False
        pause = min(2 * pause, _LONGEST_PAUSE)
        self._all[fd] = at + pause, pause, until
        return True

    def remove(self, fd: int) -> None:
        """Take out a connection that goes on, or is gone. One that is not stalled is no error.

        Args:
            fd: Its descriptor.
        """
        self._all.pop(fd, None)

    def within(self, timeout: float | None) -> float | None:
        """How long the thread that reads may wait for something to come.

        Args:
            timeout: Seconds that it wants to; None for as long as it takes.

        Returns:
            Seconds that it may.
        """
        for due, _, _ in self._all.values():
            rest = max(0.0, due - now())
            timeout = rest if timeout is None else min(rest, timeout)
        return timeout

    def due(self) -> list[int]:
        """The descriptors of those that are to be tried again now. They stay stalled until `remove`."""
        at = now()
        return [fd for fd, (due, _, _) in self._all.items() if due <= at]
