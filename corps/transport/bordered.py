"""One Env's end of two kinds of links: UNIX sockets to its own Corps, ZeroMQ over `tcp` across the border.

One thread reads both: it sleeps in the poll of ZeroMQ, which watches the epoll of the UNIX sockets too. A
member is reached as its endpoint says. The end over `tcp` is opened when it is needed: from the beginning
where the Env is to listen, else when it connects first. Until then the UNIX sockets are read without it, and
ZeroMQ is not imported.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from corps.errors import BrokenError, EnvStartError, KeyRingError
from corps.messages.members import Member
from corps.security.border_keys import BorderKeys
from corps.transport.link import Link, OnBroken, OnMessage, OnVisitor, Ready, Transport
from corps.transport.unix.transport import UnixTransport
from corps.transport.zeromq.doors import source_towards
from corps.wire.frames import Frame

if TYPE_CHECKING:
    from corps.transport.zeromq.transport import ZmqTransport

_PATIENCE: Final = 5.0  # seconds that the thread that reads has to listen at one more address

OpenOuter: TypeAlias = "Callable[[str], ZmqTransport]"
"""Opens the end over `tcp`, which listens at an address; empty for those that the settings name.

It raises EnvStartError, and what `BorderKeys.begin` raises."""


class _Both(NamedTuple):
    """What both have found to be ready."""

    inner: Ready
    outer: Ready


class BorderedTransport(Transport):
    """Both ends together, with one audit. Threads as `Transport` says."""

    def __init__(self, inner: UnixTransport, keys: BorderKeys, open_outer: OpenOuter) -> None:
        """Take over the inner end, which is not started. `open_outer` makes the other with its audit."""
        self._inner = inner
        self._open_outer = open_outer
        self._outer: ZmqTransport | None = None  # set once, under the lock
        # Protects _started and _closed, the first reading of the keys, and the step that opens the outer end.
        self._lock = Lock()
        self._started: tuple[OnMessage, OnBroken] | None = None
        self._closed = False
        self.keys = keys
        """Whose keys count at the border."""
        self.audit = inner.audit
        self.endpoint = inner.endpoint
        """Where the Envs of its own Corps reach it."""
        self.takes_visitors = inner.takes_visitors
        # Until there are two, what reads calls the inner end itself.
        vars(self).update(await_ready=inner.await_ready, hand_on=inner.hand_on)

    # --- the end over tcp ---

    def open(self, source: str = "") -> "ZmqTransport":
        """Return the end over `tcp`, opened if need be: to listen at `source`, or as the settings say.

        Raises:
            EnvStartError: It cannot listen.
            KeyRingError, Damaged, NewerFormat: The key ring cannot be used.
            BrokenError: The transport was closed.
        """
        with self._lock:
            if self._closed:
                raise BrokenError("this Env has closed its links")
            if self._outer is None:
                self.keys.begin()
                outer = self._open_outer(source)
                outer.on_visitor = self._inner.on_visitor
                if self._started is not None:
                    self._attach(outer, *self._started)
                self._outer = outer
                vars(self).pop("await_ready")
                vars(self).pop("hand_on")
                self._inner.interrupt()  # who reads must watch both
            return self._outer

    def begin_keys(self) -> None:
        """Read the key ring, if that was not done; raise as `BorderKeys.begin`."""
        with self._lock:
            self.keys.begin()

    def open_towards(self, endpoint: str) -> "ZmqTransport":
        """Return the end over `tcp`, which listens where the answers of `endpoint` can come. Blocks.

        Raises:
            BrokenError: There is no way there, or this Env cannot listen there, or has no key ring to use.
        """
        source = source_towards(endpoint)
        try:
            outer = self.open(source)
        except (EnvStartError, KeyRingError) as error:
            raise BrokenError(f"no answer of {endpoint} could come here: {error}") from error
        outer.listen_towards(endpoint, _PATIENCE)
        return outer

    @property
    def outer(self) -> "ZmqTransport | None":
        """The end over `tcp`; None if it was not needed yet."""
        return self._outer

    def _attach(self, outer: "ZmqTransport", on_message: OnMessage, on_broken: OnBroken) -> None:
        outer.start(on_message, on_broken)
        outer.watch_also(self._inner.fileno())

    # --- both ---

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
        return self._end_for(member).max_frame

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
        with self._lock:
            self._closed = True
            self._started = None  # no cycle: what was received may hold memory
            outer = self._outer
        if outer is not None:
            outer.close()
        self._inner.close()

    def _end_for(self, member: Member) -> "UnixTransport | ZmqTransport":
        outer = self._outer
        return outer if outer is not None and member.endpoint.startswith("tcp://") else self._inner
