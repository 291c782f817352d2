"""The generators of one worker: they stay with it, and their items are pulled one by one.

Each pull is a request of its own, in the worker's turn. While its consumer works on an item, the worker may
make the next ones *ahead*: at most as many as the consumer allows with each pull, and in turns of their own,
so that other requests come between. What is made ahead waits here, and the next pull gets it.

A generator is closed when no iterator of it is left (see `messages.streams`), when the processes have died
that are known to hold one, and when its worker ends.
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import nullcontext
from contextvars import Context
from threading import Lock
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Any, Final

from corps.clock import now
from corps.messages.streams import NOBODY, WHOLE
from corps.runtime.context import current

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_log = logging.getLogger("corps.workers")

PER_INCARNATION: Final = 2**32
"""Generators that one incarnation of a worker can keep: no other one gives their numbers."""

_AHEAD: Final = 2  # items that are made ahead, unless the consumer says otherwise ...
_WORTH_IT: Final = 0.001  # ... and if the last one took so long: for less, a change of threads costs more


_Item = tuple[bool, Any] | BaseException
"""What one step of a generator gave: ``(True, item)``, or at its end ``(False, value)`` or an error."""


class _Turn:
    """The turn of one generator of a worker whose functions run beside each other."""

    def __init__(self, cell: "Cell") -> None:
        self._env = cell.env
        self._lock = Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._env.enter_blocked()
            try:
                self._lock.acquire()
            finally:
                self._env.leave_blocked()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class _Stream:
    """One generator. Owner of the cell only, and for an asynchronous one its coroutines."""

    __slots__ = (
        "ahead",
        "allowed",
        "context",
        "holders",
        "is_due",
        "is_unwanted",
        "lock",
        "returned",
        "source",
        "took",
        "turn",
    )

    def __init__(self, source: Any, holder: int, context: Context | None, turn: _Turn | None) -> None:
        self.source: Generator[Any, Any, Any] | AsyncGenerator[Any, Any] | None = source
        # Of an asynchronous one, and of one whose request came with travelling values: each step finds them,
        # and finds what the step before has set, as in `async for`.
        self.context = context
        # One step at a time.
        self.lock = asyncio.Lock() if isinstance(source, AsyncGeneratorType) else None
        # Of a plain one: entered by the thread that steps or closes it. None: the worker runs one request at
        # a time.
        self.turn = turn
        self.ahead: deque[_Item] = deque()
        self.allowed: int | None = None
        # Its last iterator was given up. Set before the request that says so has a turn.
        self.is_unwanted = False
        self.is_due = False  # a turn to make items ahead is under way
        self.took = 0.0  # seconds for the last step
        self.holders = {holder: 1}  # Envs that are known to hold iterators, and how many
        self.returned = 0  # shares that are back

    @property
    def wants_more(self) -> bool:
        """Whether another item is to be made ahead."""
        if self.source is None or self.is_due or self.is_unwanted:
            return False
        if self.allowed is None:
            return self.took > _WORTH_IT and len(self.ahead) < _AHEAD
        return len(self.ahead) < self.allowed

    def step(self) -> _Item:
        """Let a plain generator make its next item."""
        source, begun = self.source, now()
        assert source is not None
        try:
            return True, next(source) if self.context is None else self.run(next, source)  # type: ignore[arg-type]
        except StopIteration as end:
            return self._ended((False, end.value))
        except BaseException as error:
            return self._ended(error)
        finally:
            self.took = now() - begun

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call what runs the author's code of a plain generator, in its own context if it has one."""
        if self.context is None:
            return function(*args)
        self.context.run(current.set, current.get())  # each step is one of another request
        return self.context.run(function, *args)

    async def astep(self) -> _Item:
        """Let an asynchronous generator make its next item."""
        source, begun = self.source, now()
        assert source is not None
        try:
            return True, await anext(source)  # type: ignore[arg-type]
        except StopAsyncIteration:
            return self._ended((False, None))
        except BaseException as error:
            return self._ended(error)
        finally:
            self.took = now() - begun

    def _ended(self, last: _Item) -> _Item:
        self.source = None
        return last


class Generators:
    """What methods of one worker have yielded from, and is not at its end. Owner of the cell only."""

    __slots__ = ("_cell", "_forsaken", "_numbers", "_streams")

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell
        self._numbers = itertools.count(cell.incarnation * PER_INCARNATION)
        self._streams: dict[int, _Stream] = {}
        self._forsaken: set[int] = set()  # closed because the process died that held their iterators

    def keep(self, source: Any, holder: int, context: Context | None = None) -> Any:
        """Keep a generator, and return an iterator that pulls its items, for the Env `holder`."""
        number = next(self._numbers)
        turn = _Turn(self._cell) if self._cell.interface.is_free else None
        stream = self._streams[number] = _Stream(source, holder, context, turn)
        return self._cell.env.upper.make_iterator(
            self._cell.name, number, WHOLE, holder, is_async=stream.lock is not None
        )

    @property
    def are_open(self) -> bool:
        """Whether there are any."""
        return bool(self._streams)

    def is_forsaken(self, number: int) -> bool:
        """Return whether a generator was closed because the process died that held its iterator."""
        return number in self._forsaken

    def is_unwanted_after(self, number: int | None, share: int) -> bool:
        """Return whether no iterator is left when a share is back. Thread-safe."""
        stream = self._streams.get(number) if number is not None else None
        if stream is None or stream.returned + share < WHOLE:
            return False
        stream.is_unwanted = True
        return True

    def only_of(self, env: int) -> list[int]:
        """Return the generators that only this Env holds. Thread-safe."""
        return [number for number, stream in list(self._streams.items()) if set(stream.holders) == {env}]

    def runs_beside(self, number: int | None, share: int) -> bool:
        """Return whether the note of a share that is back may begin beside coroutines. Thread-safe."""
        # Those may wait for a request that is behind it. It may not if it might run a plain generator's code.
        if number is None:  # the lost Env may get a plain generator before the turn of the note
            return False
        stream = self._streams.get(number)
        return stream is None or stream.lock is not None or not share

    def context_of(self, number: int) -> Context | None:
        """Return the context for the steps of an asynchronous generator; else None."""
        stream = self._streams.get(number)
        return stream.context if stream is not None else None

    # --- items ---

    def pull(self, number: int, allowed: int | None) -> Any:
        """Return the next item as ``(True, item)``, at the end ``(False, value)``; or a coroutine of that."""
        # So many may be made ahead then; None if the consumer has not said how many. The result is None if
        # there is no such generator, or not any more.
        stream = self._streams.get(number)
        if stream is None:
            return None
        if stream.turn is None:  # not a `nullcontext`, which takes 0.2 µs
            return self._pull(number, stream, allowed)
        with stream.turn:
            return self._pull(number, stream, allowed)

    def _pull(self, number: int, stream: _Stream, allowed: int | None) -> Any:
        stream.allowed = allowed
        if stream.ahead:
            return self._given(number, stream, stream.ahead.popleft())
        if stream.lock is not None:
            return self._pull_async(number, stream, stream.lock)
        if stream.source is None:  # closed meanwhile
            return False, None
        return self._given(number, stream, stream.step())

    async def _pull_async(self, number: int, stream: _Stream, lock: asyncio.Lock) -> tuple[bool, Any]:
        async with lock:
            if not stream.ahead and stream.source is None:  # closed meanwhile
                return False, None
            item = stream.ahead.popleft() if stream.ahead else await stream.astep()
        return self._given(number, stream, item)

    def _given(self, number: int, stream: _Stream, item: _Item) -> tuple[bool, Any]:
        if isinstance(item, BaseException) or not item[0]:
            self._streams.pop(number, None)
        elif stream.wants_more:
            stream.is_due = True
            self._cell.go_ahead(number, is_async=stream.lock is not None)
        if isinstance(item, BaseException):
            raise item
        return item

    def go_ahead(self, number: int) -> Any:
        """Make one item ahead; return a coroutine that does it, for an asynchronous generator."""
        stream = self._streams.get(number)
        if stream is None:
            return None
        if stream.lock is not None:
            return self._go_ahead_async(number, stream, stream.lock)
        with stream.turn or nullcontext():
            stream.is_due = False
            if stream.wants_more:
                self._made_ahead(number, stream, stream.step())
        return None

    async def _go_ahead_async(self, number: int, stream: _Stream, lock: asyncio.Lock) -> None:
        async with lock:
            stream.is_due = False
            if stream.wants_more:
                self._made_ahead(number, stream, await stream.astep())

    def _made_ahead(self, number: int, stream: _Stream, item: _Item) -> None:
        stream.ahead.append(item)
        if stream.wants_more:
            stream.is_due = True
            self._cell.go_ahead(number, is_async=stream.lock is not None)

    # --- the end ---

    def note(self, number: int, share: int, holder: int, change: int) -> Any:
        """Note a share of `WHOLE` that comes back, and how many iterators more an Env holds."""
        # Where one is needed for what follows, the result is a coroutine.
        stream = self._streams.get(number)
        if stream is None:
            return None
        with stream.turn or nullcontext():
            stream.returned += share
            if holder != NOBODY:
                count = stream.holders.get(holder, 0) + change
                stream.holders[holder] = count
                if not count:
                    del stream.holders[holder]
            is_left = stream.returned >= WHOLE
        return self._close([number]) if is_left else None

    def lose(self, env: int) -> Any:
        """Close what only the Env has held whose process has died; otherwise as `note`."""
        lost = []
        for number, stream in list(self._streams.items()):
            if stream.holders.pop(env, None) is not None and not stream.holders:
                lost.append(number)
        self._forsaken.update(lost)
        return self._close(lost)

    def _close(self, numbers: list[int]) -> Any:
        """Close generators; return a coroutine that does it, if one of them is asynchronous."""
        popped = [self._streams.pop(number, None) for number in numbers]
        streams = [stream for stream in popped if stream is not None]
        asynchronous = [stream for stream in streams if stream.lock is not None]
        for stream in streams:
            if stream.lock is None:
                self._close_plain(stream)
        return self._close_async(asynchronous) if asynchronous else None

    def close(self, await_on_loop: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """Close the generators that are left, and wait for that. Not on the loop's thread."""
        closing = self._close(list(self._streams))
        if closing is not None:
            await_on_loop(closing)

    def _close_plain(self, stream: _Stream) -> None:
        try:
            with stream.turn or nullcontext():
                source, stream.source = stream.source, None
                assert source is None or isinstance(source, GeneratorType)
                if source is not None:
                    stream.run(source.close)
        except Exception:  # an author's `finally` must not stop the end of the worker
            _log.exception("closing a generator of %s raised", self._cell)

    async def _close_async(self, streams: list[_Stream]) -> None:
        for stream in streams:
            try:
                await asyncio.get_running_loop().create_task(_close(stream), context=stream.context)
            except Exception:  # as above
                _log.exception("closing a generator of %s raised", self._cell)


async def _close(stream: _Stream) -> None:
    assert stream.lock is not None
    async with stream.lock:  # after the step that is under way
        source, stream.source = stream.source, None
        stream.ahead.clear()
        if source is None:
            return
        try:
            await source.aclose()  # type: ignore[union-attr]  # it is an asynchronous one
        except BaseExceptionGroup as group:  # of a TaskGroup around the `yield`: it wraps the GeneratorExit
            others = group.split(GeneratorExit)[1]
            if others is not None:
                raise others from None
