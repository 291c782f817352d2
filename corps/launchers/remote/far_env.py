"""The process of an Env on another host, as the booting process sees it."""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Event

from corps.errors import BrokenError, ClosedError
from corps.launchers.launcher import Exit, HostPlace
from corps.launchers.remote.words import Kill, Message, Shut, Tell


class FarChannel:
    """The channel of a far Env; see `ByteChannel`. Thread-safe, but for `recv`."""

    def __init__(self, ticket: int, send: Callable[[Message], None]) -> None:
        """Send by `send`, which raises a BrokenError where the host is not reached any more."""
        self._ticket = ticket
        self._send = send
        self._came: deque[bytes] = deque()
        self._is_over = False
        self._is_closed = False
        self._change = Condition()  # protects all three, and wakes who waits

    def send(self, message: bytes) -> None:
        """See `ByteChannel.send`."""
        if self._is_closed:
            raise ClosedError("send on a channel that is closed")
        if self._is_over:
            raise BrokenError("the process at the other end of the channel has gone")
        self._send(Tell(self._ticket, message))

    def wait(self, timeout: float) -> bool:
        """See `ByteChannel.wait`."""
        with self._change:
            return self._change.wait_for(self._has_news, timeout)

    def recv(self) -> bytes | None:
        """See `ByteChannel.recv`."""
        with self._change:
            self._change.wait_for(self._has_news)
            return self._came.popleft() if self._came and not self._is_closed else None

    def close(self) -> None:
        """See `ByteChannel.close`."""
        with self._change:
            if self._is_closed:
                return
            self._is_closed = True
            self._change.notify_all()
        try:
            self._send(Shut(self._ticket))
        except BrokenError:
            pass  # it is closed with its host

    def take(self, message: bytes) -> None:
        """Take a message of the Env. The thread that reads from the host."""
        with self._change:
            self._came.append(message)
            self._change.notify_all()

    def be_over(self) -> None:
        """Note that nothing more comes. The thread that reads from the host. Idempotent."""
        with self._change:
            self._is_over = True
            self._change.notify_all()

    def _has_news(self) -> bool:
        return bool(self._came) or self._is_over or self._is_closed


class FarEnv:
    """A process that a parent has started; see `LaunchedEnv`. Thread-safe."""

    def __init__(
        self, env_id: int, ticket: int, send: Callable[[Message], None], host: HostPlace, is_silent: Event
    ) -> None:
        """Begin before it has started. `is_silent` is set while nothing is heard of its host."""
        self.env_id = env_id
        self.host = host
        self.pid = 0
        self.channel = FarChannel(ticket, send)
        self._ticket = ticket
        self._send = send
        self._is_silent = is_silent
        self._signs: tuple[int, ...] = (0, 0)
        self._unheard = 0  # how often its signs were asked for while nothing could be known of them
        self._is_stopped = False
        self._output = ""
        # Written once, before _ended is set, and read after: the event orders the two.
        self._exit: Exit | None = None
        self._ended = Event()

    @property
    def mark(self) -> str:
        """See `LaunchedEnv.mark`."""
        return f"pid {self.pid} on {self.host.name}, start {self._ticket}"

    def signs(self) -> tuple[int, ...]:
        """See `LaunchedEnv.signs`. While its host is silent the host is judged, so they count on."""
        if self._is_silent.is_set():
            self._unheard += 1
        return tuple(each + self._unheard for each in self._signs)

    def wait(self, timeout: float | None = None) -> Exit | None:
        """See `LaunchedEnv.wait`."""
        return self._exit if self._ended.wait(timeout) else None

    def kill(self) -> None:
        """See `LaunchedEnv.kill`."""
        self._end(with_stacks=False)

    def end_with_stacks(self) -> None:
        """See `LaunchedEnv.end_with_stacks`."""
        self._end(with_stacks=True)

    def _end(self, *, with_stacks: bool) -> None:
        if not self._ended.is_set():
            try:
                self._send(Kill(self._ticket, with_stacks))
            except BrokenError:
                pass  # it ends with its host

    def is_stopped(self) -> bool:
        """See `LaunchedEnv.is_stopped`: as far as its host has said."""
        return self._is_stopped

    def output(self) -> str:
        """See `LaunchedEnv.output`: complete when it has ended, and empty before."""
        return self._output

    def show(self, signs: Sequence[int], *, is_stopped: bool) -> None:
        """Take what its host says of it. The thread that reads from the host."""
        self._signs = tuple(signs)
        self._is_stopped = is_stopped

    def mark_ended(self, how: Exit, output: str) -> None:
        """Record its end, once."""
        self._exit = how
        self._output = output
        self._ended.set()
        self.channel.be_over()
