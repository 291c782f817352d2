"""A transport under test, with all that it has received and refused."""

from collections.abc import Callable, Sequence
from threading import Condition

import pytest

from corps.messages.members import Member
from corps.transport.link import Transport
from corps.wire.frames import Frame

_LIMIT = 30.0  # seconds that anything may take before the test has failed; nothing waits for them to pass

Message = tuple[int, list[Frame]]


class Station:
    """One end: a transport, its record in the membership, and what it has received. Any thread may use it."""

    def __init__(self, transport: Transport, member: Member) -> None:
        """Make it.

        Args:
            transport: Not started yet.
            member: Its record.
        """
        self.transport = transport
        self.member = member
        self.messages: list[Message] = []
        self.refused: list[str] = []
        self.before_each: Callable[[], object] = lambda: None
        self._changed = Condition()
        transport.audit.watch = self._refuse

    def start(self) -> None:
        """Begin to read."""
        self.transport.start(self._receive)

    def wait_for(self, n: int) -> list[Message]:
        """Wait until so many messages have come.

        Args:
            n: How many.

        Returns:
            All messages so far.
        """
        with self._changed:
            # No assert: with -O it would not wait.
            if not self._changed.wait_for(lambda: len(self.messages) >= n, _LIMIT):
                pytest.fail(f"only {len(self.messages)} of {n} messages came")
            return list(self.messages)

    def wait_refused(self) -> None:
        """Wait until something was refused."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self.refused), _LIMIT):
                pytest.fail("nothing was refused")

    def bodies(self) -> list[bytes]:
        """The first frames of what has come."""
        with self._changed:
            return [bytes(frames[0]) for _, frames in self.messages]

    def _receive(self, env: int, frames: Sequence[Frame]) -> None:
        self.before_each()
        with self._changed:
            self.messages.append((env, list(frames)))
            self._changed.notify_all()

    def _refuse(self, kind: str, _: str) -> None:
        with self._changed:
            self.refused.append(kind)
            self._changed.notify_all()
