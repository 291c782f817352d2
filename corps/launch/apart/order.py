"""What a process that boots a Corps for another one hears, and what it says. Values, and their way.

They go over a socket pair that the process inherits, so no argument of a constructor stands in a file, in a
command line or in the environment.

    parent -> booting process   BootOrder, once; afterwards any byte, or the end of file, means: end
    booting process -> parent   Up or Failed, once; after Up, of one that is kept, Over
"""

from dataclasses import astuple, dataclass
from typing import Any, ClassVar, Final, Literal, TypeAlias, get_args

import corps.errors as errors
from corps.errors import BootError, CorpsError, EnvStartError, WireError
from corps.launchers.local.channel import Channel
from corps.messages.endings import Reason
from corps.packing.data import decode_data, encode_data
from corps.supervision.restarts import Restart

Kind: TypeAlias = Literal["external", "managed", "contained"]
"""A Corps with a life of its own; one that ends with its Mgr; one that is private to its Mgr as well."""


@dataclass(frozen=True, slots=True)
class BootOrder:
    """What is to be booted, as plain data.

    Attributes:
        kind: What kind of Corps.
        source: From `Source.as_list`.
        arguments: The arguments of its constructor: the codec, and ``(args, kwargs)`` packed.
        config: The configuration, packed; see `corps.boot`.
        tag: Its tag.
        envs: How many Envs; None for the setting.
        restart: The fields of the `Restart` of the Corps object; None for that of its class.
        log_file: Where its output goes; empty for that of the parent.
        parent: The id of the process with its Mgr, and what tells it from a later one with that id.
    """

    word: ClassVar = "boot"
    kind: Kind
    source: list[Any]
    arguments: tuple[int, bytes]
    config: tuple[int, bytes]
    tag: str
    envs: int | None
    restart: tuple[Any, ...] | None
    log_file: str
    parent: tuple[int, str]

    @property
    def is_kept(self) -> bool:
        """Whether the Corps ends with the worker that has had it booted."""
        return self.kind != "external"

    @property
    def restart_policy(self) -> Restart | None:
        """The restart policy of the Corps object; None for that of its class."""
        if self.restart is None:
            return None
        policy, most, within, backoff = self.restart
        return Restart(policy, most, within, tuple(backoff))


@dataclass(frozen=True, slots=True)
class Up:
    """The Corps is up.

    Attributes:
        record: The text of its connection record.
        comes_back: Whether its Corps object is to come back after the death of its process.
    """

    word: ClassVar = "up"
    record: str
    comes_back: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The Corps has not started: the error's class, its text, and the last output of its processes."""

    word: ClassVar = "failed"
    class_name: str
    text: str
    output: str

    @classmethod
    def of(cls, error: BaseException) -> "Failed":
        """Make it of what a boot has raised."""
        if isinstance(error, CorpsError):
            return cls(type(error).__name__, str(error), getattr(error, "output", ""))
        return cls(EnvStartError.__name__, f"the Corps could not be booted: {error!r}", "")

    def error(self) -> CorpsError:
        """Make the error of the same class."""
        found = getattr(errors, self.class_name, None)
        kind = found if isinstance(found, type) and issubclass(found, CorpsError) else BootError
        made: CorpsError = kind(self.text)
        if isinstance(made, BootError):
            made.output = self.output
        return made


@dataclass(frozen=True, slots=True)
class Over:
    """Nothing of the Corps is left.

    Attributes:
        reason: That of the end of the Corps object, as of `corps.Ended`.
        text: The same in words.
        is_final: Whether it was to come back, and did not.
    """

    word: ClassVar = "over"
    reason: Reason
    text: str
    is_final: bool


Told: TypeAlias = BootOrder | Up | Failed | Over

_KINDS: Final = {kind.word: kind for kind in get_args(Told)}


def tell(channel: Channel, what: Told) -> None:
    """Send a message.

    Raises:
        BrokenError: The other side has gone.
    """
    channel.send(encode_data([what.word, *astuple(what)]))


def hear(channel: Channel) -> Told | None:
    """Wait for the next message; None if the other side has gone.

    Raises:
        WireError: It is none.
    """
    content = channel.recv()
    if content is None:
        return None
    word, *fields = decode_data(content)
    if word not in _KINDS:
        raise WireError(f"{word!r:.80} is no message of a process that boots a Corps")
    told: Told = _KINDS[word](*fields)
    return told
