"""The workers of one map, and which of them has room for a chunk."""

import inspect
from collections.abc import Callable
from typing import Any, Final, Protocol

from corps.errors import EnvLost, RequestError
from corps.parallel.chunk_workers import AsyncChunkWorker, ChunkWorker
from corps.parallel.feeder import Chunk
from corps.parallel.place import Place
from corps.runtime.calls.futures import Future
from corps.workers.factory import Options
from corps.workers.names import Method, Name

_AHEAD: Final = 2  # chunks in a worker: one in work, and one that waits
_BESIDE: Final = 64  # requests under way at once where nothing else bounds them: they wait, or have a worker


class Crew(Protocol):
    """What runs chunks."""

    def send(self, chunk: Chunk) -> Future[Any] | None:
        """Send a chunk; None if there is no room."""

    def answered(self, future: Future[Any], error: RequestError | None) -> None:
        """Note the answer of a chunk that was sent, or that its worker has gone."""

    def end(self) -> None:
        """End the workers, and wait for nothing."""


class Slot:
    """One worker, and how many chunks it has."""

    __slots__ = ("failures", "name", "under_way")

    def __init__(self, name: Name[Any]) -> None:
        self.name = name
        self.under_way = 0
        self.failures = 0  # in a row


class Chunkers:
    """Workers made for one function, over the Envs in turn."""

    def __init__(self, ahead: int, at_once: int, *, takes_single_items: bool) -> None:
        """Have no workers yet; each will have so many chunks at once, and all of them so many."""
        self._slots: list[Slot] = []
        self.takes_single_items = takes_single_items
        self._ahead = ahead
        self.at_once = at_once
        self._of: dict[Future[Any], Slot] = {}
        self._last: RequestError | None = None

    def take_in(self, made: list[Future[Name[Any]]]) -> None:
        """Take the workers that were created, and raise if one was not, but for an Env that has died."""
        errors = [error for future in made if (error := future.failure()) is not None]
        self._slots = [Slot(future.result()) for future in made if future.failure() is None]
        for error in errors:
            if not self._slots or not isinstance(error, EnvLost):
                self.end()
                raise error

    def send(self, chunk: Chunk) -> Future[Any] | None:
        """See `Crew.send`."""
        if not self._slots:
            raise self._last or RuntimeError("there are no workers left")
        slot = min(self._slots, key=_load)
        if slot.under_way >= self._ahead or len(self._of) >= self.at_once:
            return None
        future: Future[Any] = slot.name.run(chunk.items)
        slot.under_way += 1
        chunk.tries += 1
        self._of[future] = slot
        return future

    def answered(self, future: Future[Any], error: RequestError | None) -> None:
        """See `Crew.answered`."""
        slot = self._of.pop(future)
        slot.under_way -= 1
        slot.failures = 0 if error is None else slot.failures + 1
        if error is not None:
            self._last = error
            if slot.failures > self._ahead and slot in self._slots:  # and not as many as it had when it died
                self._slots.remove(slot)

    def end(self) -> None:
        """See `Crew.end`."""
        for future in list(self._of):
            future.cancel()
        for slot in self._slots:
            slot.name.exit().when_settled(_hear)


class Asked:
    """A method of a Name, or of any worker of a group: it is asked for one item after the other."""

    def __init__(self, method: Method, kind: str, at_once: int, *, returns_errors: bool) -> None:
        """Ask for so many items at once."""
        self._method = method
        self._is_star = kind == "starmap"
        self.at_once = at_once
        self.returns_errors = returns_errors
        self._under_way: set[Future[Any]] = set()

    def send(self, chunk: Chunk) -> Future[Any] | None:
        """See `Crew.send`."""
        if len(self._under_way) >= self.at_once:
            return None
        (item,) = chunk.items
        future: Future[Any] = self._method(*item) if self._is_star else self._method(item)
        self._under_way.add(future)
        return future

    def answered(self, future: Future[Any], error: RequestError | None) -> None:
        """See `Crew.answered`."""
        self._under_way.discard(future)

    def end(self) -> None:
        """See `Crew.end`."""
        for future in list(self._under_way):
            future.cancel()


def begin_crew(
    place: Place, function: Callable[..., Any], kind: str, at_once: int | None, *, returns_errors: bool
) -> tuple[Chunkers, list[Future[Name[Any]]]]:
    """Begin to create the workers; return them without Names, and the Futures of these."""
    env = place.env
    is_async = inspect.iscoroutinefunction(function)
    cls = AsyncChunkWorker if is_async else ChunkWorker
    number = place.workers
    if at_once is not None:
        number = min(number if is_async and env.peers is not None else at_once, at_once)
    if is_async and env.peers is None:
        number = 1  # one event loop
    ahead = _BESIDE if is_async else _AHEAD if at_once is None and env.peers is not None else 1
    places = [env.worker_envs[index % len(env.worker_envs)] for index in range(number)]
    made = [Options(env=each, _of=env).create_nowait(cls, function, kind, returns_errors) for each in places]
    return Chunkers(ahead, at_once or number * ahead, takes_single_items=is_async), made


def _load(slot: Slot) -> tuple[int, int]:
    return slot.failures, slot.under_way


def _hear(done: Future[Any]) -> None:
    done.hear()
