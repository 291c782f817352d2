"""The Dirs as one Env has them: its own Dir, and its copy of that of the Corps.

Look-ups take no lock and send nothing. What changes the copy comes from the Dir of the Corps, as numbered
changes. What this Env knows better, it takes out at once, and says so there: that a worker here has ended,
that a child of a worker here is gone, or that a process has died.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakSet

from corps.addresses import CORPS_DIR, ConcAddr
from corps.clock import now
from corps.errors import CorpsError, NameTaken, NotFound, WorkerGone
from corps.messages.interfaces import Interface
from corps.messages.outcomes import Refused, Value
from corps.messages.requests import CALL
from corps.runtime.calls.futures import Future, by_others
from corps.runtime.env import Env
from corps.runtime.parts import Part
from corps.services.dirs.entries import (
    SINGLETON,
    Changed,
    Entered,
    Entry,
    Left,
    Query,
    Row,
    Scope,
    Uniqueness,
)
from corps.services.dirs.ledger import Follower, Push
from corps.services.dirs.listing import Book, Listing
from corps.workers.funcs import room_in
from corps.workers.names import Name
from corps.workers.properties import NONE
from corps.workers.routed_names import RoutedName
from corps.workers.routing import How

if TYPE_CHECKING:
    from corps.services.dirs.primary import DirPrimary

_log = logging.getLogger("corps.services")

Event = Entered[Any] | Left[Any] | Changed[Any]

_SPARE: Final = 100  # interfaces of classes that have no entry any more
_PATIENCE: Final = 1.0  # seconds until an Env that joins asks again for the full listing


class Registration(NamedTuple):
    """What an author says of an entry. It travels."""

    tag: str
    unique: Uniqueness
    properties: dict[str, Any]
    where: Scope
    owner: tuple[int, int] | None = None
    host: str | None = None
    group: tuple[int, int] | None = None


class Taken(NamedTuple):
    """The answer to a registration that another worker stands against. It travels."""

    row: Row
    interface: tuple[object, ...]  # as a tuple

    @classmethod
    def by(cls, entry: Entry) -> "Taken":
        """Make it of the entry of that worker."""
        return cls(entry.row(0), entry.interface.as_tuple())


Answer = Taken | str | None
"""Of a registration: the worker that stands against it; why it cannot be; or None, and it is done."""


class MadeElsewhere(NameTaken):
    """A singleton was made by two Envs at once: `holder` is the one that was registered first."""


class DirCopy(Part):
    """The Dirs as one Env has them. Thread-safe.

    Attributes:
        primary: The Dir of the Corps, if that is here.
        lock: Protects all that follows, and the ledger of the primary. Nothing is sent under it.
    """

    def __init__(self, env: Env) -> None:
        """Begin empty, as all Envs of a Corps that starts."""
        self.env = env
        env.dirs = self
        self.primary: DirPrimary | None = None
        self.lock = RLock()
        self.corps = Book(env.id)
        self.own = Book(env.id)
        self._follower: Follower[Entry] = Follower()
        self._interfaces: dict[Interface, Interface] = {}  # one object for equal ones
        self._watchers: set[Watcher] = set()
        self._loose_watchers: WeakSet[Watcher] = WeakSet()  # which end when nothing holds them any more
        self._own_numbers = 0
        self._gone: list[tuple[int, int]] = []  # addresses that the primary is to hear of
        self._is_telling = False
        self._ready: Future[None] | None = None
        # For `find`, which is to be fast: what it gives for a tag, and for a class.
        self.by_tag: dict[str, Entry] = {}
        self.by_class: dict[str, Entry] = {}

    # --- looking up ---

    def find(self, query: Query) -> Name[Any] | None:
        """Return the Name of one worker that is meant; None if there is none."""
        entry = next(self._select(query), None)
        return None if entry is None else self.found(entry)

    def by_tag_in_corps(self, tag: str) -> Entry | None:
        """Return an entry of the Dir of the Corps, for a tag alone."""
        return self.corps.listing.by_tag.get(tag)

    def find_all(self, query: Query) -> list[Name[Any]]:
        """Return the Names of all workers that are meant, each once."""
        return list(dict.fromkeys(map(self.name_of, self._select(query))))

    def _select(self, query: Query) -> Iterator[Entry]:
        with self.lock:  # what `match` does is the author's, and runs without it
            plain = query._replace(match=None)
            found = [entry for listing in self._listings(query) for entry in listing.select(plain)]
        return filter(query.fits, found) if query.match is not None else iter(found)

    def _listings(self, query: Query) -> list[Listing]:
        return [book.of(query.owner) for book in self._books(query.where)]

    def _books(self, where: Scope | None) -> tuple[Book, ...]:
        if where is None:
            return self.own, self.corps
        return (self.own,) if where == "env" else (self.corps,)

    def name_of(self, entry: Entry) -> Name[Any]:
        """Return the Name of the worker of an entry, as this Env uses it."""
        if entry.group is None:
            return self.found(entry)
        return Name(entry.addr, entry.interface, self.env, incarnation=entry.incarnation)

    def found(self, entry: Entry) -> Name[Any]:
        """Return what `find` gives for an entry: the Name of its worker, or of any of the group of that."""
        if entry.name is None and entry.group is not None:
            entry.name = self._any_of(entry, entry.group)
        elif entry.name is None:
            entry.name = Name(entry.addr, entry.interface, self.env, incarnation=entry.incarnation)
        return entry.name

    def _any_of(self, entry: Entry, group: ConcAddr) -> Name[Any]:
        with self.lock:
            there = list(self.corps.listing.select(Query(entry.tag, entry.cls)))
        # With the number 0 it counts less than what the Mgr of the group says, which begins with 1.
        listing = 0, tuple(sorted(each.addr for each in there if each.group == group))
        how = How(room=room_in(entry.interface, self.env.options.threads_max))
        return RoutedName(group, entry.interface, self.env, how, listing)

    def not_found(self, query: Query, text: str = "") -> NotFound:
        """Make the error for a question to which there is no answer."""
        with self.lock:
            near = [miss for listing in self._listings(query) for miss in listing.near_misses(query)]
        hint = f"; there is {', '.join(dict.fromkeys(near))}" if near else ""
        if not near and query.tag and query.owner is None:
            hint = "; options(tag=...) alone registers nothing: it takes register=True, too"
        where = {"env": f"the Dir of {self.env.label}", "corps": "the Dir of the Corps"}
        what = "the Dir" if query.owner is not None else where.get(query.where or "", "the Dirs")
        return NotFound(f"no worker with {query} is registered in {what}{text}{hint}")

    # --- waiting and watching ---

    def watch(self, watcher: "Watcher") -> None:
        """Give a watcher all that there is, and then what changes."""
        with self.lock:
            (self._loose_watchers if watcher.is_loose else self._watchers).add(watcher)
            for book in self._books(watcher.query.where):
                for entry in book.of(watcher.query.owner).select(watcher.query._replace(match=None)):
                    watcher.hear(self, None, entry)

    def unwatch(self, watcher: "Watcher") -> None:
        """Give a watcher nothing more. Idempotent."""
        with self.lock:
            self._watchers.discard(watcher)
            self._loose_watchers.discard(watcher)

    def _tell(self, book: Book, former: Entry | None, entry: Entry | None) -> None:
        """Tell the watchers what becomes of an entry. Caller holds the lock."""
        if not self._watchers and not len(self._loose_watchers):
            return
        own = book is self.own
        for watcher in (*self._watchers, *self._loose_watchers):
            where = watcher.query.where
            if where is None or own is (where == "env"):
                watcher.hear(self, former, entry)

    # --- what changes ---

    def put(self, book: Book, entry: Entry) -> None:
        """Take an entry into a Book. Caller holds the lock."""
        entry.interface = self._interfaces.setdefault(entry.interface, entry.interface)
        former = book.put(entry)
        self._choose(entry)
        self._tell(book, former, entry)

    def take_out(self, book: Book, number: int) -> None:
        """Take an entry out of a Book, if it is there. Caller holds the lock."""
        entry = book.remove(number)
        if entry is None:
            return
        self._choose(entry)
        self._tell(book, entry, None)
        if len(self._interfaces) > _SPARE + len(self.corps.entries) + len(self.own.entries):
            entries = (*self.corps.entries.values(), *self.own.entries.values())
            self._interfaces = {each.interface: each.interface for each in entries}

    def _choose(self, entry: Entry) -> None:
        """Choose anew what `find` gives, because an entry has come or gone. Caller holds the lock."""
        if entry.owner is not None:
            return
        own, corps = self.own.listing, self.corps.listing
        for firsts, key, first in (
            (self.by_tag, entry.tag, own.by_tag.get(entry.tag) or corps.by_tag.get(entry.tag)),
            (self.by_class, entry.cls, own.by_class.get(entry.cls) or corps.by_class.get(entry.cls)),
        ):
            if first is not None:
                firsts[key] = first
            else:
                firsts.pop(key, None)

    def take(self, push: Push[Entry]) -> bool:
        """Take what the Dir of the Corps has sent; False if it does not follow on what is here."""
        with self.lock:
            changes = self._follower.take(push)
            if changes is None:
                return False
            if push.since < 0 and push.ends:
                there = {number for number, _ in changes}
                gone = [number for number in self.corps.entries if number not in there]
                changes = [*((number, None) for number in gone), *changes]
            doubtful = []
            for number, entry in changes:
                if entry is None:
                    self.take_out(self.corps, number)
                elif self.has_gone(entry):
                    doubtful.append(entry.addr)
                elif not self._is_known(number, entry):
                    self.put(self.corps, entry)
            ready, self._ready = (self._ready, None) if push.ends and push.since < 0 else (None, self._ready)
        self.gone(doubtful)
        if ready is not None:
            ready.settle(Value(None))
        return True

    def _is_known(self, number: int, entry: Entry) -> bool:
        known = self.corps.entries.get(number)
        if known is None or known.properties != entry.properties:
            return False
        return known.unique == entry.unique and known.incarnation == entry.incarnation

    def has_gone(self, entry: Entry) -> bool:
        """Return whether this Env knows that the worker of an entry is gone for good."""
        addr, mgr, env = entry.addr, entry.mgr, self.env
        if addr.env == env.id:
            return env.registry.find(addr.conc) is None and not env.registry.may_come(addr.conc)
        if mgr is not None and mgr.env == env.id and env.others.has_died(addr):
            cell = env.registry.find(mgr.conc)
            return cell is None or not cell.has_family or not cell.family.has(addr)
        return False

    def gone(self, workers: Iterable[ConcAddr]) -> None:
        """Take out the entries of workers that are gone for good, here and everywhere."""
        if self.env.lives.is_winding_down:  # all of them end now, and the Dirs with them
            return
        if self.primary is not None:
            self.primary.gone(list(workers))
            return
        with self.lock:
            for worker in workers:
                numbers = self.corps.of_worker(worker)
                for number in numbers:
                    self.take_out(self.corps, number)
                self._gone.append((worker.env, worker.conc))
        self._tell_gone()

    def _tell_gone(self) -> None:
        """Tell the Dir of the Corps which workers are gone: at most one message is under way."""
        with self.lock:
            if self._is_telling or not self._gone or self.env.closed:
                return
            gone, self._gone, self._is_telling = self._gone, [], True
        try:
            told = self.env.ask_service(self.env.home, CORPS_DIR, "gone", gone)
        except CorpsError:
            told = Future()
            told.settle(Value(None))
        told.when_settled(self._has_told)

    def _has_told(self, told: Future[Any]) -> None:
        told.failure()  # there is nobody left to tell
        with self.lock:
            self._is_telling = False
        self._tell_gone()

    # --- registering ---

    def enter(self, conc: int, wanted: Registration) -> Future[Answer]:
        """Register a worker of this Env; the Future is done when all Envs have it."""
        cell = self.env.registry.find(conc)
        answer: Future[Answer] = Future()
        if cell is None or cell.mgr_addr is None:
            answer.settle(Value("it is not there"))
            return answer
        owner = None if wanted.owner is None else ConcAddr(self.env.corps_id, *wanted.owner)
        entry = Entry(
            0,
            cell.addr,
            cell.incarnation,
            cell.interface,
            self.env.class_key(cell.interface.class_name),
            wanted.tag,
            wanted.properties or NONE,
            wanted.unique,
            cell.mgr_addr,
            owner,
            wanted.host,
            None if wanted.group is None else ConcAddr(self.env.corps_id, *wanted.group),
        )
        if wanted.where == "env":
            answer.settle(Value(self._enter_own(entry)))
        elif self.primary is not None:
            return self.primary.enter(entry)
        else:
            args = (entry.row(0), entry.interface.as_tuple())
            return self.env.ask_service(self.env.home, CORPS_DIR, "enter", *args)
        return answer

    def _enter_own(self, entry: Entry) -> Answer:
        with self.lock:
            taken = self.own.of(entry.owner).conflict(entry)
            if taken is not None:
                return Taken.by(taken)
            known = self.own.known(entry)
            self._own_numbers += known is None
            entry.number = known.number if known is not None else -self._own_numbers
            self.put(self.own, entry)
            has_gone = self.has_gone(entry)
        if has_gone:
            self.worker_ended(entry.addr, returns=False)
            return "it has ended"
        return None

    def leave_own(self, worker: ConcAddr, tag: str | None) -> int:
        """Take a worker out of the Dir of this Env; return how many entries that were."""
        with self.lock:
            of_worker = self.own.by_worker.get(worker, {}).values()
            found = [each for each in of_worker if tag is None or each.tag == tag]
            for entry in found:
                self.take_out(self.own, entry.number)
            return len(found)

    def opened(self, name: Name[Any], wanted: Registration, answer: Answer) -> CorpsError | None:
        """Return the error that an answer to a registration stands for; None if it is done."""
        if answer is None:
            return None
        if isinstance(answer, str):
            return WorkerGone(f"{name!r} cannot be registered: {answer}", executed="no", target=repr(name))
        interface = Interface.from_tuple(*answer.interface)
        entry = Entry.of(self.env.corps_id, answer.row, (interface,))
        holder = self.name_of(entry)
        what = f"the tag {wanted.tag!r}" if wanted.tag else "its class"
        text = f"{name!r} cannot be registered under {what}: {holder!r} is, and one of them wants to be alone"
        is_of_same_kind = entry.unique == wanted.unique == SINGLETON
        return (MadeElsewhere if is_of_same_kind else NameTaken)(text, holder=holder)

    # --- what happens to workers and Envs ---

    def worker_ended(self, worker: ConcAddr, *, returns: bool) -> None:
        """See `Part.worker_ended`."""
        if returns:
            return
        if worker in self.own.by_worker or worker in self.own.owned:
            with self.lock:
                for number in self.own.of_worker(worker):
                    self.take_out(self.own, number)
        self.worker_gone(worker)

    def worker_came_back(self, worker: ConcAddr, incarnation: int) -> None:
        """See `Part.worker_came_back`."""
        with self.lock:
            self.renew(self.own, worker, incarnation)
        if self.primary is not None:
            self.primary.renew(worker, incarnation)
        elif worker in self.corps.by_worker:
            args = ((worker.env, worker.conc), incarnation)
            self.env.ask_service(self.env.home, CORPS_DIR, "renew", *args)

    def renew(self, book: Book, worker: ConcAddr, incarnation: int) -> list[Entry]:
        """Put the incarnation into the entries of a worker, and return them. Caller holds the lock."""
        known = list(book.by_worker.get(worker, {}).values())
        fresh = [replace(entry, incarnation=incarnation, name=None) for entry in known]
        for entry in fresh:
            self.put(book, entry)
        return fresh

    def worker_gone(self, worker: ConcAddr) -> None:
        """See `Part.worker_gone`."""
        if worker in self.corps.by_worker or worker in self.corps.owned:
            self.gone((worker,))

    def env_lost(self, env_id: int, *, returns: bool) -> None:
        """See `Part.env_lost`."""
        with self.lock:
            if self.primary is None:
                for number in self.corps.of_env(env_id, returns=returns):
                    self.take_out(self.corps, number)
            there = [entry for entry in self.corps.entries.values() if entry.addr.env == env_id]
            doubtful = [entry.addr for entry in there if self.has_gone(entry)]
        if doubtful:
            self.gone(doubtful)

    def joins_late(self) -> None:
        """See `Part.joins_late`: no worker begins here before the full listing is here."""
        if self.primary is None:
            with self.lock:
                self._ready = Future()
            self.env.parts.hold(self._ready)
            self._ask_soon()

    def _ask_soon(self) -> None:
        self.env.alarms.at(now() + _PATIENCE, self._ask_again)

    def _ask_again(self) -> None:
        if self._ready is None or self.env.closed:
            return
        self.env.ask(CALL, ConcAddr(self.env.corps_id, self.env.home, CORPS_DIR), "came", (self.env.id,), {})
        self._ask_soon()

    def close(self) -> None:
        """See `Part.close`."""
        with self.lock:
            watchers = (*self._watchers, *self._loose_watchers)
            self._watchers.clear()
            self._loose_watchers.clear()
        for watcher in watchers:
            watcher.end()


class Watcher:
    """What hears of changes in Dirs. The lock of the DirCopy is held when it does.

    Attributes:
        query: Which entries it wants to hear of.
        is_loose: It ends when nothing else holds it.
    """

    is_loose = False

    def __init__(self, query: Query) -> None:
        self.query = query

    def hear(self, copy: DirCopy, former: Entry | None, entry: Entry | None) -> None:
        """Hear that an entry is another one now, has come, or has gone. Must not block."""
        raise NotImplementedError

    def end(self) -> None:
        """Hear that the Env closes."""

    def fits(self, entry: Entry | None) -> bool:
        """Return whether an entry is meant."""
        try:
            return entry is not None and entry.owner == self.query.owner and self.query.fits(entry)
        except Exception:
            _log.exception("what `match` was given for the Dirs raised")
            return False

    def change(self, copy: DirCopy, former: Entry | None, entry: Entry | None) -> Event | None:
        """Return what a change of an entry means for those who asked this; None if nothing."""
        was, there = self.fits(former), self.fits(entry)
        if entry is not None and there:
            if was and former is not None and former.properties == entry.properties:
                return None
            kind: Callable[..., Event] = Changed if was else Entered
            return kind(copy.name_of(entry), entry.tag, entry.cls, entry.properties)
        if former is not None and was:
            return Left(copy.name_of(former), former.tag, former.cls, former.properties)
        return None


class Finding(Watcher):
    """Settles a Future with the first worker that fits."""

    def __init__(self, query: Query) -> None:
        """Wait for what a query means."""
        super().__init__(query)
        self.found: Future[Name[Any]] = Future()

    def hear(self, copy: DirCopy, former: Entry | None, entry: Entry | None) -> None:
        """See `Watcher.hear`."""
        if entry is not None and self.fits(entry):
            self.found.settle(Value(copy.found(entry)))

    def end(self) -> None:
        """See `Watcher.end`."""
        text = f"no worker with {self.query} was registered before the Env closed"
        self.found.settle(Refused(NotFound(text)))


def find_soon(copy: DirCopy, query: Query, timeout: float | None) -> Future[Name[Any]]:
    """Return a Future of the Name of a worker that is meant; wait for one if there is a `timeout`."""
    name = copy.find(query)
    if name is None and timeout is not None:
        later: Future[Name[Any]] = by_others(copy.env.errands, found_later, copy, query, timeout)
        return later
    found: Future[Name[Any]] = Future()
    found.settle(Value(name) if name is not None else Refused(copy.not_found(query)))
    return found


def found_later(copy: DirCopy, query: Query, timeout: float | None) -> Future[Name[Any]]:
    """Return a Future of the Name of a worker that is meant, as soon as there is one.

    It fails with NotFound after `timeout` seconds.
    """
    finding = Finding(query)
    copy.watch(finding)
    found = finding.found
    found.when_settled(lambda _: copy.unwatch(finding))
    if timeout is not None and not found.done():

        def ring() -> None:
            found.settle(Refused(copy.not_found(query, f", and none has come within {timeout:g} s")))

        found.set_alarm(copy.env.alarms.at(now() + timeout, ring))
    return found
