"""One Env's end of two kinds of links: UNIX sockets to its own Corps, ZeroMQ over `tcp` across the border.

One thread reads both: it sleeps in the poll of ZeroMQ, which watches the epoll of the UNIX sockets too. A
member is reached as its endpoint says. An Env without a border has the UNIX sockets alone, and none of this.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from corps.messages.members import Member
from corps.transport.link import Link, OnBroken, OnMessage, Ready, Transport
from corps.transport.unix.transport import UnixTransport
from corps.transport.zeromq.transport import ZmqTransport
from corps.wire.frames import Frame


class BorderedTransport(Transport):
    """Both ends together, with one audit. Threads as `Transport` says."""

    def __init__(self, inner: UnixTransport, outer: ZmqTransport) -> None:
        """Take over both, which are not started; `outer` was made with the audit of `inner`."""
        self._inner = inner
        self._outer = outer
        self.audit = inner.audit
        self.endpoint = inner.endpoint
        """Where the Envs of its own Corps reach it."""
        self.outer_endpoint = outer.endpoint
        """Where others reach it."""

    def max_frame_to(self, member: Member) -> int | None:
        """See `Transport.max_frame_to`."""
        return self._end_for(member).max_frame

    def lending(self, frames: Sequence[Frame]) -> AbstractContextManager[None]:
        """See `Transport.lending`."""
        return self._inner.lending(frames)

    def start(self, on_message: OnMessage, on_broken: OnBroken) -> None:
        """See `Transport.start`."""
        self._inner.start(on_message, on_broken)
        self._outer.start(on_message, on_broken)
        self._outer.watch_also(self._inner.fileno())

    def await_ready(self, timeout: float | None) -> Ready:
        """See `Transport.await_ready`."""
        outer = self._outer.await_ready(self._inner.within(timeout))
        inner = self._inner.await_ready(0.0)
        return (inner, outer) if inner or outer else ()

    def hand_on(self, ready: Ready) -> None:
        """See `Transport.hand_on`."""
        inner, outer = ready or ((), ())
        self._inner.hand_on(inner)
        self._outer.hand_on(outer)

    def tidy(self) -> None:
        """See `Transport.tidy`."""
        self._inner.tidy()
        self._outer.tidy()

    def interrupt(self) -> None:
        """See `Transport.interrupt`. The poll of the outer end watches the inner one."""
        self._inner.interrupt()

    def when_read(self, member: Member, then: Callable[[], object]) -> bool:
        """See `Transport.when_read`."""
        return self._end_for(member).when_read(member, then)

    def admit(self, member: Member) -> None:
        """See `Transport.admit`. By the other kind of link it is not admitted."""
        self._end_for(member).admit(member)

    def expel(self, member: Member) -> None:
        """See `Transport.expel`."""
        self._end_for(member).expel(member)

    def connect(self, member: Member) -> Link:
        """See `Transport.connect`."""
        return self._end_for(member).connect(member)

    def close(self) -> None:
        """See `Transport.close`."""
        self._outer.close()
        self._inner.close()

    def _end_for(self, member: Member) -> UnixTransport | ZmqTransport:
        return self._outer if member.endpoint.startswith("tcp://") else self._inner
