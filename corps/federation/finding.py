"""Finding Corps of this host: from what stands in the registry to a Name for an Env."""

from functools import partial
from types import MappingProxyType
from typing import Any

from corps.addresses import FRONT, ConcAddr
from corps.errors import ContextError, NotFound, Unreachable
from corps.federation.border import CorpsBorder
from corps.federation.records import ConnectionRecord
from corps.federation.registry import Entry, registry_of_user
from corps.messages.contacts import Contact, ExtAddr
from corps.messages.interfaces import Interface
from corps.runtime.env import Env
from corps.workers.ext_side import ExtEntry, ExtSide
from corps.workers.names import Name
from corps.workers.properties import Properties


class ExtCorps(ExtSide):
    """See `ExtSide`."""

    def __init__(self, env: Env) -> None:
        """Serve an Env."""
        self._env = env

    def find(self, tag: str) -> Name[Any]:
        """See `ExtSide.find`."""
        self._check_border(f"the Corps {tag!r}")
        return self._name_of(registry_of_user().find(tag))

    def entries(self) -> list[ExtEntry]:
        """See `ExtSide.entries`."""
        self._check_border("another Corps")
        return [
            ExtEntry(entry.tag, entry.record.class_name, _facts_of(entry.record), partial(self._reach, entry))
            for entry in registry_of_user().all_of_user()
            if entry.record is not None and entry.state == "running" and any(entry.record.capability)
        ]

    def _check_border(self, what: str) -> None:
        if self._env.border is None:
            text = f"{self._env.label} has no links by which it could reach {what}"
            raise ContextError(f"{text}: use corps.connect(...)")

    def _name_of(self, record: ConnectionRecord) -> Name[Any]:
        return Name(address_for(self._env, record, record.interface), record.interface, self._env)

    def _reach(self, entry: Entry) -> Name[Any]:
        assert entry.record is not None
        try:
            return self._name_of(entry.record)
        except Unreachable as error:
            raise NotFound(str(error)) from error


def _facts_of(record: ConnectionRecord) -> Properties:
    return MappingProxyType(
        {
            "class_name": record.class_name,
            "corps": record.corps,
            "pid": record.pid,
            "since": record.since,
            "user": record.user,
            "host": record.host,
        }
    )


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
