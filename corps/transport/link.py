"""What every way of reaching another Env offers.

A `Transport` is this Env's end: it listens, admits peers, and hands on what comes. It has no thread: the
threads of the Env that wait read, one at a time (see `corps.runtime.threads.readers`). A `Link` leads to one
peer. Messages sent on one link arrive whole and once, and those of one lane in order, as long as both Envs
live and have each other as members: a connection that breaks is the business of the transport. What is under
way when an Env ends arrives once or not at all; the membership reports that, not the link.

The suite in `tests/contract` holds every transport to this.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from corps.errors import VersionMismatch
from corps.messages.members import Member
from corps.security.audit import Audit
from corps.wire.frames import Frame, Hello

OnMessage = Callable[[int, Sequence[Frame]], None]
"""Called in the thread that reads with the proven id of the Env that sent a message, and its frames.

It must be quick. What it raises is logged, and the reading goes on."""

OnBroken = Callable[[Member, VersionMismatch | None], None]
"""Called in the thread that reads when a link has broken for good, as far as that can be seen.

It gets the peer, which as a rule has ended, and why that has refused the link from its beginning."""

OnVisitor = Callable[[Hello, str], Member | None]

Ready = Sequence[Any]
"""What a transport has found to be ready; its own business."""


class Link(ABC):
    """The way to one peer. Thread-safe."""

    unsent: int = 0  # bytes that were given to `send` and wait in this process for the peer to take them

    @abstractmethod
    def send(self, frames: Sequence[Frame], lane: int | None = None) -> None:
        """Send the header, the body and its buffers. Does not block; the frames may change when it returns.

        Small messages arrive in the order in which they were sent. A large one may be overtaken by every
        other message, but by none that was sent after it with the same lane. A lane of None keeps no order.

        Raises:
            BrokenError: The link was closed, or the transport gave up on it.
            MemoryError: There is no memory to keep it until it can leave. Nothing was sent.
        """

    def wait_for_room(self, most: int, timeout: float | None) -> None:  # noqa: B027 - some keep nothing
        """Wait until less than `most` bytes are `unsent`, or the link is closed or broken. Blocks."""

    @abstractmethod
    def close(self) -> None:
        """Send what is still to be sent if that takes no time, and let go. Idempotent."""


class Transport(ABC):
    """This Env's end of all its links."""

    audit: Audit  # counts what was admitted and refused; used by the thread that reads
    endpoint: str  # where this Env listens: what goes into its `Member`
    on_visitor: OnVisitor | None = None
    """Called in the thread that reads with the HELLO of another Corps: whom to admit, or None.

    It gets the public key, too, that the peer has proved; empty where the kernel vouches for it.

    Without it, and by all transports but `unix`, every such HELLO is refused."""
    takes_visitors: bool = False  # whether it can reach other Corps, and be reached by them
    max_frame: int | None = None  # bytes of the longest frame that peers take; None for no limit

    def lending(self, frames: Sequence[Frame]) -> AbstractContextManager[None]:
        """Let what lies in the memory of frames that came be sent on without a copy meanwhile, if it can be.

        Nothing in this process may write to that memory any more. Thread-safe.
        """
        return nullcontext()

    def max_frame_to(self, member: Member) -> int | None:
        """Return the bytes of the longest frame that a peer takes; None for no limit. Thread-safe."""
        return self.max_frame

    @abstractmethod
    def start(self, on_message: OnMessage, on_broken: OnBroken) -> None:
        """Get ready for reading. What was sent here before, by members admitted by now, is not lost."""

    @abstractmethod
    def await_ready(self, timeout: float | None) -> Ready:
        """Return what is ready for `hand_on`, perhaps nothing. Blocks. One thread at a time.

        An exception may be raised in it at any point, as by Ctrl-C: nothing is lost by that.
        """

    @abstractmethod
    def hand_on(self, ready: Ready) -> None:
        """Read some of what `await_ready` has found, and call `on_message` with it. In the same thread."""

    def tidy(self) -> None:  # noqa: B027 - most have nothing to give back
        """Give back what is not needed any more. Called now and then while little happens. Thread-safe."""

    @abstractmethod
    def interrupt(self) -> None:
        """Make `await_ready` return: the one under way, or else the next. Thread-safe."""

    def when_read(self, member: Member, then: Callable[[], object]) -> bool:
        """Call `then` when all was read of a member whose process has ended. Thread-safe.

        The thread that reads calls it. Return False if this transport cannot find out: then it is not called.
        """
        return False

    @abstractmethod
    def admit(self, member: Member) -> None:
        """Let an Env, in one incarnation, connect from now on. Thread-safe.

        A peer that connects before it was admitted is refused; its connection may stay useless afterwards.
        """

    @abstractmethod
    def expel(self, member: Member) -> None:
        """Take nothing of an Env, in one incarnation, from now on. Thread-safe."""

    @abstractmethod
    def connect(self, member: Member) -> Link:
        """Open the way to a peer, without waiting for it. Thread-safe.

        Raises:
            BrokenError: The transport was closed, or the member does not listen.
            Overloaded: This process has no descriptors left.
        """

    @abstractmethod
    def close(self) -> None:
        """Close all links, let go of files and ports. Nobody reads any more. Idempotent."""
