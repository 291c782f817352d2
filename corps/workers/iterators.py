"""What a caller gets for a generator method: an iterator whose items are pulled from the worker.

The generator stays in the worker. Each ``next`` is one request, in the worker's turn like every other;
nothing is produced that nobody asked for.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Generic, TypeVar

from corps.messages.outcomes import Value
from corps.messages.requests import DROP, PULL
from corps.runtime.futures import Future
from corps.workers.names import Name

Y = TypeVar("Y")


class RemoteIterator(Generic[Y], Iterator[Y], AsyncIterator[Y]):
    """Iterates over a generator that lives in a worker. One thread or coroutine at a time.

    Use ``for`` in threads and ``async for`` in coroutines. `close` it, or drop it, to end the generator
    early. It can be packed and passed on; whoever pulls gets the next item.
    """

    def __init__(self, worker: Name[Any], number: int) -> None:
        """For the runtime: applications get one from a generator method."""
        self._worker = worker
        self._number = number
        self._is_over = False
        self._was_passed_on = False

    def __iter__(self) -> "RemoteIterator[Y]":
        return self

    def __next__(self) -> Y:
        """The next item; waits for it.

        Raises:
            RequestError: The generator raised, or its worker is gone.
            LoopBlocked: Called in a coroutine: use ``async for`` there.
        """
        return self._item(self._pull().result(), StopIteration)

    def __aiter__(self) -> "RemoteIterator[Y]":
        return self

    async def __anext__(self) -> Y:
        """As `__next__`, in a coroutine."""
        return self._item(await self._pull(), StopAsyncIteration)

    def close(self) -> None:
        """End the generator: its ``finally`` blocks run in the worker. Does not wait. Idempotent."""
        if self._is_over:
            return
        self._is_over = True
        env = self._worker._env
        if env is not None and not env.closed:
            env.tell(DROP, self._worker._addr, "close", (self._number,), {})

    def __enter__(self) -> "RemoteIterator[Y]":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_was_passed_on", True):
            return  # somebody else may still pull
        env = self._worker._env
        if env is not None and not self._is_over:
            env.dropped.append((self._worker._addr, self._number))  # nothing else: see there

    def __repr__(self) -> str:
        return f"<RemoteIterator {self._number} of {self._worker!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        self._was_passed_on = True
        return restore_iterator, (self._worker, self._number)

    def _pull(self) -> Future[Any]:
        if self._is_over:
            over: Future[Any] = Future()
            over.settle(Value((False, None)))
            return over
        return self._worker._bound().ask(PULL, self._worker._addr, "next", (self._number,), {})

    def _item(self, answer: tuple[bool, Y], end: type[Exception]) -> Y:
        more, item = answer
        if more:
            return item
        self._is_over = True
        raise end(item) if end is StopIteration else end


def restore_iterator(worker: Name[Any], number: int) -> RemoteIterator[Any]:
    """Make a RemoteIterator of what it was packed as.

    Args:
        worker: The worker in which the generator lives.
        number: Its number there.

    Returns:
        The iterator.
    """
    return RemoteIterator(worker, number)
