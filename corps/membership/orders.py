"""What the booting process and its Envs say to each other, over the channel that leads to each Env.

    booting process -> Env   Start first; Members when all are ready; then the others in any order; Stop last
    Env -> booting process   Ready or Failed, once; Joined as the answer to Members; Released to ReleaseOutput

The end of the channel means that the other side has gone. Each message travels as a list of plain data, its
word first, because a launcher may carry it over a network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final, Self, TypeAlias, get_args

from corps.addresses import ConcAddr
from corps.errors import BrokenError, WireError
from corps.launchers.launcher import ByteChannel
from corps.messages.endings import Failure
from corps.messages.interfaces import Interface
from corps.messages.members import Member
from corps.packing.codecs import CODEC_TAGS
from corps.packing.packer import Packed, Packer
from corps.supervision.restarts import Restart

Plain: TypeAlias = Sequence[Any]  # the fields of a message as the data codec packs them


class _Message:
    """One message. Where its fields are plain data, they travel as they are."""

    __slots__ = ()
    word: ClassVar[str]

    def _plain(self) -> Plain:
        """Give the fields as plain data."""
        return [getattr(self, each.name) for each in fields(self)]  # type: ignore[arg-type]  # a dataclass

    @classmethod
    def _of(cls, *plain: Any) -> Self:
        """Make it again from what `_plain` gave."""
        return cls(*plain)


@dataclass(frozen=True, slots=True)
class Start(_Message):
    """Load the application and listen; answered by Ready or Failed."""

    corps_id: str
    options: dict[str, Any]  # the fields of the `EnvOptions`
    source: list[str]  # from `Source.as_list`
    runtime_dir: bytes  # where the sockets of this host are
    generation: int  # how many processes the Env has had before
    components: list[list[Any]]  # what it starts with itself if it joins late: the fields of `Component`s
    # What single Envs have: id, environment variables, nice, cpus, and labels, which all Envs know.
    of_envs: list[list[Any]]
    host: list[Any] = field(default_factory=list)  # from `HostSide.as_list`; empty if there is one host
    of_hosts: dict[str, list[str]] = field(default_factory=dict)  # labels that Envs have by where they are
    word: ClassVar = "start"


@dataclass(frozen=True, slots=True)
class Members(_Message):
    """Connect to all others; answered by Joined."""

    members: tuple[Member, ...]
    awaited: tuple[int, ...]  # Envs that will have another process
    is_late: bool  # the Corps runs already
    word: ClassVar = "members"

    def _plain(self) -> Plain:
        return [each.as_list() for each in self.members], list(self.awaited), self.is_late

    @classmethod
    def _of(cls, *plain: Any) -> Self:
        members, awaited, is_late = plain
        return cls(tuple(map(Member.from_list, members)), tuple(awaited), is_late)


@dataclass(frozen=True, slots=True)
class MemberJoined(_Message):
    """Another Env has a process, which knows all others."""

    member: Member
    word: ClassVar = "member"

    def _plain(self) -> Plain:
        return self.member.as_list()

    @classmethod
    def _of(cls, *plain: Any) -> Self:
        return cls(Member.from_list(plain))


@dataclass(frozen=True, slots=True)
class Lost(_Message):
    """The process of another Env has died. `returns`: it gets another one."""

    env_id: int
    failure: Failure
    returns: bool
    word: ClassVar = "lost"

    def _plain(self) -> Plain:
        return self.env_id, self.failure.reason, self.failure.text, self.returns

    @classmethod
    def _of(cls, *plain: Any) -> Self:
        env_id, reason, text, returns = plain
        return cls(env_id, Failure(reason, text), returns)


@dataclass(frozen=True, slots=True)
class Retired(_Message):
    """Create no workers in an Env any more: it is being removed."""

    env_id: int
    word: ClassVar = "retired"


@dataclass(frozen=True, slots=True)
class CorpsCreated(_Message):
    """The application's Corps object exists."""

    addr: ConcAddr
    interface: Interface
    word: ClassVar = "corps"

    def _plain(self) -> Plain:
        return list(self.addr), list(self.interface.as_tuple())

    @classmethod
    def _of(cls, *plain: Any) -> Self:
        addr, interface = plain
        return cls(ConcAddr(*addr), Interface.from_tuple(*interface))


@dataclass(frozen=True, slots=True)
class ReleaseOutput(_Message):
    """Write to the booting process's own stdout and stderr from now on; answered by Released."""

    word: ClassVar = "release"


@dataclass(frozen=True, slots=True)
class Stop(_Message):
    """End in order."""

    word: ClassVar = "stop"


@dataclass(frozen=True, slots=True)
class Joined(_Message):
    """The Env knows all others, and they can reach it."""

    word: ClassVar = "joined"


@dataclass(frozen=True, slots=True)
class Released(_Message):
    """What the Env prints from now on goes where the output of the booting process goes."""

    word: ClassVar = "released"


@dataclass(frozen=True, slots=True)
class Ready(_Message):
    """The Env has loaded the application, and listens."""

    member: Member
    interface: Interface  # of the application's Corps class, as what follows
    restart: Restart | None  # what it declares about its failures
    travels: dict[
        str, list[str]
    ]  # the context variables that it lets travel: name, and where modules have it
    word: ClassVar = "ready"

    def _plain(self) -> Plain:
        each = self.restart
        restart = None if each is None else [each.policy, each.max, each.within, list(each.backoff)]
        return self.member.as_list(), list(self.interface.as_tuple()), restart, self.travels

    @classmethod
    def _of(cls, *plain: Any) -> Self:
        member, interface, restart, travels = plain
        if restart is not None:
            policy, most, within, backoff = restart
            restart = Restart(policy, most, within, tuple(backoff))
        return cls(Member.from_list(member), Interface.from_tuple(*interface), restart, travels)


@dataclass(frozen=True, slots=True)
class Failed(_Message):
    """The Env could not start. `kind` is the name of an error of `corps.errors`."""

    kind: str
    text: str
    word: ClassVar = "failed"


Order: TypeAlias = Start | Members | MemberJoined | Lost | Retired | CorpsCreated | ReleaseOutput | Stop
"""What the booting process says."""

Report: TypeAlias = Ready | Joined | Released | Failed  # what an Env says

Message: TypeAlias = Order | Report

_KINDS: Final[Mapping[str, type[Message]]] = {kind.word: kind for kind in get_args(Message)}


class Orders:
    """The channel between the booting process and one Env."""

    def __init__(self, channel: ByteChannel) -> None:
        self._channel = channel
        self._packer = Packer(codec="data")

    def send(self, message: Message) -> None:
        """Send a message; see `ByteChannel.send`. Thread-safe."""
        self._channel.send(self._packer.pack([message.word, *message._plain()]).body)

    def wait(self, timeout: float) -> bool:
        """Wait so many seconds for a message or the end, and return whether one came. One thread."""
        return self._channel.wait(timeout)

    def receive(self) -> Message | None:
        """Receive the next message, or raise a WireError; None if the other side has gone. One thread."""
        try:
            body = self._channel.recv()
        except BrokenError:
            return None
        if body is None:
            return None
        word, *plain = self._packer.unpack(Packed(CODEC_TAGS["data"], body, ()))
        kind = _KINDS.get(str(word))
        if kind is None:
            raise WireError(f"an order of a Corps begins with {word!r:.80}, which no version of it knows")
        return kind._of(*plain)
