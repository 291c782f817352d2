"""The workers that answer for Dirs: `Dir` for one of an author's own, and the two of the runtime."""

from typing import Any, ClassVar

from corps.addresses import ConcAddr
from corps.exporting import exported
from corps.messages.interfaces import Interface
from corps.runtime.env import Env
from corps.services.dirs.dir_copy import Answer, DirCopy, Registration, find_soon
from corps.services.dirs.entries import Entry, Query, Scope
from corps.services.dirs.finding import Match, query_in
from corps.services.dirs.ledger import Push
from corps.services.dirs.primary import DirPrimary
from corps.services.dirs.registering import begin_register, begin_unregister, registration
from corps.services.dirs.singletons import Order, Singletons
from corps.workers.conc import Conc
from corps.workers.names import Name
from corps.workers.properties import Properties


@exported
class Dir(Conc):
    """A Dir of one's own: ``mine = corps.create(corps.Dir)``; then ``mine.register(name, tag="index").ret``.

    It is asked through its Name like any worker. Its entries are found through it alone, and go with it.
    """

    interleave: ClassVar[bool | int] = True

    async def register(
        self, name: Name[Any], /, *, tag: str = "", unique: bool = False, **properties: Any
    ) -> None:
        """Register a worker here; see `corps.register`.

        Args:
            name: The worker.
            tag: What it can be found by; empty for its class alone.
            unique: No other worker may be registered here under this tag.
            **properties: Data.

        Raises:
            NameTaken, PropertyError, WorkerGone, ConfigError: As `corps.register`.
        """
        env = self._corps_own_cell().env
        await begin_register(env, name, registration(tag, unique, None, properties, self._owner()))

    async def unregister(self, name: Name[Any], /, *, tag: str | None = None) -> bool:
        """Take a worker out; see `corps.unregister`.

        Args:
            name: The worker.
            tag: Under which it was registered here; None for all.

        Returns:
            Whether it was registered here.

        Raises:
            ConfigError: As `corps.unregister`.
        """
        return await begin_unregister(self._corps_own_cell().env, name, tag, None, self._owner())

    async def find(
        self,
        what: str | type,
        /,
        *,
        tag: str | None = None,
        timeout: float | None = None,
        match: Match = None,
        **properties: Any,
    ) -> Name[Any]:
        """Find a worker here; see `corps.find`.

        Args:
            what: A tag, or a class of workers.
            tag: A tag, together with a class.
            timeout: Seconds to wait until there is one; None not to wait.
            match: Says of the properties of an entry whether it is meant.
            **properties: Values that the entry must have; ``...`` for any value.

        Returns:
            The Name of the worker.

        Raises:
            NotFound, ConfigError: As `corps.find`.
        """
        copy, query = self._asked(what, tag, match, properties)
        return await find_soon(copy, query, timeout)

    async def find_all(
        self,
        what: str | type | None = None,
        /,
        *,
        tag: str | None = None,
        match: Match = None,
        **properties: Any,
    ) -> list[Name[Any]]:
        """Find all workers here that fit; see `corps.find_all`.

        Args:
            what: A tag, or a class of workers; None for all.
            tag: A tag, together with a class.
            match: Says of the properties of an entry whether it is meant.
            **properties: Values that the entry must have; ``...`` for any value.

        Returns:
            Their Names.

        Raises:
            ConfigError: As `corps.find_all`.
        """
        copy, query = self._asked(what, tag, match, properties)
        return copy.find_all(query)

    def _asked(
        self, what: Any, tag: str | None, match: Match, properties: Properties
    ) -> tuple[DirCopy, Query]:
        env, where = self._corps_own_cell().env, self._where()
        query = query_in(env, what, tag, where, match, properties)._replace(owner=self._owner())
        return env.parts.get(DirCopy), query

    def _owner(self) -> ConcAddr | None:
        return self._corps_own_cell().addr

    def _where(self) -> Scope | None:
        return "corps"


class EnvDir(Dir):
    """The Dir of an Env, for the Envs of others."""

    _corps_face: ClassVar[Interface] = Dir._corps_interface  # the rest is for the runtime

    def __init__(self, env: Env) -> None:
        """Serve an Env."""
        self._copy = env.parts.get(DirCopy)
        self._singletons = env.parts.get(Singletons)

    def _owner(self) -> ConcAddr | None:
        return None

    def _where(self) -> Scope | None:
        return None

    async def take(
        self,
        since: int,
        upto: int,
        changes: list[tuple[int, tuple[Any, ...] | None]],
        begins: bool,
        ends: bool,
        interfaces: list[tuple[Any, ...]],
    ) -> bool:
        """Take changes of the Dir of the Corps; return whether they follow on what is here."""
        table, corps_id = [Interface.from_tuple(*each) for each in interfaces], self._copy.env.corps_id
        entries = [
            (number, None if row is None else Entry.of(corps_id, row, table)) for number, row in changes
        ]
        return self._copy.take(Push(since, upto, entries, begins, ends))

    async def enter(self, conc: int, wanted: Registration) -> Answer:
        """Register a worker of this Env."""
        return await self._copy.enter(conc, wanted)

    async def singleton(self, order: tuple[Any, ...]) -> Name[Any]:
        """Give the only worker of a class and tag, and make it if it is not there."""
        name: Name[Any] = await self._singletons.get(Order(*order))
        return name

    async def leave_own(self, conc: int, tag: str | None) -> int:
        """Take a worker of this Env out of its Dir; return how many entries that were."""
        env = self._copy.env
        return self._copy.leave_own(ConcAddr(env.corps_id, env.id, conc), tag)


class CorpsDir(Conc):
    """The Dir of the Corps, for all Envs."""

    interleave: ClassVar[bool | int] = True

    def __init__(self, env: Env) -> None:
        """Serve a Corps, from its Env `Env.home`."""
        self._corps_id = env.corps_id
        self._primary = env.parts.get(DirPrimary)

    async def enter(self, row: tuple[Any, ...], interface: tuple[Any, ...]) -> Answer:
        """Register a worker, whose Env says that it is there."""
        return await self._primary.enter(Entry.of(self._corps_id, row, (Interface.from_tuple(*interface),)))

    async def leave(self, worker: tuple[int, int], tag: str | None, owner: tuple[int, int] | None) -> int:
        """Take a worker out; return how many entries that were."""
        owned_by = None if owner is None else ConcAddr(self._corps_id, *owner)
        return await self._primary.leave(ConcAddr(self._corps_id, *worker), tag, owned_by)

    async def renew(self, worker: tuple[int, int], incarnation: int) -> None:
        """Hear in which incarnation a worker came back."""
        self._primary.renew(ConcAddr(self._corps_id, *worker), incarnation)

    async def gone(self, workers: list[tuple[int, int]]) -> None:
        """Hear that workers are gone for good."""
        self._primary.gone([ConcAddr(self._corps_id, *worker) for worker in workers])

    async def came(self, env_id: int) -> None:
        """Send everything to an Env that has not got it."""
        self._primary.asked_anew(env_id)
