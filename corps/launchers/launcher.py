"""What the membership of a Corps asks of whatever starts the processes of its Envs.

A launcher may start them on this host, or have an engine start them on others: so nothing here is a
descriptor, a path or a process id of one host.
"""

import contextlib
import signal
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from corps.clock import now

# Which thread of an Env gives a sign of life.
MAIN: Final = 0
READING: Final = 1  # the one that reads from the links


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended. Either `code`, its exit status, or `signal`, which killed it, is set."""

    env_id: int
    mark: str  # as `LaunchedEnv.mark`
    code: int | None
    signal: int | None
    reason: str = ""  # why, where its own status does not say it
    by_memory: bool = field(default=False, compare=False)  # killed because there was no memory left
    seen_at: float = field(default_factory=now, compare=False, repr=False)  # by the launcher; monotonic

    def __str__(self) -> str:
        because = f" ({self.reason})" if self.reason else ""
        if self.signal is None:
            return f"ended with exit status {self.code}{because}"
        name = f"signal {self.signal}"
        with contextlib.suppress(ValueError):
            name = signal.Signals(self.signal).name
        return f"was killed by {name}{because}"


@dataclass(frozen=True, slots=True)
class HostPlace:
    """What an Env has to know of the host where it is: plain data, for its first order."""

    name: str
    runtime_dir: bytes  # where the sockets of that host are
    source: list[Any]  # what the Env loads there, as a `Source` that travels
    listens: list[Any]  # where it listens for the Envs of other hosts, as a `HostSide` that travels


class ByteChannel(Protocol):
    """Carries messages between the booting process and one Env. Ordered, and whole."""

    def send(self, message: bytes) -> None:
        """Send one message. If the other side has gone, it is a BrokenError. Thread-safe."""

    def wait(self, timeout: float) -> bool:
        """Wait so many seconds for something to receive; return whether there is."""

    def recv(self) -> bytes | None:
        """Wait for the next message; None at the end. One thread."""

    def close(self) -> None:
        """Close it. Idempotent."""


class LaunchedEnv(Protocol):
    """The process of one Env, which a launcher has started. Thread-safe."""

    def __hash__(self) -> int:
        """Hash it by identity."""

    @property
    def env_id(self) -> int:
        """The Env it is."""

    @property
    def mark(self) -> str:
        """What tells it from every other process of its launcher; for logs too."""

    @property
    def channel(self) -> ByteChannel:
        """To the Env. The membership closes it."""

    @property
    def host(self) -> HostPlace | None:
        """Where it is; None for the host of the booting process."""

    def signs(self) -> tuple[int, ...]:
        """Count the signs of life so far, by MAIN and READING."""

    def wait(self, timeout: float | None = None) -> Exit | None:
        """Wait for so many seconds until it ends; None if it has not."""

    def kill(self) -> None:
        """End it at once. A process that has ended is left alone."""

    def end_with_stacks(self) -> None:
        """Have it write the stacks of its threads, and end, if it can. Nothing waits for that."""

    def is_stopped(self) -> bool:
        """Return whether it stands still: a signal has stopped it, or a debugger."""

    def output(self) -> str:
        """Give the last that it has written; complete once `wait` has returned an Exit."""


class Launcher(Protocol):
    """Starts the processes of Envs, one for each. Thread-safe."""

    def spawn(self, env_id: int) -> LaunchedEnv:
        """Start a process. `is_passing` of an EnvStartError says whether another try may succeed."""

    def place(self, env_id: int, host: str) -> None:
        """Have a new Env be on a host, by its name. One that is not known is a ConfigError."""

    def clear_after(self, env_id: int, incarnation: str) -> None:
        """Remove what an ended process has left. `incarnation` is its Member's; empty if it had none."""
