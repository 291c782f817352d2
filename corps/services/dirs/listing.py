"""The entries of Dirs in one Env, and the tables in which they are found.

Pure: no thread, no lock. One thread changes a Book at a time, and any thread may look up the first entry of
a key meanwhile, because that is one step of a dict.
"""

import difflib
from collections.abc import Callable, Iterator
from itertools import islice

from corps.addresses import ConcAddr
from corps.services.dirs.entries import SINGLETON, UNIQUE, Entry, Query

Owner = ConcAddr | None
Groups = dict[str, dict[int, Entry]]


def _keys(entry: Entry) -> list[tuple[int, str]]:
    """Return under which keys an entry stands: its tag and its class, or its class in two tables."""
    return [(0 if entry.tag else 2, entry.tag or entry.cls), (1, entry.cls)]


class Listing:
    """The entries of one Dir.

    Attributes:
        by_tag: For each tag the entry that `find` gives.
        by_class: For each class the same.
    """

    def __init__(self, is_near: Callable[[Entry], bool]) -> None:
        """Make an empty one. `find` prefers what `is_near`, and then what was registered first."""
        self._is_near = is_near
        self.by_tag: dict[str, Entry] = {}
        self.by_class: dict[str, Entry] = {}
        self._untagged: dict[str, Entry] = {}  # by their classes
        self._firsts = (self.by_tag, self.by_class, self._untagged)
        self._near: tuple[Groups, Groups, Groups] = ({}, {}, {})
        self._far: tuple[Groups, Groups, Groups] = ({}, {}, {})
        self._singletons: dict[tuple[str, str, str | None], Entry] = {}  # by kind

    def add(self, entry: Entry) -> None:
        """Take in an entry that is not here."""
        groups = self._near if self._is_near(entry) else self._far
        for kind, key in _keys(entry):
            groups[kind].setdefault(key, {})[entry.number] = entry
            self._choose(kind, key)
        if entry.unique == SINGLETON:
            self._singletons[entry.kind] = entry

    def remove(self, entry: Entry) -> None:
        """Take out an entry that is here."""
        groups = self._near if self._is_near(entry) else self._far
        for kind, key in _keys(entry):
            group = groups[kind][key]
            del group[entry.number]
            if not group:
                del groups[kind][key]
            if self._firsts[kind][key] is entry:
                self._choose(kind, key)
        if self._singletons.get(entry.kind) is entry:
            del self._singletons[entry.kind]

    def _choose(self, kind: int, key: str) -> None:
        for groups in (self._near, self._far):
            group = groups[kind].get(key)
            if group:
                self._firsts[kind][key] = next(iter(group.values()))
                return
        self._firsts[kind].pop(key, None)

    def select(self, query: Query) -> Iterator[Entry]:
        """Yield the entries that fit, the near ones first."""
        key, kind = (query.tag, 0) if query.tag else (query.cls, 1)
        for groups in (self._near, self._far):
            found = list(groups[1].values()) if key is None else [groups[kind].get(key, {})]
            for group in found:
                yield from filter(query.fits, list(group.values()))

    def singleton(self, cls: str, tag: str, host: str | None = None) -> Entry | None:
        """Return the one of its class and tag in a host, or in the whole Dir, if there is one."""
        return self._singletons.get((cls, tag, host))

    def conflict(self, entry: Entry) -> Entry | None:
        """Return an entry of another worker that does not allow this one; None if there is none."""
        if entry.unique == SINGLETON:
            other = self._singletons.get(entry.kind)
            if other is not None and other.addr != entry.addr:
                return other
        kind, key = (0, entry.tag) if entry.tag else (2, entry.cls)
        for groups in (self._near, self._far):
            # One that is unique stands alone, or with its group. Each worker has one entry at most: two are
            # enough.
            for other in islice(groups[kind].get(key, {}).values(), 2):
                is_same = other.addr == entry.addr or (other.group is not None and other.group == entry.group)
                if not is_same and UNIQUE in (entry.unique, other.unique):
                    return other
        return None

    def near_misses(self, query: Query) -> list[str]:
        """Return what comes close to a question to which there is no answer, in words."""
        without = query._replace(properties={}, match=None)
        like = [f"with other properties: {dict(entry.properties)}" for entry in self.select(without)][:3]
        if query.tag is not None and not like:
            like += [repr(tag) for tag in difflib.get_close_matches(query.tag, self.by_tag, n=3)]
        if query.cls is not None and not like:
            short = {cls.rpartition(":")[2]: cls for cls in self.by_class}
            like += difflib.get_close_matches(query.cls.rpartition(":")[2], short, n=3)
        return like


class Book:
    """All entries that one Env knows of one kind: those of the Corps, or those of its own Dir."""

    def __init__(self, env_id: int) -> None:
        """Know none yet."""
        self._env_id = env_id
        self.listing = self._new()
        """Of the Dir of the Corps, or of the Env."""
        self.owned: dict[ConcAddr, Listing] = {}
        """Of each `corps.Dir`."""
        self.entries: dict[int, Entry] = {}
        self.by_worker: dict[ConcAddr, dict[tuple[str, Owner], Entry]] = {}
        """Of each worker its entries, by tag and owner."""

    def _new(self) -> Listing:
        env_id = self._env_id
        return Listing(lambda entry: entry.addr.env == env_id)

    def of(self, owner: Owner) -> Listing:
        """Return the listing of a Dir."""
        if owner is None:
            return self.listing
        return self.owned.get(owner) or self._new()

    def known(self, entry: Entry) -> Entry | None:
        """Return the entry of the same worker under the same tag of the same Dir."""
        return self.by_worker.get(entry.addr, {}).get((entry.tag, entry.owner))

    def put(self, entry: Entry) -> Entry | None:
        """Take in an entry, and return its former version if it had one."""
        former = self.remove(entry.number) if entry.number in self.entries else None
        self.entries[entry.number] = entry
        self.by_worker.setdefault(entry.addr, {})[entry.tag, entry.owner] = entry
        listing = self.listing if entry.owner is None else self.owned.setdefault(entry.owner, self._new())
        listing.add(entry)
        return former

    def remove(self, number: int) -> Entry | None:
        """Take out an entry, and return it; None if it is not here."""
        entry = self.entries.pop(number, None)
        if entry is None:
            return None
        of_worker = self.by_worker[entry.addr]
        del of_worker[entry.tag, entry.owner]
        if not of_worker:
            del self.by_worker[entry.addr]
        self.of(entry.owner).remove(entry)
        return entry

    def of_worker(self, worker: ConcAddr) -> list[int]:
        """Return the numbers of the entries of a worker that has ended, and of those in a Dir that it was."""
        found = [entry.number for entry in self.by_worker.get(worker, {}).values()]
        if worker in self.owned:
            found += [entry.number for entry in self.entries.values() if entry.owner == worker]
        return found

    def of_env(self, env_id: int, *, returns: bool) -> list[int]:
        """Return the numbers of the entries that a dead process takes with it.

        A worker ends with the process of its Mgr. One whose Mgr lives elsewhere may come back, if the Env
        does: its Mgr decides.
        """
        return [
            entry.number
            for entry in self.entries.values()
            if (entry.mgr is not None and entry.mgr.env == env_id)
            or (not returns and entry.addr.env == env_id)
            or (entry.owner is not None and entry.owner.env == env_id)
        ]
