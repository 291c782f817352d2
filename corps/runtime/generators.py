"""The generators of one worker: they stay with it, and their items are pulled one by one."""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import Context
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Final

_log = logging.getLogger("corps.workers")

PER_INCARNATION: Final = 2**32
"""Generators that one incarnation of a worker can keep: no other one gives their numbers."""


class Generators:
    """What methods of one worker have yielded from, and is not at its end. For who has the cell."""

    __slots__ = ("_cell", "_contexts", "_numbers", "_streams")

    def __init__(self, cell: Any) -> None:
        self._cell = cell
        self._numbers = itertools.count(cell.incarnation * PER_INCARNATION)
        self._streams: dict[int, Generator[Any, Any, Any] | AsyncGenerator[Any, Any]] = {}
        # Of the asynchronous ones: a variable that one step sets is there for the next, as in `async for`.
        self._contexts: dict[int, Context] = {}

    def keep(self, stream: Any) -> Any:
        """A generator stays here; what goes out is an iterator that pulls its items one by one."""
        number = next(self._numbers)
        self._streams[number] = stream
        if isinstance(stream, AsyncGeneratorType):
            self._contexts[number] = self._cell.context.copy()
        return self._cell.env.make_iterator(self._cell.name, number)

    def context_of(self, number: int) -> Context | None:
        """The context in which the steps of an asynchronous generator run; None for any other one."""
        return self._contexts.get(number)

    def pull(self, number: int) -> Any:
        """The next item as ``(True, item)``, or ``(False, value)`` at the end; or a coroutine of that."""
        stream = self._streams.get(number)
        if stream is None:
            return False, None
        if not isinstance(stream, GeneratorType):
            return self._pull_async(number, stream)
        try:
            return True, next(stream)
        except StopIteration as end:
            self._forget(number)
            return False, end.value
        except BaseException:
            self._forget(number)
            raise

    async def _pull_async(self, number: int, stream: Any) -> tuple[bool, Any]:
        try:
            return True, await anext(stream)
        except StopAsyncIteration:
            self._forget(number)
            return False, None
        except BaseException:
            self._forget(number)
            raise

    def drop(self, number: int) -> Any:
        """Close a generator; gives a coroutine that does it, for an asynchronous one."""
        context = self.context_of(number)
        stream = self._forget(number)
        if context is not None:
            return self._close_async([(stream, context)])
        if stream is not None:
            stream.close()
        return None

    def _forget(self, number: int) -> Any:
        self._contexts.pop(number, None)
        return self._streams.pop(number, None)

    def close(self, await_on_loop: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """Close the generators nobody pulled to their end; waits for that. Not on the loop's thread.

        Args:
            await_on_loop: Runs a coroutine on the Env's loop, and waits for it.
        """
        streams, self._streams = self._streams, {}
        contexts, self._contexts = self._contexts, {}
        asynchronous = [(streams.pop(number), context) for number, context in contexts.items()]
        for stream in streams.values():
            assert isinstance(stream, GeneratorType)
            try:
                stream.close()
            except Exception:  # an author's `finally` must not stop the end of the worker
                _log.exception("closing a generator of %s raised", self._cell)
        if asynchronous:
            await_on_loop(self._close_async(asynchronous))

    async def _close_async(self, streams: list[tuple[Any, Context]]) -> None:
        for stream, context in streams:
            try:
                await asyncio.get_running_loop().create_task(_close(stream), context=context)
            except Exception:  # as above
                _log.exception("closing a generator of %s raised", self._cell)


async def _close(stream: Any) -> None:
    await stream.aclose()
