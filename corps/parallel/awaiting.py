"""`corps.amap`: a map whose results are awaited, in the coroutines of any event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from corps.exporting import exported
from corps.parallel.crew import Chunkers
from corps.parallel.engine import Engine
from corps.parallel.mapping import Asking, Errors, How, length_of
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import gather

R = TypeVar("R")


@exported
def amap(
    fn: Callable[..., Any],
    xs: Iterable[Any] | AsyncIterable[Any],
    /,
    *,
    chunk: int | None = None,
    at_once: int | None = None,
    ordered: bool = True,
    errors: Errors = "raise",
    idempotent: bool = False,
) -> AsyncGenerator[Any, None]:
    """Do as `corps.map` for a coroutine: ``async for value in corps.amap(fn, xs)``.

    The event loop goes on while items are drawn, run and waited for.

    Args:
        fn: A function, a coroutine function, or a method of a Name; see `corps.map`, as for all that follows.
        xs: The items; also an asynchronous iterable.
        chunk: Items in each chunk.
        at_once: How many chunks are under way at most.
        ordered: Whether results come in the order of the items.
        errors: ``"raise"`` or ``"return"``.
        idempotent: Whether a chunk whose Env has died may run again.

    Returns:
        An asynchronous generator. ``aclose()`` cancels what is left.

    Raises:
        CorpsError: As `corps.map`.
    """
    how: How = {"chunk": chunk, "at_once": at_once, "idempotent": idempotent}
    asking = Asking("amap", "map", fn, how, ordered=ordered, errors=errors)
    drawing = _Drawing(xs)
    return _values(asking, drawing, length_of(xs))


class _Drawing:
    """Draws items from an iterable of either kind."""

    def __init__(self, xs: Any) -> None:
        self._later: AsyncIterator[Any] | None = None
        self._now: Iterator[Any] = iter(())
        if isinstance(xs, AsyncIterable):
            self._later = aiter(xs)
        else:
            self._now = iter(xs)

    async def draw(self, number: int) -> list[Any]:
        """Return the next items; fewer at the end."""
        if self._later is None:
            return list(islice(self._now, number))
        items: list[Any] = []
        while len(items) < number:
            try:
                items.append(await anext(self._later))
            except StopAsyncIteration:
                break
        return items


class _Inbox:
    """Answers that have come, for one event loop. Any thread puts, the loop takes."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[Future[Any]] = deque()
        self._event = asyncio.Event()

    def watch(self, future: Future[Any]) -> None:
        """Take in a Future when it is done."""
        future.when_settled(self._put)

    def _put(self, future: Future[Any]) -> None:
        self._arrived.append(future)
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:  # the loop has closed: nothing waits there any more
            return

    async def take(self) -> Future[Any]:
        """Wait for the next one."""
        while not self._arrived:
            self._event.clear()
            if not self._arrived:
                await self._event.wait()
        return self._arrived.popleft()


async def _values(asking: Asking, drawing: _Drawing, total: int | None) -> AsyncGenerator[Any, None]:
    place = await asyncio.to_thread(asking.find_place) if asking.must_boot() else asking.find_place()
    engine: Engine | None = None
    try:
        crew, made = asking.begin(place)
        if isinstance(crew, Chunkers):
            for future in made:
                await gather(future) if not future.done() else None
            crew.take_in(made)
        engine = asking.engine(place, crew, total)
        async for values in _lists(engine, drawing):
            for value in values:
                yield value
    finally:
        if engine is not None:
            engine.stop()
        await asyncio.to_thread(place.end)


async def _lists(engine: Engine, drawing: _Drawing) -> AsyncIterator[list[Any]]:
    inbox = _Inbox()
    while True:
        while (wanted := engine.wanted()) is not None:
            items = await drawing.draw(wanted) if wanted else None
            if not engine.send_next(items, inbox.watch):
                break
        for result in (results := engine.ready()):
            if result.values:
                yield result.values
            if result.error is not None:
                raise result.error
        if not engine.is_busy:
            if engine.is_over:
                return
            if results:
                continue
        engine.arrived(await inbox.take())
