"""Watching Dirs: all that there is, and then what changes."""

from collections.abc import AsyncIterator, Iterator
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from corps.clock import deadline_after, remaining
from corps.errors import ContextError, WaitTimeout
from corps.exporting import exported
from corps.messages.outcomes import Value
from corps.messages.requests import TOLD, Request
from corps.runtime.calls.futures import Future, by_others
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.services.dirs.dir_copy import DirCopy, Event, Watcher
from corps.services.dirs.entries import Changed, Entered, Entry, Left, Query
from corps.workers.conc import Conc
from corps.workers.watching import Told

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

T = TypeVar("T")


@exported
class DirWatch(Generic[T]):
    """What changes in Dirs, as `corps.watch_dir` gives it: `Entered`, `Left` and `Changed`. Thread-safe.

    First comes an `Entered` for each worker that is registered already. Iterate over it in a thread with
    ``for``, in a coroutine with ``async for``. What changes several times before it is looked at comes once.
    It ends when it or its Env is closed.
    """

    def __init__(self, env: Env, query: Query) -> None:
        """Watch; `corps.watch_dir` calls this."""
        self._env = env
        self._copy = env.parts.get(DirCopy)
        here = current.get()
        cell = None if here is None or here.env is not env else here.cell
        if cell is not None and _hears(cell):
            self._watcher: _Queue | _ForWorker = _ForWorker(query, cell)
        else:
            self._watcher = _Queue(query)
        by_others(env.errands, self._copy.watch, self._watcher)

    def take(self, timeout: float | None = None) -> Entered[T] | Left[T] | Changed[T]:
        """Wait for the next change, and take it.

        Args:
            timeout: Seconds to wait; None for as long as it takes.

        Returns:
            An `Entered`, `Left` or `Changed`.

        Raises:
            WaitTimeout: The time was over first.
            EOFError: The watch has ended.
            LoopBlocked: Called in a coroutine.
            ContextError: Its changes go to the `on_dir_change` of a worker.
        """
        until = deadline_after(timeout)
        queue = self._queue()
        while True:
            event, arrival = queue.take(self._copy)
            if event is not None:
                return event
            if arrival is None:
                raise EOFError("the watch of the Dirs has ended")
            try:
                arrival.result(remaining(until))
            except WaitTimeout:
                raise WaitTimeout(f"nothing has changed in the Dirs within {timeout} s") from None

    def __iter__(self) -> Iterator[Entered[T] | Left[T] | Changed[T]]:
        return self

    def __next__(self) -> Entered[T] | Left[T] | Changed[T]:
        try:
            return self.take()
        except EOFError:
            raise StopIteration from None

    def __aiter__(self) -> AsyncIterator[Entered[T] | Left[T] | Changed[T]]:
        return self

    async def __anext__(self) -> Entered[T] | Left[T] | Changed[T]:
        queue = self._queue()
        while True:
            event, arrival = queue.take(self._copy)
            if event is not None:
                return event
            if arrival is None:
                raise StopAsyncIteration
            await arrival

    def _queue(self) -> "_Queue":
        if isinstance(self._watcher, _ForWorker):
            raise ContextError("the changes of this watch go to the on_dir_change of the worker that watches")
        return self._watcher

    def close(self) -> None:
        """Watch no longer. What has come and was not taken is given still. Idempotent."""
        by_others(self._env.errands, self._close)

    def _close(self) -> None:
        self._copy.unwatch(self._watcher)
        self._watcher.end()

    def __enter__(self) -> "DirWatch[T]":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> "DirWatch[T]":
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._close()


class _Queue(Watcher):
    """Changes that wait to be taken: of each entry what it was and what it is, so at most one."""

    is_loose = True

    def __init__(self, query: Query) -> None:
        super().__init__(query)
        self._lock = Lock()  # protects what follows
        self._changes: dict[int, tuple[Entry | None, Entry | None]] = {}
        self._arrivals: list[Future[None]] = []
        self._is_over = False

    def hear(self, copy: DirCopy, former: Entry | None, entry: Entry | None) -> None:
        """See `Watcher.hear`."""
        if not (self.fits(former) or self.fits(entry)):
            return
        about = entry or former
        assert about is not None
        with self._lock:
            waiting = self._changes.get(about.number)
            self._changes[about.number] = (former if waiting is None else waiting[0], entry)
            arrivals, self._arrivals = self._arrivals, []
        _arrive(arrivals)

    def end(self) -> None:
        """See `Watcher.end`."""
        with self._lock:
            self._is_over = True
            arrivals, self._arrivals = self._arrivals, []
        _arrive(arrivals)

    def take(self, copy: DirCopy) -> tuple[Event | None, Future[None] | None]:
        """Take the next change; or a Future that is done when there is one, or None if there will be none."""
        while True:
            with self._lock:
                if not self._changes:
                    if self._is_over:
                        return None, None
                    arrival: Future[None] = Future()
                    self._arrivals.append(arrival)
                    return None, arrival
                change = self._changes.pop(next(iter(self._changes)))
            event = self.change(copy, *change)
            if event is not None:
                return event, None


def _arrive(arrivals: list[Future[None]]) -> None:
    for arrival in arrivals:
        arrival.settle(Value(None))


class _ForWorker(Watcher):
    """Calls `on_dir_change` of a worker, like a request."""

    def __init__(self, query: Query, cell: "Cell") -> None:
        super().__init__(query)
        self._cell = cell
        self._incarnation = cell.incarnation
        self.is_wanted = True

    def hear(self, copy: DirCopy, former: Entry | None, entry: Entry | None) -> None:
        """See `Watcher.hear`."""
        cell = self._cell
        if not self.is_wanted or cell.incarnation != self._incarnation or cell.ended is not None:
            copy.unwatch(self)
            return
        event = self.change(copy, former, entry)
        if event is not None:
            # It goes past the limit of the mailbox: it must arrive, however much waits there.
            promise = Told(f"'on_dir_change' of {cell.addr}")
            copy.env.deliver(Request(TOLD, cell.addr, "on_dir_change", (_News(self, event),), {}, promise))

    def end(self) -> None:
        """See `Watcher.end`."""
        self.is_wanted = False

    def is_for(self, cell: "Cell") -> bool:
        """Return whether the incarnation still lives that wanted to hear."""
        return self.is_wanted and cell.incarnation == self._incarnation


class _News:
    """One change, for a worker; see `Performer`."""

    def __init__(self, watcher: _ForWorker, event: Event) -> None:
        self._watcher = watcher
        self._event = event

    @property
    def is_wanted(self) -> bool:
        """Whether the worker has not given the watch up."""
        return self._watcher.is_for(self._watcher._cell)

    def result(self) -> Any:
        """Return the change."""
        return self._event


def _hears(cell: "Cell") -> bool:
    cls = cell.performer.cls
    return cls is not None and issubclass(cls, Conc) and cls.on_dir_change is not Conc.on_dir_change
