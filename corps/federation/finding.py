"""Finding Corps of this host: from what stands in the registry to a Name for an Env."""

from typing import Any

from corps.addresses import FRONT, ConcAddr
from corps.errors import ContextError
from corps.federation.border import CorpsBorder
from corps.federation.records import ConnectionRecord
from corps.federation.registry import registry_of_user
from corps.messages.contacts import Contact, ExtAddr
from corps.messages.interfaces import Interface
from corps.runtime.env import Env
from corps.workers.ext_side import ExtSide
from corps.workers.names import Name


class ExtCorps(ExtSide):
    """See `ExtSide`."""

    def __init__(self, env: Env) -> None:
        """Serve an Env."""
        self._env = env

    def find(self, tag: str) -> Name[Any]:
        """See `ExtSide.find`."""
        if self._env.border is None:
            text = f"{self._env.label} has no links by which it could reach the Corps {tag!r}"
            raise ContextError(f"{text}: use corps.connect({tag!r})")
        record = registry_of_user().find(tag)
        return Name(address_for(self._env, record, record.interface), record.interface, self._env)


def address_for(env: Env, record: ConnectionRecord, interface: Interface) -> ConcAddr:
    """Return the address of the Corps object of a record for an Env at a border, which connects to it.

    Raises:
        Unreachable: The Corps has ended.
        Overloaded: This process has no descriptors left.
    """
    addr = ConcAddr(record.corps, FRONT, record.conc)
    if record.corps == env.corps_id:
        return addr
    abroad = ExtAddr(*addr, record.capability, Contact(record.front, record.front)).known_as(interface)
    assert isinstance(env.border, CorpsBorder)
    if record.tag:
        env.border.found(record.corps, record.tag)
    env.border.meet(abroad)
    return abroad
