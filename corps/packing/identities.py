"""Which classes and which code are one and the same in several processes, although none can import them.

What travels by value gets a name when it is packed for the first time, and the name goes with it.
`docs/design/packing-code-once.md` says why. Type variables and `NewType` have names in the same way. One
object for each Env; all its packers share it.
"""

import contextlib
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary, ref

from corps.packing.class_versions import Copy, Original

R = TypeVar("R", Original, Copy)
T = TypeVar("T")

_MOST_KEPT: Final = 1024


class _Entry:
    """What is known of one thing."""

    __slots__ = ("is_complete", "is_original", "name", "record", "thing")

    def __init__(self, name: str, thing: ref[Any], is_original: bool) -> None:
        self.name = name
        self.thing = thing
        self.is_original = is_original
        self.is_complete = is_original
        self.record: Callable[[], Original | Copy | None] = lambda: None
        """The versions of a class. They refer to it, so they are not kept from here."""


class Identities:
    """The names of what this process has by value, and the things of names that came. Thread-safe.

    A class that came is kept while anything refers to it, and the last 1024 of them in any case: a class that
    counts in an attribute goes on counting, although no object of it was alive between two messages. What is
    known of the versions of classes is kept for as many; a class beyond that stays as it is.

    The lock protects the tables and the filling of classes that came. The thread that holds it takes it again
    when the garbage collector runs code there. None: only one thread packs and unpacks.
    """

    def __init__(self, lock: AbstractContextManager[Any] | None = None) -> None:
        self._lock = contextlib.nullcontext() if lock is None else lock
        # By address, because a metaclass may define an __eq__ of its own.
        self._entries: dict[int, _Entry] = {}
        self._things: WeakValueDictionary[str, Any] = WeakValueDictionary()
        self._kept: deque[Any] = deque(maxlen=_MOST_KEPT)

    def name_of(self, thing: Any) -> str:
        """Return the name of a thing, the same each time; give it one if it has none."""
        return self._entry(thing).name

    def make(self, name: str, make: Callable[[], T], *, is_complete: bool = False, is_kept: bool = True) -> T:
        """Return what has the name here. Make it if there is nothing; two threads may both try.

        A thing that is not complete waits for `take_over`. One that is kept is one of the last 1024 that
        stay.
        """
        found: T | None = self._things.get(name)
        if found is not None:
            return found
        made = make()
        with self._lock:
            found = self._things.get(name)
            if found is None:
                self._enter(made, name, False).is_complete = is_complete
                if is_kept:
                    self._kept.append(made)
                found = made
        return found

    def is_complete(self, thing: Any) -> bool:
        """Return whether a thing was defined here, or has been filled."""
        return self._entry(thing).is_complete

    def versions(self, cls: type, copied: Callable[[], dict[str, Any]]) -> tuple[int, Original | Copy | None]:
        """Return the version of a class, and what is known of its versions."""
        entry = self._entry(cls)
        with self._lock:
            record = entry.record()
            if record is None and entry.is_original:
                record = self._keep(entry, Original(cls, copied))
            elif isinstance(record, Original):
                record.look(cls, copied)
            return (0, None) if record is None else (record.version, record)

    def take_over(self, cls: type, fill: Callable[[Copy], None]) -> None:
        """Fill a class that came, or update it, by `fill`, which runs no code of the application."""
        entry = self._entry(cls)
        if entry.is_original:
            return
        with self._lock:
            record = entry.record()
            if record is None and not entry.is_complete:
                record = self._keep(entry, Copy())
            if isinstance(record, Copy):
                fill(record)
                entry.is_complete = True

    def _keep(self, entry: _Entry, record: R) -> R:
        self._kept.append(record)
        entry.record = ref(record)
        return record

    def _entry(self, thing: Any) -> _Entry:
        entry = self._entries.get(id(thing))
        if entry is None or entry.thing() is not thing:
            with self._lock:
                entry = self._entries.get(id(thing))
                if entry is None or entry.thing() is not thing:
                    entry = self._enter(thing, uuid.uuid4().hex, True)
        return entry

    def _enter(self, thing: Any, name: str, is_original: bool) -> _Entry:
        """Caller holds the lock."""
        address, entries = id(thing), self._entries

        def forget(gone: ref[Any]) -> None:
            # The address may belong to another thing by now.
            known = entries.get(address)
            if known is not None and known.thing is gone:
                entries.pop(address, None)

        entry = entries[address] = _Entry(name, ref(thing, forget), is_original)
        self._things[name] = thing
        return entry
