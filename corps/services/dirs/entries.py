"""What a Dir holds, what is asked of it, and what changes in it. Values only."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from corps.addresses import ConcAddr
from corps.errors import ConfigError
from corps.exporting import exported
from corps.messages.interfaces import Interface
from corps.workers.names import Name
from corps.workers.properties import NONE, Properties, checked_properties

T_co = TypeVar("T_co", covariant=True)

Scope: TypeAlias = Literal["env", "corps"]
FindScope: TypeAlias = Literal["env", "corps", "ext"]  # and the Corps of this host
"""The Dir of one Env, which only that Env can see; and the Dir of the Corps."""

OPEN: Final = 0
UNIQUE: Final = 1
SINGLETON: Final = 2

Uniqueness: TypeAlias = Literal[0, 1, 2]
"""OPEN: others may have its tag too. UNIQUE: no other worker. SINGLETON: none of its class, tag and host."""

Row: TypeAlias = tuple[Any, ...]
"""An entry as it travels."""


@dataclass(slots=True, eq=False)
class Entry:
    """One worker under one tag, in one Dir.

    Attributes:
        number: Of the entry; unique in the Corps, or in the Env for what its own Dir holds.
        addr: Of the worker.
        incarnation: Which it is in, as far as that is known.
        interface: Of its class.
        cls: Name of its class, the same in every process.
        tag: Empty for none.
        properties: Data.
        unique: Whether others may have its key.
        host: In which host it is the only one of its class and tag; None for the whole Dir.
        mgr: Address of the worker's Mgr.
        owner: The `corps.Dir` that has it; None for the Dir of the Corps or of the Env.
        group: Whose worker it is, if the Name of any worker of that group is to be found.
        name: What `find` gives in the Env that holds this; made at the first use.
    """

    number: int
    addr: ConcAddr
    incarnation: int
    interface: Interface
    cls: str
    tag: str
    properties: Properties
    unique: Uniqueness
    mgr: ConcAddr | None
    owner: ConcAddr | None = None
    host: str | None = None
    group: ConcAddr | None = None
    name: Name[Any] | None = None

    @property
    def kind(self) -> tuple[str, str, str | None]:
        """Of which kind there is one, if it is a singleton."""
        return self.cls, self.tag, self.host

    def row(self, interface: int) -> Row:
        """Return it as plain data, with the place of its interface in a table of those."""
        addr, mgr, owner, group = self.addr, self.mgr, self.owner, self.group
        return (
            self.number,
            (addr.env, addr.conc),
            self.incarnation,
            interface,
            self.cls,
            self.tag,
            dict(self.properties) or None,
            self.unique,
            None if mgr is None else (mgr.env, mgr.conc),
            None if owner is None else (owner.env, owner.conc),
            self.host,
            None if group is None else (group.env, group.conc),
        )

    @classmethod
    def of(cls, corps_id: str, row: Row, interfaces: Sequence[Interface]) -> "Entry":
        """Undo `row`."""
        number, addr, incarnation, at, class_name, tag, properties, unique, mgr, owner, host, group = row
        return cls(
            number,
            ConcAddr(corps_id, *addr),
            incarnation,
            interfaces[at],
            class_name,
            tag,
            NONE if properties is None else MappingProxyType(properties),
            unique,
            None if mgr is None else ConcAddr(corps_id, *mgr),
            None if owner is None else ConcAddr(corps_id, *owner),
            host,
            None if group is None else ConcAddr(corps_id, *group),
        )


class Described(Protocol):
    """What a Query can be about: an Entry, or an external Corps."""

    @property
    def tag(self) -> str:
        """Its tag."""

    @property
    def cls(self) -> str:
        """Name of its class."""

    @property
    def properties(self) -> Properties:
        """What it has."""


class Query(NamedTuple):
    """What is asked of a Dir. What is None or empty fits every entry.

    Attributes:
        tag: Its tag.
        cls: Name of its class.
        properties: Values that it has, ``...`` for any value.
        match: Says of its properties whether they fit.
        where: The Dir of the Env, that of the Corps, or None for both in this order.
        owner: The `corps.Dir` that is asked; None for the others.
    """

    tag: str | None = None
    cls: str | None = None
    properties: Properties = NONE
    match: Callable[[Properties], object] | None = None
    where: Scope | None = None
    owner: ConcAddr | None = None

    def fits(self, entry: Described) -> bool:
        """Return whether an entry is meant. What `match` raises is the caller's."""
        return (
            (self.tag is None or entry.tag == self.tag)
            and (self.cls is None or entry.cls == self.cls)
            and (not self.properties or self._has_all(entry.properties))
            and (self.match is None or bool(self.match(entry.properties)))
        )

    def _has_all(self, properties: Properties) -> bool:
        for key, value in self.properties.items():
            if key not in properties or (value is not ... and properties[key] != value):
                return False
        return True

    def __str__(self) -> str:
        parts = [] if self.tag is None else [f"the tag {self.tag!r}"]
        parts += [] if self.cls is None else [f"the class {self.cls.rpartition(':')[2]}"]
        for key, value in self.properties.items():
            parts.append(f"a property {key}" if value is ... else f"{key}={value!r:.60}")
        parts += [] if self.match is None else ["what `match` wants"]
        return " and ".join(parts) or "anything"


@dataclass(frozen=True, slots=True)
class _Change(Generic[T_co]):
    """What happened to one entry of a Dir.

    Attributes:
        name: The worker.
        tag: Under which it is registered; empty for none.
        class_name: Name of its class, as ``module:qualname``.
        properties: Those that it has, or had.
    """

    name: Name[T_co]
    tag: str
    class_name: str
    properties: Properties

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.tag, self.class_name, dict(self.properties))


@exported
class Entered(_Change[T_co]):
    """A worker is registered: it was at the beginning, or is from now on."""

    __slots__ = ()


@exported
class Left(_Change[T_co]):
    """A worker is not registered any more: it has ended for good, or was taken out."""

    __slots__ = ()


@exported
class Changed(_Change[T_co]):
    """The properties of an entry are others than before."""

    __slots__ = ()


def query_of(
    what: str | type | None,
    class_key: Callable[[type], str],
    tag: str | None,
    where: Scope | None,
    match: Callable[[Properties], object] | None,
    properties: Mapping[str, Any],
    owner: ConcAddr | None = None,
) -> Query:
    """Make a Query of what an author has asked.

    Raises:
        ConfigError: `what` is neither a tag nor a class of workers, or another argument has a bad value.
        PropertyError: A property that is asked for can be none of any entry.
    """
    cls: str | None = None
    if isinstance(what, str):
        if tag is not None:
            raise ConfigError(f"the tag is given twice: {what!r}, and tag={tag!r}")
        tag = what
    elif what is not None:
        cls = class_key(what)
    if tag is not None and not isinstance(tag, str):
        raise ConfigError(f"tag={tag!r:.80}: wants a str")
    check_scope(where)
    if match is not None and not callable(match):
        raise ConfigError(f"match={match!r:.80}: wants a function of the properties of an entry")
    if properties:
        checked_properties({key: value for key, value in properties.items() if value is not ...})
    return Query(tag, cls, properties or NONE, match, where, owner)


def check_scope(where: object) -> None:
    """Raise ConfigError unless this is None or a Scope."""
    if where not in (None, "env", "corps"):
        raise ConfigError(f'where={where!r:.80}: wants "env", "corps", or None')


def interfaces_of(entries: Iterable[Entry]) -> tuple[list[Interface], list[Row]]:
    """Return entries as rows, and the table of their interfaces."""
    places: dict[int, int] = {}
    table: list[Interface] = []
    rows = []
    for entry in entries:
        at = places.get(id(entry.interface))
        if at is None:
            at = places[id(entry.interface)] = len(table)
            table.append(entry.interface)
        rows.append(entry.row(at))
    return table, rows
