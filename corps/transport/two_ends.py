"""One Env's end of two kinds of links: UNIX sockets, and ZeroMQ over `tcp`.

One thread reads both: it sleeps in the poll of ZeroMQ, which watches the epoll of the UNIX sockets too. Which
members are reached by which is for the subclass to say.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from corps.messages.members import Member
from corps.transport.link import Link, OnBroken, OnMessage, OnVisitor, Ready, Transport
from corps.transport.unix.transport import UnixTransport
from corps.wire.frames import Frame

if TYPE_CHECKING:
    from corps.transport.zeromq.transport import ZmqTransport

End: TypeAlias = "UnixTransport | ZmqTransport"


class _Both(NamedTuple):
    """What both have found to be ready."""

    inner: Ready
    outer: Ready


class TwoEnds(Transport):
    """Both ends together, with one audit. Threads as `Transport` says."""

    def __init__(self, inner: UnixTransport) -> None:
        """Take over the inner end, which is not started. `_take` takes the other one."""
        self._inner = inner
        self._outer: ZmqTransport | None = None  # set once, under the lock
        # Protects _started and _closed, and the step that takes the outer end.
        self._lock = Lock()
        self._started: tuple[OnMessage, OnBroken] | None = None
        self._closed = False
        self.audit = inner.audit
        self.endpoint = inner.endpoint
        """Where the Envs of its own Corps reach it on this host."""
        # Until there are two, what reads calls the inner end itself.
        vars(self).update(await_ready=inner.await_ready, hand_on=inner.hand_on)

    @abstractmethod
    def _end_for(self, member: Member) -> tuple[End, Member]:
        """Return the end by which a member is reached, and the member as that end is to know it."""

    @property
    def outer(self) -> "ZmqTransport | None":
        """The end over `tcp`; None if it was not needed yet."""
        return self._outer

    def _take(self, outer: "ZmqTransport") -> None:
        """Take the outer end. Caller holds the lock. Once."""
        outer.on_visitor = self._inner.on_visitor
        if self._started is not None:
            self._attach(outer, *self._started)
        self._outer = outer
        vars(self).pop("await_ready")
        vars(self).pop("hand_on")
        self._inner.interrupt()  # who reads must watch both

    def _attach(self, outer: "ZmqTransport", on_message: OnMessage, on_broken: OnBroken) -> None:
        outer.start(on_message, on_broken)
        outer.watch_also(self._inner.fileno())

    @property
    def on_visitor(self) -> OnVisitor | None:
        """See `Transport.on_visitor`."""
        return self._inner.on_visitor

    @on_visitor.setter
    def on_visitor(self, on_visitor: OnVisitor | None) -> None:
        with self._lock:
            self._inner.on_visitor = on_visitor
            if self._outer is not None:
                self._outer.on_visitor = on_visitor

    def max_frame_to(self, member: Member) -> int | None:
        """See `Transport.max_frame_to`."""
        return self._end_for(member)[0].max_frame

    def lending(self, frames: Sequence[Frame]) -> AbstractContextManager[None]:
        """See `Transport.lending`."""
        return self._inner.lending(frames)

    def start(self, on_message: OnMessage, on_broken: OnBroken) -> None:
        """See `Transport.start`."""
        self._inner.start(on_message, on_broken)
        with self._lock:
            self._started = on_message, on_broken
            if self._outer is not None:
                self._attach(self._outer, on_message, on_broken)

    def await_ready(self, timeout: float | None) -> Ready:
        """See `Transport.await_ready`."""
        if self._outer is None:  # it is called for the class, and not by what reads
            return self._inner.await_ready(timeout)
        outer = self._outer.await_ready(self._inner.within(timeout))
        inner = self._inner.await_ready(0.0)
        return _Both(inner, outer) if inner or outer else ()

    def hand_on(self, ready: Ready) -> None:
        """See `Transport.hand_on`."""
        # What came from the inner end alone was found before there were two.
        both = ready if isinstance(ready, _Both) else _Both(ready, ())
        self._inner.hand_on(both.inner)
        if self._outer is not None:
            self._outer.hand_on(both.outer)

    def tidy(self) -> None:
        """See `Transport.tidy`."""
        self._inner.tidy()
        if self._outer is not None:
            self._outer.tidy()

    def interrupt(self) -> None:
        """See `Transport.interrupt`. The poll of the outer end watches the inner one."""
        self._inner.interrupt()

    def when_read(self, member: Member, then: Callable[[], object]) -> bool:
        """See `Transport.when_read`."""
        end, there = self._end_for(member)
        return end.when_read(there, then)

    def admit(self, member: Member) -> None:
        """See `Transport.admit`. By the other kind of link it is not admitted."""
        end, there = self._end_for(member)
        end.admit(there)

    def expel(self, member: Member) -> None:
        """See `Transport.expel`."""
        end, there = self._end_for(member)
        end.expel(there)

    def connect(self, member: Member) -> Link:
        """See `Transport.connect`."""
        end, there = self._end_for(member)
        return end.connect(there)

    def close(self) -> None:
        """See `Transport.close`."""
        with self._lock:
            self._closed = True
            self._started = None  # no cycle: what was received may hold memory
            outer = self._outer
        if outer is not None:
            outer.close()
        self._inner.close()
