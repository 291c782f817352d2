"""What a booting process and the parent of its Envs on another host say to each other, over one stream.

    parent           Here first; Wanted or Up, or Problem; then Started, NotStarted, Said, Hushed, Ended,
                     Printed, Line and Alive in any order; Over last
    booting process  Begin first; Files if they are wanted; then Spawn, Tell, Shut, Kill, Clear and Granted;
                     End last

What is said of an Env's process names its *ticket*, a number that no other process of the Corps gets. Each
message is a frame: its length in 4 bytes, big endian, and a list of plain data, its word first. Whatever
comes that is no such message is a WireError. Pure. Messages and the Decoder: one thread each.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, TypeAlias, get_args

from corps.errors import UnpackError, WireError
from corps.packing.codecs import CODEC_TAGS
from corps.packing.packer import Packed, Packer

PROTOCOL: Final = 1
MAGIC: Final = b"corps-parent 1\n"
"""The line with which a parent begins. What a shell has printed before it is no part of the stream."""
MAX_MESSAGE: Final = 256 * 1024 * 1024  # bytes of a message at most: all files of an application are one
MAX_PREAMBLE: Final = 64 * 1024  # bytes at most before the line of a parent

_LENGTH: Final = struct.Struct("!I")

_NUMBER = (int,)
_TEXT = (str,)
_BYTES = (bytes,)
_TRUTH = (bool,)
_SECONDS = (float, int)
_TABLE = (dict,)
_LIST = (list, tuple)
_NUMBER_OR_NONE = (int, type(None))


class _Message:
    """One message. Its fields are plain data, of the kinds that it lists."""

    __slots__ = ()
    word: ClassVar[str]
    kinds: ClassVar[tuple[tuple[type, ...], ...]]


@dataclass(frozen=True, slots=True)
class Here(_Message):
    """The parent runs, on this Python, and with these packages."""

    protocol: int
    python: str  # such as 3.11.7
    corps: str  # its version
    packages: Mapping[str, str]  # versions of what corps needs, by their names
    node: str  # what the host calls itself
    reached_at: str  # the address by which the connection came; empty if it is not known
    word: ClassVar = "here"
    kinds: ClassVar = _NUMBER, _TEXT, _TEXT, _TABLE, _TEXT, _TEXT


@dataclass(frozen=True, slots=True)
class Begin(_Message):
    """Start the template; answered by Wanted, Up or Problem."""

    beat: float  # seconds between two signs of the parent
    lease: float  # seconds that the parent may let its Envs live after a sign that was granted
    digest: str  # of the application's files; empty if there are none
    entry: str  # what the Envs run, as module:function
    preload: list[str]  # modules for the template
    argv: list[str]
    start_timeout: float  # seconds for the template
    as_lines: bool  # whether what Envs write comes as Line, and is not shown there
    word: ClassVar = "begin"
    kinds: ClassVar = _SECONDS, _SECONDS, _TEXT, _TEXT, _LIST, _LIST, _SECONDS, _TRUTH


@dataclass(frozen=True, slots=True)
class Wanted(_Message):
    """This host does not have the application's files; answered by Files."""

    word: ClassVar = "wanted"
    kinds: ClassVar = ()


@dataclass(frozen=True, slots=True)
class Files(_Message):
    """The application's files, as a zip archive."""

    archive: bytes
    word: ClassVar = "files"
    kinds: ClassVar = (_BYTES,)


@dataclass(frozen=True, slots=True)
class Up(_Message):
    """Envs can be started."""

    runtime_dir: bytes  # where the sockets of that host are
    root: bytes  # where the application's files are; empty if there are none
    word: ClassVar = "up"
    kinds: ClassVar = _BYTES, _BYTES


@dataclass(frozen=True, slots=True)
class Problem(_Message):
    """No Env can be started. The parent ends."""

    text: str
    word: ClassVar = "problem"
    kinds: ClassVar = (_TEXT,)


@dataclass(frozen=True, slots=True)
class Spawn(_Message):
    """Start the process of an Env; answered by Started or NotStarted."""

    ticket: int
    env_id: int
    word: ClassVar = "spawn"
    kinds: ClassVar = _NUMBER, _NUMBER


@dataclass(frozen=True, slots=True)
class Started(_Message):
    """It has a process."""

    ticket: int
    pid: int
    word: ClassVar = "started"
    kinds: ClassVar = _NUMBER, _NUMBER


@dataclass(frozen=True, slots=True)
class NotStarted(_Message):
    """It has none."""

    ticket: int
    text: str
    is_passing: bool
    output: str
    word: ClassVar = "not started"
    kinds: ClassVar = _NUMBER, _TEXT, _TRUTH, _TEXT


@dataclass(frozen=True, slots=True)
class Tell(_Message):
    """A message for the channel of an Env."""

    ticket: int
    body: bytes
    word: ClassVar = "tell"
    kinds: ClassVar = _NUMBER, _BYTES


@dataclass(frozen=True, slots=True)
class Said(_Message):
    """A message out of the channel of an Env."""

    ticket: int
    body: bytes
    word: ClassVar = "said"
    kinds: ClassVar = _NUMBER, _BYTES


@dataclass(frozen=True, slots=True)
class Hushed(_Message):
    """The channel of an Env is at its end."""

    ticket: int
    word: ClassVar = "hushed"
    kinds: ClassVar = (_NUMBER,)


@dataclass(frozen=True, slots=True)
class Shut(_Message):
    """Close the channel of an Env."""

    ticket: int
    word: ClassVar = "shut"
    kinds: ClassVar = (_NUMBER,)


@dataclass(frozen=True, slots=True)
class Kill(_Message):
    """End the process of an Env at once, or have it write the stacks of its threads and end."""

    ticket: int
    with_stacks: bool
    word: ClassVar = "kill"
    kinds: ClassVar = _NUMBER, _TRUTH


@dataclass(frozen=True, slots=True)
class Ended(_Message):
    """The process of an Env has ended: see `Exit`."""

    ticket: int
    code: int | None
    signal: int | None
    reason: str
    by_memory: bool
    output: str
    word: ClassVar = "ended"
    kinds: ClassVar = _NUMBER, _NUMBER_OR_NONE, _NUMBER_OR_NONE, _TEXT, _TRUTH, _TEXT


@dataclass(frozen=True, slots=True)
class Clear(_Message):
    """Remove what an ended process has left: see `Launcher.clear_after`."""

    env_id: int
    incarnation: str
    word: ClassVar = "clear"
    kinds: ClassVar = _NUMBER, _TEXT


@dataclass(frozen=True, slots=True)
class Printed(_Message):
    """What Envs have printed."""

    data: bytes
    word: ClassVar = "printed"
    kinds: ClassVar = (_BYTES,)


@dataclass(frozen=True, slots=True)
class Line(_Message):
    """A line that the process of an Env has written, without its end."""

    env_id: int
    pid: int
    text: bytes
    word: ClassVar = "line"
    kinds: ClassVar = _NUMBER, _NUMBER, _BYTES


@dataclass(frozen=True, slots=True)
class Alive(_Message):
    """The parent lives, and asks for its lease; answered by Granted. With the signs of life of its Envs."""

    number: int
    signs: list[Any]  # for each Env that is there: ticket, signs of life by thread, and whether it is stopped
    word: ClassVar = "alive"
    kinds: ClassVar = _NUMBER, _LIST


@dataclass(frozen=True, slots=True)
class Granted(_Message):
    """The Envs may live on for a lease after that sign was sent."""

    number: int
    word: ClassVar = "granted"
    kinds: ClassVar = (_NUMBER,)


@dataclass(frozen=True, slots=True)
class End(_Message):
    """End all processes; answered by Over."""

    word: ClassVar = "end"
    kinds: ClassVar = ()


@dataclass(frozen=True, slots=True)
class Over(_Message):
    """All processes of the parent have ended, and it ends too."""

    word: ClassVar = "over"
    kinds: ClassVar = ()


OfParent: TypeAlias = (
    Here
    | Wanted
    | Up
    | Problem
    | Started
    | NotStarted
    | Said
    | Hushed
    | Ended
    | Printed
    | Line
    | Alive
    | Over
)
OfBooting: TypeAlias = Begin | Files | Spawn | Tell | Shut | Kill | Clear | Granted | End
Message: TypeAlias = OfParent | OfBooting

_KINDS: Final[Mapping[str, type[Message]]] = {each.word: each for each in get_args(Message)}


class Encoder:
    """Makes frames of messages. Thread-safe."""

    def __init__(self) -> None:
        self._packer = Packer(codec="data")

    def frame(self, message: Message) -> bytes:
        """Return the frame of a message, or raise a WireError if it is too long."""
        plain = [getattr(message, each.name) for each in fields(message)]
        body = self._packer.pack([message.word, *plain]).body
        if len(body) > MAX_MESSAGE:
            raise WireError(f"a message {message.word!r} of {len(body)} bytes is over {MAX_MESSAGE} bytes")
        return _LENGTH.pack(len(body)) + body


class Decoder:
    """Takes messages out of a stream of bytes, in parts of any size. One thread."""

    def __init__(self, *, has_magic: bool) -> None:
        """Begin a stream. `has_magic`: the line of a parent comes first."""
        self._awaits_magic = has_magic
        self._buffer = bytearray()
        self._packer = Packer(codec="data")
        self.preamble = b""  # what came before the line of a parent

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take what has come, and give the messages that are whole by now. It raises a WireError."""
        self._buffer += data
        if self._awaits_magic and not self._has_begun():
            return
        while (message := self._next()) is not None:
            yield message

    def _has_begun(self) -> bool:
        at = self._buffer.find(MAGIC)
        if at < 0:
            self.preamble = bytes(self._buffer[:MAX_PREAMBLE])
            if len(self._buffer) > MAX_PREAMBLE:
                raise WireError(f"no parent has said that it is there in the first {MAX_PREAMBLE} bytes")
            return False
        self.preamble = bytes(self._buffer[:at])
        del self._buffer[: at + len(MAGIC)]
        self._awaits_magic = False
        return True

    def _next(self) -> Message | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > MAX_MESSAGE:
            raise WireError(f"a message of {length} bytes is announced, and {MAX_MESSAGE} are the most")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(memoryview(self._buffer)[_LENGTH.size : end])
        del self._buffer[:end]
        return _read(self._packer, body)


def _read(packer: Packer, body: bytes) -> Message:
    try:
        plain = packer.unpack(Packed(CODEC_TAGS["data"], body, ()))
    except UnpackError as error:
        raise WireError(f"a message of a host cannot be read: {error}") from error
    if type(plain) not in (list, tuple) or not plain or type(plain[0]) is not str:
        raise WireError("a message of a host is no list that begins with a word")
    word, *values = plain
    kind = _KINDS.get(word)
    if kind is None:
        raise WireError(f"a message of a host begins with {word!r:.80}, which no version of it knows")
    if len(values) != len(kind.kinds):
        raise WireError(f"a message {word!r} of a host has {len(values)} fields, not {len(kind.kinds)}")
    for each, value, wanted in zip(fields(kind), values, kind.kinds, strict=True):
        if type(value) not in wanted:
            raise WireError(f"a message {word!r} of a host has {value!r:.80} as {each.name}")
    message: Message = kind(*values)
    return message
