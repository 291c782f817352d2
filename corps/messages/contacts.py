"""Addresses of workers of other Corps, with all that it takes to reach them. Values only."""

from dataclasses import dataclass
from typing import Any

from corps.addresses import BORDER, ConcAddr
from corps.messages.interfaces import Interface
from corps.messages.members import Member


@dataclass(frozen=True, slots=True)
class Contact:
    """Where one Env of a Corps was last known to be, and who knows where it is if it is not there."""

    env: Member  # the Env in which the worker is; it names its Corps, and has no incarnation if it had none
    front: Member  # the front Env of the same Corps, which knows the others

    def as_tuple(self) -> tuple[list[object], list[object]]:
        """Return it as plain data: it travels inside Names."""
        return self.env.as_list(), self.front.as_list()

    @classmethod
    def from_tuple(cls, env: list[Any], front: list[Any]) -> "Contact":
        """Undo `as_tuple`."""
        return cls(Member.from_list(env), Member.from_list(front))


class ExtAddr(ConcAddr):
    """The address of a worker of another Corps. It equals the address that the worker has at home.

    Attributes:
        capability: Shows that the Corps of the worker has handed out its Name.
        contact: Where its Env was when the Name was packed.
        interface: What its Name knows of its class; None where that is not known. It does not travel.
        stream_of: The method that has given the generator which it is asked for; empty for none.
    """

    capability: bytes
    contact: Contact
    interface: Interface | None = None
    stream_of: str = ""

    def __new__(cls, corps: str, env: int, conc: int, capability: bytes, contact: Contact) -> "ExtAddr":
        """Make it; the runtime calls this."""
        addr = tuple.__new__(cls, (corps, env, conc))
        addr.capability = capability
        addr.contact = contact
        return addr

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (*self, self.capability, self.contact)

    def __getstate__(self) -> None:
        """Return nothing beside these: what is known of the class stays here."""

    def known_as(self, interface: Interface | None, stream_of: str = "") -> "ExtAddr":
        """Return the same address with what is known of the worker's class, and of its generator."""
        addr = ExtAddr(*self, self.capability, self.contact)
        addr.interface, addr.stream_of = interface, stream_of
        return addr

    @property
    def border(self) -> "ExtAddr":
        """The address of what answers, in the same Env, for facts that need no Name of a worker."""
        return ExtAddr(self.corps, self.env, BORDER, b"", self.contact)

    def as_plain(self) -> tuple[Any, ...]:
        """Return it as plain data."""
        return (*self, self.capability, *self.contact.as_tuple())


def address_in(corps: str, plain: tuple[Any, ...], interface: Interface | None = None) -> ConcAddr:
    """Return the address of `as_plain`, as it is in a Corps: what comes home is a plain one again.

    `interface` is what is known of the worker's class.
    """
    if len(plain) == 3 or plain[0] == corps:
        return ConcAddr(*plain[:3])
    corps, env, conc, capability, *contact = plain
    return ExtAddr(corps, env, conc, capability, Contact.from_tuple(*contact)).known_as(interface)
