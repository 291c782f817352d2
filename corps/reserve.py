"""What the system may be out of for a moment: descriptors, memory, processes.

Code that starts something or connects to a peer asks here whether a failure passes, and so is tried again.
And it may have kept some descriptors in reserve: an application that has opened all there are must not keep
a Corps from replacing an Env, or an Env from answering.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

T = TypeVar("T")

_SCARCE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN})


def may_pass(error: BaseException) -> bool:
    """Whether an error of the system says that something is at an end which may be there again in a moment.

    Args:
        error: An OSError, or another one with an `errno`.
    """
    return getattr(error, "errno", None) in _SCARCE


class Reserve:
    """Descriptors that are kept open, and given up for what must not fail. Any thread may call."""

    def __init__(self, count: int) -> None:
        """Open them, as far as there are any.

        Args:
            count: How many.
        """
        self._count = count
        self._spare: list[int] = []  # adding and taking out is one step of the interpreter
        self.refill()

    def use(self, make: Callable[[], T], most: int = 1) -> T:
        """Open something, if need be with some of the reserve. `refill` comes later.

        Args:
            make: Opens it. Another thread may be faster in taking what was given up.
            most: Descriptors that it takes, now and in a moment.

        Returns:
            What it returned.

        Raises:
            Exception: As `make`.
        """
        self.make_room(most)
        return make()

    def make_room(self, most: int = 1) -> bool:
        """Give some of the reserve up, if need be, for what the caller opens next.

        Args:
            most: Descriptors that are to be free.

        Returns:
            Whether they are.
        """
        free = self._free(most)
        self._give_up(most - free)
        return free == most or self._free(most) == most

    def refill(self) -> None:
        """Open again what was given up, as far as there are descriptors."""
        with suppress(OSError):
            while len(self._spare) < self._count:
                self._spare.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def close(self) -> None:
        """Keep nothing any more. Idempotent."""
        self._count = 0
        self._give_up(len(self._spare))

    @staticmethod
    def _free(most: int) -> int:
        """How many descriptors there are, up to so many."""
        found: list[int] = []
        with suppress(OSError):
            while len(found) < most:
                found.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        for fd in found:
            os.close(fd)
        return len(found)

    def _give_up(self, most: int) -> None:
        with suppress(IndexError):
            for _ in range(most):
                os.close(self._spare.pop())
