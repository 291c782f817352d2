"""What the system may be out of for a moment: descriptors, memory, processes.

Code that starts something or connects to a peer asks here whether a failure passes, and tries again if so. It
may also keep some descriptors in reserve. So an application that has opened all descriptors cannot keep a
Corps from replacing an Env, or an Env from answering.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

T = TypeVar("T")

FIRST_PAUSE: Final = 0.05  # seconds until the system is asked again for what it did not give
_LONGEST_PAUSE: Final = 1.0

_SCARCE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN})


def may_pass(error: BaseException) -> bool:
    """Return whether an error says that the system lacks something that it may have again in a moment."""
    return getattr(error, "errno", None) in _SCARCE


def longer(pause: float) -> float:
    """Return the seconds to wait after another try in vain: twice as many, up to a limit."""
    return min(2 * pause, _LONGEST_PAUSE)


class Reserve:
    """Descriptors that are kept open, and given up for what must not fail. Thread-safe."""

    def __init__(self, count: int) -> None:
        """Open so many descriptors, as far as there are any."""
        self._count = count
        self._spare: list[int] = []  # adding and taking out is one step of the interpreter
        self.refill()

    def use(self, make: Callable[[], T], most: int = 1) -> T:
        """Call `make`, which opens up to `most` descriptors, if need be from the reserve."""
        self.make_room(most)
        return make()

    def make_room(self, most: int = 1) -> bool:
        """Free so many descriptors for the caller, if need be from the reserve. Return whether it did."""
        free = self._free(most)
        self._give_up(most - free)
        return free == most or self._free(most) == most

    def refill(self) -> None:
        """Open again what was given up, as far as there are descriptors."""
        with suppress(OSError):
            while len(self._spare) < self._count:
                self._spare.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def close(self) -> None:
        """Close all descriptors of the reserve, for good. Idempotent."""
        self._count = 0
        self._give_up(len(self._spare))

    @staticmethod
    def _free(most: int) -> int:
        """Count the free descriptors, up to so many."""
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
