"""What the far side of the links needs of the Env on the near side: its `runtime.env.Env`."""

from collections.abc import Callable
from typing import Protocol

from corps.addresses import ConcAddr
from corps.messages.dead_letters import LetterBox
from corps.messages.interfaces import Interface
from corps.messages.requests import Request
from corps.messages.streams import Held, Streaming
from corps.messages.waits import LinkReaders
from corps.wire.frames import ProbeHeader


class AlarmClock(Protocol):
    """Calls a function later: a `corps.runtime.threads.alarms.Alarms`."""

    def at(self, due: float, ring: Callable[[], object]) -> object:
        """Call `ring` at a point on the monotonic clock."""


class StreamSide(Protocol):
    """The Env that iterators come to from elsewhere: it hears of each."""

    corps_id: str

    def address_abroad(self, addr: ConcAddr) -> ConcAddr:
        """Return the address of a worker as other Corps get it; see `Env.address_abroad`."""

    def expect_garbage(self) -> None:
        """Note that an iterator has come, which may be garbage before it was looked at."""

    def forsake(self, held: Held) -> None:
        """Give up an iterator that was garbage. For destructors: takes no lock."""


class IteratorSide(StreamSide, Protocol):
    """The Env that makes iterators of facts that have come from other owners."""

    def iterator_at(self, worker: ConcAddr, number: int, *, is_async: bool) -> Streaming:
        """Make the iterator over a generator of a worker of another owner."""


class Crowding(Protocol):
    """What the mailbox of a worker says of requests that wait in front of it. Thread-safe."""

    @property
    def replaces(self) -> bool:
        """Whether a request that has come may take the place of another one."""

    def is_full_with(self, more: int) -> bool:
        """Return whether there is no room, if so many wait in front of the mailbox."""

    def may_go(self, other: Request) -> bool:
        """Return whether the request that has come may take the place of this one."""

    def fail(self, out: Request) -> None:
        """Fail a request for which there is no room: one whose place was taken, or that has come itself."""


class LocalSide(IteratorSide, Protocol):
    """What a peer needs of the Env that it is seen from."""

    id: int

    def interface_at(self, number: int) -> Interface | None:
        """Return what may be called of the worker with this number; None if it is not here. Thread-safe."""

    def interface_of_corps(self) -> Interface | None:
        """Return what may be called of the Corps object; None if it is not here. Thread-safe."""

    def may_come(self, number: int) -> bool:
        """Return whether a worker that is not here may come back. Thread-safe."""

    @property
    def alarms(self) -> AlarmClock:
        """Return the Env's alarms."""

    @property
    def letters(self) -> LetterBox:
        """Return the Env's dead letters."""

    @property
    def readers(self) -> LinkReaders | None:
        """Return what reads from the links; None without links."""

    def deliver(self, request: Request) -> None:
        """Hand a request that came in to its worker."""

    def overtakes(self, request: Request) -> bool:
        """Return whether a request is delivered before others that wait, which may wait for just that."""

    def crowding(self, request: Request) -> Crowding | None:
        """Return what decides about a request where there is no room; None if it waits for that."""

    def follow_probe(self, request: Request, probe: ProbeHeader) -> None:
        """Look on for a circle of waits, from the worker that has the request."""

    def forget_holder(self, env_id: int) -> None:
        """Forget the iterators of an Env whose process has died."""

    def enter_blocked(self) -> None:
        """Note that the calling thread is about to block."""

    def leave_blocked(self) -> None:
        """Note that the calling thread goes on."""

    def may_wait_for_room(self) -> bool:
        """Return whether the calling thread may block for room: it runs no event loop, and does not read."""

    def is_on_foreign_loop(self) -> bool:
        """Return whether the calling thread runs an event loop that is not the one of an Env."""
