"""The messages between a booting process and its template process.

Each message is one packet of an ``AF_UNIX`` ``SOCK_SEQPACKET`` socket pair: a packet arrives whole or not at
all. The format is private to one release, because both sides come from the same installation. JSON keeps it
readable in ``strace``.

    booting process -> template   Import, Spawn (with three descriptors), Kill
    template -> booting process   Ready or Failed, once; Spawned or SpawnFailed per Spawn; Exited per process

End of file towards the template means: kill everything, report how it ended, and go.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, TypeAlias, get_args

from corps.errors import InternalError

MAX_PACKET = 64 * 1024  # the kernel's default socket buffer takes several of them
_MAX_TEXT = 8 * 1024


@dataclass(frozen=True, slots=True)
class TemplateConfig:
    """What a template process is started with. `path` and `argv` are those of the booting process."""

    control_fd: int  # its end of the control socket
    parent_pid: int  # the booting process
    runtime_dir: str  # which it removes at its end
    preload: list[str]  # names of the modules to import before the first fork
    stdin_env: int | None  # the Env that has the stdin of the booting process
    executable: str | None  # the interpreter to start others with; None for its own
    path: list[str]
    argv: list[str]


@dataclass(frozen=True, slots=True)
class EnvConfig:
    """What an Env starts with, forked from the template or not; see `TemplateConfig`."""

    env_id: int
    entry: str
    fds: list[int]  # as in `Spawn`
    template_pid: int
    stdin_env: int | None
    path: list[str]
    argv: list[str]


@dataclass(frozen=True, slots=True)
class Spawn:
    """Fork an Env, with three descriptors: its end of the channel, the write end of its output, its pulse."""

    env_id: int
    entry: str


@dataclass(frozen=True, slots=True)
class Import:
    """Import modules before the next fork, for the Envs that need them. Nothing answers."""

    modules: list[str]


@dataclass(frozen=True, slots=True)
class Kill:
    """Send a signal to the process `pid` of an Env, or to any for 0; nothing happens if it has ended."""

    env_id: int
    signal: int
    pid: int


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything is imported; Spawn is welcome."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The template cannot work, and ends."""

    text: str


@dataclass(frozen=True, slots=True)
class Spawned:
    """The Env has been forked."""

    env_id: int
    pid: int


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """The Env could not be forked. If that `is_passing`, another try may succeed."""

    env_id: int
    text: str
    is_passing: bool


@dataclass(frozen=True, slots=True)
class Exited:
    """The Env has ended and was reaped. `code` is its exit status, or minus the signal that killed it."""

    env_id: int
    pid: int
    code: int


Message: TypeAlias = Import | Spawn | Kill | Ready | Failed | Spawned | SpawnFailed | Exited


_KINDS: Final[Mapping[str, type[Message]]] = {kind.__name__: kind for kind in get_args(Message)}


def encode(message: Message) -> bytes:
    """Make a packet of a message."""
    packet = json.dumps({"message": type(message).__name__, **asdict(message)}).encode()
    if len(packet) > MAX_PACKET:
        raise InternalError(f"a {type(message).__name__} of {len(packet)} bytes is over {MAX_PACKET} bytes")
    return packet


def decode(packet: bytes) -> Message:
    """Make the message of a packet from `encode`."""
    try:
        fields = json.loads(packet)
        return _KINDS[fields.pop("message")](**fields)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InternalError(f"not a control message: {packet[:200]!r}") from error


def shortened(text: str) -> str:
    """Keep the end of a text, short enough for a packet even if every character needs an escape."""
    return text[-_MAX_TEXT:]
