"""EnvProcess: an Env's process as the booting process sees it."""

import signal
import threading
from collections.abc import Callable

from corps.launchers.launcher import Exit, HostPlace
from corps.launchers.local.channel import Channel
from corps.launchers.local.output import OutputTail
from corps.launchers.local.pulse import Pulse
from corps.launchers.local.stacks import DUMP_SIGNAL
from corps.process_stat import process_stat


class EnvProcess:
    """A process that a ProcessHost has forked. Thread-safe.

    The Membership closes `channel`, or at the latest the ProcessHost's `close`; `pulse` is closed when the
    process has ended. `send_signal` has the template send a signal to an Env, if that has this process, or
    any for 0.
    """

    def __init__(
        self, env_id: int, channel: Channel, pulse: Pulse, send_signal: Callable[[int, int, int], None]
    ) -> None:
        self.env_id = env_id
        self.pid = 0
        self.channel = channel
        self.pulse = pulse
        self.tail = OutputTail()
        self._send_signal = send_signal
        # Written once, before _ended is set, and read after: the event orders the two.
        self._exit: Exit | None = None
        self._ended = threading.Event()

    @property
    def host(self) -> HostPlace | None:
        """See `LaunchedEnv.host`."""
        return None

    @property
    def mark(self) -> str:
        """See `LaunchedEnv.mark`."""
        return f"pid {self.pid}"

    def signs(self) -> tuple[int, ...]:
        """See `LaunchedEnv.signs`."""
        return self.pulse.counts()

    def output(self) -> str:
        """See `LaunchedEnv.output`: the last 200 lines, at most 64 KiB, before it released its output."""
        return self.tail.text()

    def wait(self, timeout: float | None = None) -> Exit | None:
        """See `LaunchedEnv.wait`."""
        return self._exit if self._ended.wait(timeout) else None

    def kill(self, sig: int = signal.SIGKILL) -> None:
        """Send it a signal. Nothing happens if it has ended: a process that took over its id is safe.

        After its end, whatever the cause, the template kills the rest of its process group too.
        """
        if not self._ended.is_set():
            self._send_signal(self.env_id, sig, self.pid)

    def end_with_stacks(self) -> None:
        """See `LaunchedEnv.end_with_stacks`. It does not end if its application has taken that signal."""
        self.kill(DUMP_SIGNAL)

    def is_stopped(self) -> bool:
        """See `LaunchedEnv.is_stopped`."""
        return is_stopped(self.pid)

    def mark_ended(self, how: Exit) -> None:
        """Record its end. The ProcessHost only, once."""
        self._exit = how
        self._ended.set()
        self.channel.end_reading()
        self.pulse.close()

    def discard(self) -> None:
        """Close what was for a process that never came. The ProcessHost only."""
        self.channel.close()
        self.pulse.close()


def is_stopped(pid: int) -> bool:
    """Return whether a signal or a debugger has stopped a process."""
    found = process_stat(pid)
    return found is not None and found.state in "Tt"
