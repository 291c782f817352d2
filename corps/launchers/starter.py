"""What a host needs of whatever starts programs there: a stream of bytes to a program that it has started.

The program is the parent of the Envs of that host, `corps.launchers.remote.parent`. A starter that can start
a program, and lead bytes to it and back, is all that another kind of host takes.
"""

from collections.abc import Sequence
from typing import Protocol


class ByteStream(Protocol):
    """Leads to a program that was started on a host. Thread-safe, but for `read`, of which one thread."""

    def read(self) -> bytes:
        """Wait for bytes that the program has written; empty at the end."""

    def write(self, data: bytes) -> None:
        """Write all of it. Blocks. If the program is not reached any more, it is a BrokenError."""

    def ended(self, timeout: float) -> str | None:
        """Wait so many seconds for the end of the program; say how it has ended, as a clause.

        None if that is not known: it may live on, where it is not reached.
        """

    def last_lines(self) -> str:
        """Give the last that it has written for people to read."""

    def close(self) -> None:
        """Have the program hear that the stream is over, and let go of it. Idempotent."""


class Starter(Protocol):
    """Starts a program on one host. Thread-safe."""

    @property
    def shown(self) -> str:
        """What it does, for people: a command, and where."""

    def start(self, words: Sequence[str], timeout: float) -> ByteStream:
        """Start a program by its words.

        Raises:
            EnvStartError: It cannot be started within so many seconds. The text says why.
        """
