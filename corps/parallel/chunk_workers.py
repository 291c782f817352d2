"""The workers that run chunks. Each has the function from its constructor, so that it travels once."""

import asyncio
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from corps.clock import now
from corps.errors import CorpsError, remote_of
from corps.messages.originals import remote_error
from corps.messages.outcomes import Raised
from corps.runtime.env import Env
from corps.supervision.restarts import Restart
from corps.workers.conc import Conc

Answer = tuple[list[Any], BaseException | None, float]
"""The values up to the first error; that error; and how many seconds the work took."""

_Calls = Callable[[Callable[..., Any], Iterable[Any]], Iterator[Any]]


def _fold(function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
    """Combine all items to one."""
    yield functools.reduce(function, items)


def _judge(function: Callable[..., Any], items: Iterable[Any]) -> Iterator[bool]:
    """Say of each item whether the function takes it."""
    return map(bool, map(function, items))


_KINDS: Final[dict[str, _Calls]] = {
    "map": map,
    "starmap": itertools.starmap,
    "filter": _judge,
    "reduce": _fold,
}


class ChunkWorker(Conc):
    """Calls one function for each item of a chunk."""

    restart = Restart()

    def __init__(self, function: Callable[..., Any], kind: str, returns_errors: bool) -> None:
        """Take the function; `kind` says how it is called, and `returns_errors` that errors are values."""
        self._function = function
        self._calls = _KINDS[kind]
        self._returns_errors = returns_errors
        self._folds = kind == "reduce"

    def run(self, items: Sequence[Any]) -> Answer:
        """Run a chunk."""
        began = now()
        values: list[Any] = []
        calls = self._calls(self._function, items)
        wanted = 1 if self._folds else len(items)
        while True:
            error: BaseException
            try:
                # The values before an exception remain in the list, and the calls go on behind it.
                values.extend(calls)
                if len(values) >= wanted:
                    return values, None, now() - began
                error = RuntimeError(f"the function raised StopIteration for {items[len(values)]!r:.200}")
            except Exception as raised:
                error = raised
            error = self._sendable(error)
            if not self._returns_errors:
                return values, error, now() - began
            values.append(error)

    def _sendable(self, error: BaseException) -> BaseException:
        cell = self._corps_own_cell()
        return sendable(cell.env, str(cell), error)


class AsyncChunkWorker(Conc):
    """Awaits one coroutine function for each item of a chunk, all of them beside each other."""

    restart = Restart()
    interleave = True

    def __init__(self, function: Callable[..., Any], kind: str, returns_errors: bool) -> None:
        """Take the function; see `ChunkWorker`."""
        self._function = function
        self._kind = kind
        self._returns_errors = returns_errors

    async def run(self, items: Sequence[Any]) -> Answer:
        """Run a chunk."""
        began = now()
        calls = itertools.starmap if self._kind == "starmap" else map
        values = await asyncio.gather(*calls(self._function, items), return_exceptions=True)
        cell = self._corps_own_cell()
        for index, value in enumerate(values):
            if isinstance(value, Exception):
                values[index] = error = sendable(cell.env, str(cell), value)
                if not self._returns_errors:
                    return values[:index], error, now() - began
        if self._kind == "filter":
            values = [value if isinstance(value, BaseException) else bool(value) for value in values]
        return values, None, now() - began


def sendable(env: Env, target: str, error: BaseException) -> BaseException:
    """Return an error as a caller gets it, with what of it can be packed."""
    remote = Raised.capture(error, target).remote
    made = remote_error(remote)
    if env.peers is not None:
        try:
            env.upper.pack(made)
        except CorpsError:
            return remote_error(replace(remote_of(made) or remote, origin=None))
    return made
