"""What one process has to know to reach a Corps that is not its own: values, and how they stand in a file."""

import json
from dataclasses import dataclass
from typing import Any, Final

from corps.addresses import FRONT
from corps.federation.json_fields import read_object
from corps.messages.interfaces import Interface
from corps.messages.members import Member
from corps.security.capabilities import CAPABILITY_SIZE

FORMAT: Final = 2  # of a connection record. A reader refuses what a newer release wrote

MAX_SIZE: Final = 1024 * 1024  # bytes of a record at most


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """All that a process needs to reach an external Corps.

    A process that can read it may call the Corps. So its file has the mode 0600, and no text shows
    `capability`.
    """

    corps: str  # random id of the Corps
    tag: str  # the name under which its user finds it; empty for none
    class_name: str  # ``module:qualname`` of the class of the Corps
    pid: int  # of the process that booted it
    started: str  # tells that process from a later one with the same id; only compared
    since: float  # seconds since 1970
    user: str
    host: str
    log_file: str  # its path; empty for none
    addresses: tuple[str, ...]  # where its front listens, best first
    front: Member
    conc: int  # conc id of the Corps object, in the front
    interface: Interface
    capability: bytes  # of the Corps object

    def __repr__(self) -> str:
        return f"<ConnectionRecord of {self.class_name} {self.tag!r}, Corps {self.corps[:6]}>"

    def to_json(self) -> str:
        """Return it as the text of a connection file."""
        facts: dict[str, object] = {
            "format": FORMAT,
            "corps": self.corps,
            "tag": self.tag,
            "class_name": self.class_name,
            "pid": self.pid,
            "started": self.started,
            "since": self.since,
            "user": self.user,
            "host": self.host,
            "log_file": self.log_file,
            "addresses": self.addresses,
            "front": self.front.as_list(),
            "conc": self.conc,
            "interface": self.interface.as_tuple(),
            "capability": self.capability.hex(),
        }
        return json.dumps(facts, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "a connection record") -> "ConnectionRecord":
        """Read the text of a connection file.

        Args:
            text: What `to_json` has returned.
            where: Whence it came, for the text of an error.

        Returns:
            The record.

        Raises:
            Damaged: It is no such text, or a field is missing, or is not what it has to be.
            NewerFormat: A newer release of corps wrote it.
        """
        fields = read_object(text, where, newest=FORMAT, limit=MAX_SIZE, hidden="capability")
        return cls(
            corps=fields.take("corps", str, bool),
            tag=fields.take("tag", str),
            class_name=fields.take("class_name", str, bool),
            pid=fields.take("pid", int, lambda pid: pid > 0),
            started=fields.take("started", str),
            since=fields.take("since", float),
            user=fields.take("user", str),
            host=fields.take("host", str),
            log_file=fields.take("log_file", str),
            addresses=fields.make("addresses", _addresses),
            front=fields.make("front", _front),
            conc=fields.take("conc", int, lambda conc: conc >= 0),
            interface=fields.make("interface", _interface),
            capability=fields.make("capability", _capability),
        )


def _addresses(facts: Any) -> tuple[str, ...]:
    if type(facts) is not list or not all(type(each) is str for each in facts):
        raise TypeError("it is no list of texts")
    return tuple(facts)


def _front(facts: Any) -> Member:
    *_, outside = _list_of(facts, (int, str, str, str, int, str, list))
    if not all(type(each) is str for each in outside):
        raise TypeError("it listens at what is no text")
    member = Member.from_list(facts)
    if member.env != FRONT or not member.incarnation or not member.endpoint or not member.corps:
        raise ValueError("it is no front Env that listens")
    return member


def _list_of(facts: Any, kinds: tuple[type, ...]) -> list[Any]:
    if type(facts) is not list or tuple(map(type, facts)) != kinds:
        raise TypeError(f"it wants {', '.join(kind.__name__ for kind in kinds)}")
    return facts


def _interface(facts: Any) -> Interface:
    if type(facts) is not list:
        raise TypeError("it is no list")
    interface = Interface.from_tuple(*facts)
    names = [
        interface.methods,
        interface.reserved,
        interface.async_methods,
        interface.computed,
        interface.read_only,
        interface.interleaving,
        [name for name, _ in interface.idempotent],
    ]
    if (
        not all(type(name) is str for group in names for name in group)
        or type(interface.class_name) is not str
    ):
        raise TypeError("its names are no texts")
    numbers = [interface.interleave, *(retries for _, retries in interface.idempotent)]
    if not all(type(number) is int for number in numbers):
        raise TypeError("its numbers are none")
    if not all(type(fact) is bool for fact in (interface.has_steps, interface.has_main, interface.is_free)):
        raise TypeError("its facts are no truth values")
    return interface


def _capability(text: Any) -> bytes:
    if type(text) is not str:
        raise TypeError("it is no text")
    capability = bytes.fromhex(text)
    if len(capability) != CAPABILITY_SIZE:
        raise ValueError(f"it wants {CAPABILITY_SIZE} bytes")
    return capability
