"""How the changes of one Dir come to the copies of it: numbered, in order, and anew where one is missing.

Pure: no thread, no lock, no message. The Ledger stands beside the Dir of the Corps and knows what each Env
has. It gives what is to be sent next: one Push at a time for each Env, with all changes since the last one.
The Follower stands beside a copy. It takes what comes, and says no to what does not follow on what it has;
then it is sent everything anew.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

BATCH: Final = 2000
"""The most changes in one message."""


class Push(NamedTuple, Generic[T]):
    """Changes for one copy.

    Attributes:
        since: The number of the change before the first one; -1 in a full listing.
        upto: The number of the last one; in a full listing of the last one before it was begun.
        changes: Numbers of entries, each with what is there now, or None.
        begins: The first part of a full listing.
        ends: The last part of it; also True of changes.
    """

    since: int
    upto: int
    changes: list[tuple[int, T | None]]
    begins: bool = False
    ends: bool = True


@dataclass(slots=True)
class _Link(Generic[T]):
    """What is known of one copy."""

    acked: int = 0
    under_way: Push[T] | None = None
    is_anew: bool = False  # it needs a full listing
    rest: Iterator[tuple[int, T]] | None = None  # of the full listing that is being sent
    upto: int = 0  # of the same
    is_away: bool = False
    is_counted: bool = True  # what changes waits for it


class Ledger(Generic[T]):
    """The changes of one Dir, and which copies have them. One thread at a time."""

    def __init__(self) -> None:
        """Begin at 0, where every copy is empty."""
        self.number = 0
        """Of the last change."""
        self._log: deque[tuple[int, T | None]] = deque()  # the last changes, up to `number`
        self._links: dict[int, _Link[T]] = {}

    def meet(self, env_ids: Iterable[int]) -> None:
        """Know these copies, which were there from the beginning or are known already."""
        for env_id in env_ids:
            if env_id not in self._links:
                link = self._links[env_id] = _Link()
                link.is_anew = self.number > len(self._log)

    def copies(self) -> list[int]:
        """Return the ids of the Envs whose copies are known."""
        return list(self._links)

    def is_complete(self, env_id: int) -> bool:
        """Return whether a copy is there, and no full listing, nor the rest of one, is on its way to it."""
        link = self._links.get(env_id)
        if link is None or link.is_away or link.is_anew or link.rest is not None:
            return False
        return link.under_way is None or link.under_way.since >= 0

    def is_under_way(self, env_id: int, push: Push[T]) -> bool:
        """Return whether a Push is the one to which a copy has not answered."""
        return self._links[env_id].under_way is push

    def add(self, number: int, entry: T | None) -> int:
        """Record that an entry is this from now on, or that it is not there; return the change's number."""
        self._log.append((number, entry))
        self.number += 1
        self._trim()
        return self.number

    def came(self, env_id: int) -> None:
        """Know a copy that is new, or was made anew, and needs everything."""
        # No worker begins there before it has everything, so until then nothing has to wait for it.
        self._links[env_id] = _Link(is_anew=True, is_counted=False)

    def lost(self, env_id: int) -> None:
        """Count a copy no more until it comes again."""
        self._links[env_id] = _Link(is_away=True)
        self._trim()

    def next_push(self, env_id: int, entries: dict[int, T]) -> Push[T] | None:
        """Return what is to be sent to a copy now, out of all `entries`; None for nothing."""
        link = self._links[env_id]
        if link.is_away or link.under_way is not None:
            return None
        if link.is_anew or link.rest is not None:
            link.under_way = self._part(link, entries)
        elif link.acked < self.number:
            start = link.acked - (self.number - len(self._log))
            changes = list(islice(self._log, start, start + BATCH))
            link.under_way = Push(link.acked, link.acked + len(changes), changes)
        return link.under_way

    def _part(self, link: _Link[T], entries: dict[int, T]) -> Push[T]:
        begins = link.is_anew
        if begins:
            link.is_anew, link.upto, link.rest = False, self.number, iter(list(entries.items()))
        assert link.rest is not None
        part: list[tuple[int, T | None]] = list(islice(link.rest, BATCH))
        ends = len(part) < BATCH
        if ends:  # with what has changed meanwhile, because nothing has waited for this copy
            start = link.upto - (self.number - len(self._log))
            part += islice(self._log, start, None)
            link.upto, link.rest, link.is_counted = self.number, None, True
        return Push(-1, link.upto, part, begins, ends)

    def answered(self, env_id: int, push: Push[T], *, is_taken: bool) -> None:
        """Record what a copy has said to a Push. It is sent everything anew if it could not take that."""
        link = self._links[env_id]
        if link.under_way is not push:  # of a process that has died
            return
        link.under_way = None
        if not is_taken:
            link.is_anew, link.rest = True, None
        elif push.ends:
            link.acked = push.upto
        self._trim()

    def has_all(self) -> int:
        """Return the number up to which every copy that is there has all changes.

        A copy that is new does not count before the end of its full listing is sent.
        """
        counted = [link.acked for link in self._links.values() if link.is_counted and not link.is_away]
        return min(counted, default=self.number)

    def _trim(self) -> None:
        """Forget the changes that no copy needs."""
        needed = [self.number]
        for link in self._links.values():
            if link.is_anew or link.is_away:
                continue
            is_listed = link.rest is not None or (link.under_way is not None and link.under_way.since < 0)
            needed.append(link.upto if is_listed else link.acked)
        while self._log and self.number - len(self._log) < min(needed):
            self._log.popleft()


@dataclass(slots=True)
class Follower(Generic[T]):
    """What a copy has of the changes. One thread at a time."""

    number: int = 0
    """Of the last change that it has."""
    coming: list[tuple[int, T | None]] | None = field(default=None)
    """What has come of a full listing that is not complete."""

    def take(self, push: Push[T]) -> list[tuple[int, T | None]] | None:
        """Take a Push, and return which of its changes are to be applied; None if it does not follow.

        Nothing is to be applied before a full listing is complete; then `was_anew` is true of its Push, and
        the changes are all entries that there are.
        """
        if push.since < 0:
            if push.begins:
                self.coming = []
            if self.coming is None:
                return None
            self.coming += push.changes
            if not push.ends:
                return []
            complete, self.coming, self.number = self.coming, None, push.upto
            return complete
        if push.since > self.number or self.coming is not None:
            return None
        new = push.changes[self.number - push.since :]
        self.number = max(self.number, push.upto)
        return new
