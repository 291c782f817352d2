"""Transports under test, with all that they have received and refused."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition, Thread

import pytest

from corps.errors import VersionMismatch
from corps.messages.members import Member
from corps.transport.link import Transport
from corps.wire.frames import Frame, Hello

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
        self.broken: list[Member] = []
        self.refusals: list[VersionMismatch | None] = []  # why, for each of the broken ones
        self.before_each: Callable[[], object] = lambda: None
        self._changed = Condition()
        self._reader: Thread | None = None
        self._is_over = False
        transport.audit.watch = self._refuse

    def start(self) -> None:
        """Begin to read, in a thread."""
        self.transport.start(self._receive, self._break)
        self._reader = Thread(target=self._read, name=f"env{self.member.env}-io", daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Stop reading, and close the transport. Idempotent."""
        self._is_over = True
        if self._reader is not None:
            self.transport.interrupt()
            self._reader.join()
            self._reader = None
        self.transport.close()
        self.transport.audit.watch = None  # no cycle: what was received ends with this object

    def _read(self) -> None:
        while not self._is_over:
            self.transport.hand_on(self.transport.await_ready(None))

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

    def wait_broken(self) -> None:
        """Wait until a link has broken."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self.broken), _LIMIT):
                pytest.fail("no link has broken")

    def bodies(self) -> list[bytes]:
        """The first frames of what has come."""
        with self._changed:
            return [bytes(frames[0]) for _, frames in self.messages]

    def _receive(self, env: int, frames: Sequence[Frame]) -> None:
        self.before_each()
        with self._changed:
            self.messages.append((env, list(frames)))
            self._changed.notify_all()

    def _break(self, member: Member, refusal: VersionMismatch | None = None) -> None:
        with self._changed:
            self.broken.append(member)
            self.refusals.append(refusal)
            self._changed.notify_all()

    def _refuse(self, kind: str, *_: object) -> None:
        with self._changed:
            self.refused.append(kind)
            self._changed.notify_all()


class StationMaker(ABC):
    """Makes stations that can reach each other."""

    @abstractmethod
    def make_transport(self, hello: Hello) -> tuple[Transport, str]:
        """Make a transport that can reach the others made by this object.

        Args:
            hello: Who the Env is.

        Returns:
            The transport, and its public key or an empty text.
        """

    def endpoint_of(self, transport: Transport) -> str:
        """Return where others reach a transport.

        Args:
            transport: One that this object has made.

        Returns:
            What goes into its record.
        """
        return transport.endpoint

    def station(self, env: int, corps: str = "0123456789abcdef") -> Station:
        """Make a transport with a fresh incarnation.

        Args:
            env: Id of its Env.
            corps: Id of its Corps.

        Returns:
            Its station; not started, and admitting nobody.
        """

        def join(hello: Hello) -> tuple[Transport, Member]:
            transport, public_key = self.make_transport(hello)
            return transport, Member(env, hello.incarnation, self.endpoint_of(transport), public_key)

        return station_of(env, join, corps)

    @contextmanager
    def stations(self, n: int) -> Iterator[list[Station]]:
        """Transports that have admitted each other, started, and closed in the end.

        Args:
            n: How many; their Envs are 1 to `n`.

        Yields:
            Their stations.
        """
        made: list[Station] = []
        try:
            made.extend(self.station(env) for env in range(1, n + 1))
            for one in made:
                for other in made:
                    if one is not other:
                        one.transport.admit(other.member)
            for one in made:
                one.start()
            yield made
        finally:
            for one in made:
                one.close()


def station_of(
    env: int, join: Callable[[Hello], tuple[Transport, Member]], corps: str = "0123456789abcdef"
) -> Station:
    """Make a station with a fresh incarnation.

    Args:
        env: Id of its Env.
        join: Makes its transport, and its record.
        corps: Id of its Corps.

    Returns:
        The station; not started, and admitting nobody.
    """
    return Station(*join(Hello(corps, env, secrets.token_hex(16))))


def run_together(calls: Sequence[Callable[[], object]]) -> None:
    """Run them in threads of their own, and raise what any of them raised."""
    failures: list[BaseException] = []

    def run(call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:
            failures.append(error)

    threads = [Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
