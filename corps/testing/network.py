"""Lines between Envs of one process that a test can cut, slow down and rob.

`corps.testing.memory_corps` joins whole Envs by them. Nothing is shared across a line: every message is
packed, framed and copied, and read by the receiving Env, as over ZeroMQ. The network has no
thread of its own, and nothing in it polls.
"""

import heapq
import itertools
import logging
from collections.abc import Sequence
from threading import Condition, Lock

from corps.clock import deadline_after, now, remaining
from corps.errors import BrokenError
from corps.messages.members import Member
from corps.security.audit import Audit
from corps.transport.link import Link, OnBroken, OnMessage, Ready, Transport
from corps.wire.frames import Frame, Hello

_log = logging.getLogger("corps.testing")

_Message = tuple[Hello, list[bytes]]


class _Line:
    """One direction between two Envs. The network's lock protects it."""

    def __init__(self) -> None:
        self.is_cut = False
        self.delay = 0.0
        self.to_drop = 0
        self.held: list[tuple[str, _Message]] = []
        self.latest = 0.0  # when the last message is due: none may come before it


class _Inbox:
    """What is under way to one endpoint. The network's lock protects it, by way of `changed`."""

    def __init__(self, lock: Lock) -> None:
        self.changed = Condition(lock)
        self.heap: list[tuple[float, int, _Message]] = []
        self.is_closed = False
        self.is_interrupted = False


class MemoryNetwork:
    """The lines between the Envs of one process. Thread-safe.

    It behaves as ZeroMQ does. `send` never blocks and reports nothing. A message to an Env that does not
    listen yet waits for it. A line that is cut keeps its messages, and delivers them in order when it heals:
    no link is closed because of silence. A message to an Env that has closed is lost. Only the membership
    reports deaths.
    """

    def __init__(self) -> None:
        # Protects the lines and inboxes. Nothing else is called while it is held.
        self._lock = Lock()
        self._lines: dict[tuple[int, int], _Line] = {}
        self._inboxes: dict[str, _Inbox] = {}
        self._order = itertools.count()

    def join(self, hello: Hello) -> tuple[Transport, Member]:
        """Make what `corps.testing.memory_corps` needs of an Env.

        Args:
            hello: Who the Env is.

        Returns:
            Its end of all its lines, and its record.
        """
        transport = _MemoryTransport(self, hello)
        return transport, Member(hello.env, hello.incarnation, transport.endpoint)

    def cut(self, one: int, other: int) -> None:
        """Let nothing through between two Envs any more, in either direction.

        Args:
            one: Id of an Env.
            other: Id of the other.
        """
        with self._lock:
            for line in self._both(one, other):
                line.is_cut = True

    def heal(self, one: int, other: int) -> None:
        """Let through again what is sent between two Envs, first of all what was held back.

        Args:
            one: Id of an Env.
            other: Id of the other.
        """
        with self._lock:
            for line in self._both(one, other):
                line.is_cut = False
                held, line.held = line.held, []
                for endpoint, message in held:
                    self._put(line, endpoint, message)

    def heal_all(self) -> None:
        """Undo every `cut`, `delay` and `drop_next`."""
        with self._lock:
            pairs = list(self._lines)
            for line in self._lines.values():
                line.delay, line.to_drop = 0.0, 0
        for one, other in pairs:
            self.heal(one, other)

    def delay(self, sender: int, receiver: int, seconds: float) -> None:
        """Let each message of one Env to another take a while from now on. Their order stays.

        Args:
            sender: Id of the Env that sends.
            receiver: Id of the Env that receives.
            seconds: How long each takes; 0 undoes it.
        """
        with self._lock:
            self._line(sender, receiver).delay = seconds

    def drop_next(self, sender: int, receiver: int, n: int = 1) -> None:
        """Lose the next messages of one Env to another, as a connection that breaks under way does.

        Args:
            sender: Id of the Env that sends.
            receiver: Id of the Env that receives.
            n: How many.
        """
        with self._lock:
            self._line(sender, receiver).to_drop += n

    # --- for the transports ---

    def _carry(self, sender: Hello, receiver: Member, frames: Sequence[Frame]) -> None:
        """Take a message, and copy it."""
        message = sender, [bytes(frame) for frame in frames]
        with self._lock:
            line = self._line(sender.env, receiver.env)
            if line.to_drop:
                line.to_drop -= 1
            elif line.is_cut:
                line.held.append((receiver.endpoint, message))
            else:
                self._put(line, receiver.endpoint, message)

    def _await_messages(self, endpoint: str, timeout: float | None) -> list[_Message]:
        """Return all messages that are due; none if the time was over first, or on `_interrupt`."""
        inbox = self._inbox(endpoint)
        until = deadline_after(timeout)
        due: list[_Message] = []
        with inbox.changed:
            while not inbox.is_interrupted:
                while inbox.heap and inbox.heap[0][0] <= now():
                    due.append(heapq.heappop(inbox.heap)[2])
                rest = remaining(until)
                if due or (rest is not None and rest <= 0):
                    return due
                next_due = inbox.heap[0][0] - now() if inbox.heap else rest
                if rest is not None and next_due is not None:
                    next_due = min(next_due, rest)
                inbox.changed.wait(next_due)
            inbox.is_interrupted = False
        return due

    def _interrupt(self, endpoint: str) -> None:
        inbox = self._inbox(endpoint)
        with inbox.changed:
            inbox.is_interrupted = True
            inbox.changed.notify_all()

    def _close(self, endpoint: str) -> None:
        """Lose what is under way to an endpoint that has closed, and all that follows."""
        inbox = self._inbox(endpoint)
        with inbox.changed:
            inbox.is_closed = True
            inbox.heap.clear()

    def _inbox(self, endpoint: str) -> _Inbox:
        with self._lock:
            return self._inboxes.setdefault(endpoint, _Inbox(self._lock))

    def _put(self, line: _Line, endpoint: str, message: _Message) -> None:
        inbox = self._inboxes.setdefault(endpoint, _Inbox(self._lock))
        if inbox.is_closed:
            return
        line.latest = max(line.latest, now() + line.delay)
        heapq.heappush(inbox.heap, (line.latest, next(self._order), message))
        inbox.changed.notify_all()

    def _line(self, sender: int, receiver: int) -> _Line:
        return self._lines.setdefault((sender, receiver), _Line())

    def _both(self, one: int, other: int) -> tuple[_Line, _Line]:
        return self._line(one, other), self._line(other, one)


class _MemoryTransport(Transport):
    """One Env's end of its lines in a MemoryNetwork. Threads as `Transport` says."""

    def __init__(self, network: MemoryNetwork, hello: Hello) -> None:
        self._network = network
        self._hello = hello
        self.audit = Audit(f"env{hello.env}")
        self.endpoint = f"memory://{hello.env}-{hello.incarnation}"
        self._lock = Lock()  # protects everything below
        self._members: dict[str, Member] = {}
        self._on_message: OnMessage | None = None
        self._closed = False

    def start(self, on_message: OnMessage, on_broken: OnBroken) -> None:
        self._on_message = on_message

    def admit(self, member: Member) -> None:
        with self._lock:
            self._members[member.incarnation] = member

    def expel(self, member: Member) -> None:
        with self._lock:
            self._members.pop(member.incarnation, None)

    def connect(self, member: Member) -> Link:
        with self._lock:
            if self._closed:
                raise BrokenError(f"env{self._hello.env} has closed its links")
        return _MemoryLink(self, member)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._network._close(self.endpoint)

    def carry(self, member: Member, frames: Sequence[Frame]) -> None:
        """Send a message, for a link of this transport."""
        if self._closed:
            raise BrokenError(f"env{self._hello.env} has closed its links")
        self._network._carry(self._hello, member, frames)

    def await_ready(self, timeout: float | None) -> Ready:
        return self._network._await_messages(self.endpoint, timeout)

    def hand_on(self, ready: Ready) -> None:
        for sender, frames in ready:
            with self._lock:
                member = self._members.get(sender.incarnation)
            if member is None or member.env != sender.env or sender.corps != self._hello.corps:
                self.audit.refused("hello", f"no member of this Corps says it is env{sender.env}")
                continue
            try:
                if self._on_message is not None:
                    self._on_message(member.env, frames)
            except BaseException:  # as in every transport: no message ends the reading
                _log.exception("a message could not be handled")

    def interrupt(self) -> None:
        self._network._interrupt(self.endpoint)


class _MemoryLink(Link):
    """The way to one peer. A reference to it takes nothing that would have to be let go of."""

    def __init__(self, transport: _MemoryTransport, member: Member) -> None:
        # Makes checking and sending one step: after `close` has returned nothing more goes out.
        self._lock = Lock()
        self._transport = transport
        self._member = member
        self._closed = False

    def send(self, frames: Sequence[Frame], lane: int | None = None) -> None:
        with self._lock:
            if self._closed:
                raise BrokenError(f"the link to env{self._member.env} is closed")
            self._transport.carry(self._member, frames)

    def close(self) -> None:
        with self._lock:
            self._closed = True
