"""Things that come one after the other, for threads and coroutines that wait for them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Generic, Self, TypeVar

from corps.clock import deadline_after, remaining
from corps.errors import WaitTimeout
from corps.exporting import exported
from corps.messages.outcomes import Value
from corps.runtime.calls.futures import Future

T = TypeVar("T")


@exported
class News(Generic[T]):
    """What comes, in its order. Thread-safe.

    Iterate over it in a thread with ``for``, in a coroutine with ``async for``. It ends when it or its Env is
    closed. What has come and was not taken is given still.
    """

    # It takes no lock: one step of a deque is atomic.

    def __init__(self, what: str, forget: "Callable[[News[T]], object]", *, most: int | None = None) -> None:
        """Begin empty; the runtime calls this.

        Args:
            what: What comes, for errors.
            forget: Called when nothing more is to come.
            most: How many may wait to be taken. With one more, the oldest goes. None for any number.
        """
        self._missed = 0
        self._what = what
        self._forget = forget
        self._items: deque[T] = deque(maxlen=most)
        self._arrivals: deque[Future[None]] = deque()
        self._is_over = False

    @property
    def missed(self) -> int:
        """How many have gone before they were taken, because too many waited."""
        return self._missed

    def take(self, timeout: float | None = None) -> T:
        """Wait for the next one, and take it.

        Args:
            timeout: Seconds to wait; None for as long as it takes.

        Returns:
            What has come.

        Raises:
            WaitTimeout: The time was over first.
            EOFError: It has ended.
            LoopBlocked: Called in a coroutine.
        """
        until = deadline_after(timeout)
        while True:
            items, arrival = self._next()
            if items:
                return items[0]
            if arrival is None:
                raise EOFError(f"nothing more comes of {self._what}")
            try:
                arrival.result(remaining(until))
            except WaitTimeout:
                raise WaitTimeout(f"nothing came of {self._what} within {timeout} s") from None
            finally:
                with suppress(ValueError):
                    self._arrivals.remove(arrival)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            return self.take()
        except EOFError:
            raise StopIteration from None

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            items, arrival = self._next()
            if items:
                return items[0]
            if arrival is None:
                raise StopAsyncIteration
            await arrival

    def close(self) -> None:
        """End it. Idempotent."""
        self._forget(self)
        self.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.sleep(0)
        self.close()

    # --- for the runtime ---

    def put(self, item: T) -> None:
        """Add one. Never blocks."""
        self._missed += len(self._items) == self._items.maxlen  # where there is a limit, one thread adds
        self._items.append(item)
        self._wake()

    def end(self) -> None:
        """Add no more."""
        self._is_over = True
        self._wake()

    def _next(self) -> tuple[tuple[T, ...], Future[None] | None]:
        """Take the next one; or give a Future that is done when one has come, or None if there is no more."""
        with suppress(IndexError):
            return (self._items.popleft(),), None
        if self._is_over and not self._items:
            return (), None
        arrival: Future[None] = Future()
        self._arrivals.append(arrival)
        if self._items or self._is_over:  # it came at this very moment
            arrival.settle(Value(None))
        return (), arrival

    def _wake(self) -> None:
        with suppress(IndexError):
            while True:
                self._arrivals.popleft().settle(Value(None))
