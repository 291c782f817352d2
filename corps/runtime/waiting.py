"""Waiting for many Futures: each completion costs the same, however many there are.

Every function registers one callback per Future and blocks once; nothing polls. In coroutines use
``await`` on the Futures, or ``await corps.gather(...)``, instead.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import Any, TypeVar

from corps.clock import deadline_after, remaining
from corps.errors import CorpsError, WaitTimeout
from corps.messages.outcomes import Outcome, Refused, Value
from corps.runtime.blocking import block_until, readers_of
from corps.runtime.futures import Future

R = TypeVar("R")


def wait_any(futures: Iterable[Future[R]], timeout: float | None = None) -> Future[R]:
    """Wait until one of the Futures is done.

    Args:
        futures: At least one Future; duplicates do no harm.
        timeout: Seconds to wait; None for as long as it takes.

    Returns:
        The Future that was done first. Among those that are done already, the first one given.

    Raises:
        ValueError: No Future was given.
        WaitTimeout: The time was over first; the requests go on.
        LoopBlocked: Called in a coroutine, or in a callback.
    """
    given = _unique(futures)
    if not given:
        raise ValueError("wait_any needs at least one Future: without one it would wait for ever")
    return next(_Arrivals(given).within(timeout))


def wait_all(futures: Iterable[Future[R]], timeout: float | None = None) -> list[Future[R]]:
    """Wait until all of the Futures are done, whether with a value or an error.

    Args:
        futures: Any number of Futures.
        timeout: Seconds to wait; None for as long as it takes.

    Returns:
        The Futures as given.

    Raises:
        WaitTimeout: The time was over first; the requests go on.
        LoopBlocked: Called in a coroutine, or in a callback.
    """
    given = list(futures)
    waited = _unique(given)
    missing = [future for future in waited if not future.done()]
    if missing and not _wait_for(missing, timeout):
        undone = sum(not future.done() for future in waited)
        raise WaitTimeout(f"{undone} of {len(waited)} Futures were not done within {timeout} s")
    return given


def as_completed(futures: Iterable[Future[R]], timeout: float | None = None) -> Iterator[Future[R]]:
    """Iterate over the Futures in the order in which they are done.

    Args:
        futures: Any number of Futures; each is given once.
        timeout: Seconds for the whole iteration, from the call on; None for as long as it takes.

    Returns:
        An iterator over the Futures.

    Raises:
        WaitTimeout: While iterating: the time was over first; the requests go on.
        LoopBlocked: While iterating: called in a coroutine, or in a callback.
    """
    return _Arrivals(_unique(futures)).within(timeout)


def gather(*futures: Future[R]) -> Future[list[R]]:
    """Join many Futures into one that gives all their values.

    Args:
        *futures: Any number of Futures.

    Returns:
        A Future of the list of values, in the order given. It fails with the first error that comes.
        Cancelling it leaves the others alone.
    """
    joined: Future[list[R]] = Future()
    joined.parts = futures
    missing = _Countdown(list(futures))

    def arrived(future: Future[Any]) -> None:
        outcome = future.outcome
        if outcome is not None and outcome.failed:
            joined.settle(outcome)
        elif missing.count_down():
            joined.settle(_Gathered(futures))

    if not futures:
        joined.settle(Value([]))
    for future in futures:
        future.when_settled(arrived)
    return joined


class _Gathered:
    """The values of Futures that all have one. They are unpacked by the thread that wants them."""

    __slots__ = ("_futures",)
    failed = False

    def __init__(self, futures: tuple[Future[Any], ...]) -> None:
        self._futures = futures

    def unwrap(self) -> list[Any]:
        return [future.result() for future in self._futures]

    def opened(self) -> Outcome:
        try:
            return Value(self.unwrap())
        except CorpsError as error:  # a value that cannot be unpacked here
            return Refused(error)


def _wait_for(missing: list[Future[Any]], timeout: float | None) -> bool:
    countdown = _Countdown(missing)
    try:
        return block_until(tuple(missing), countdown.subscribe, timeout)
    finally:
        countdown.forget()


def _unique(futures: Iterable[Future[R]]) -> list[Future[R]]:
    return list(dict.fromkeys(futures))


class _Countdown:
    """Wakes one waiter after as many completions as there are Futures."""

    def __init__(self, futures: list[Future[Any]]) -> None:
        self._futures = futures
        self._left = len(futures)
        self._lock = Lock()  # protects _left and _wake
        self._wake: Callable[[object], object] | None = None
        self._subscribed = False

    def count_down(self) -> bool:
        """Count one completion. Any thread.

        Returns:
            True for the last one.
        """
        with self._lock:
            self._left -= 1
            return self._left == 0

    def subscribe(self, wake: Callable[[object], object]) -> Callable[[], object]:
        """Have `wake` called when all are done. The Futures are asked once, however often this is called."""
        with self._lock:
            self._wake = wake
            is_over = self._left == 0  # since the last wait: nobody will call it any more
        if is_over:
            wake(None)
        if not self._subscribed:
            self._subscribed = True
            for future in self._futures:
                future.when_settled(self._arrived)
        return self._unsubscribe

    def forget(self) -> None:
        """Take back what was left at Futures that are not done, else waits in a loop would pile up there."""
        if self._left:
            for future in self._futures:
                future.remove_callback(self._arrived)

    def _arrived(self, _: Future[Any]) -> None:
        if self.count_down() and self._wake is not None:
            self._wake(None)

    def _unsubscribe(self) -> None:
        """Nothing to take back: a call that comes too late wakes a gate that nobody stands at."""


class _Arrivals:
    """Futures in the order in which they are done. One thread iterates, any thread settles."""

    def __init__(self, futures: list[Future[Any]]) -> None:
        self._waiting = futures
        self._lock = Lock()  # protects _arrived and _wake
        self._arrived: deque[Future[Any]] = deque()
        self._wake: Callable[[object], object] | None = None
        self._readers: Any = None

    def within(self, timeout: float | None) -> Iterator[Future[Any]]:
        deadline = deadline_after(timeout)
        self._readers = readers_of(self._waiting)
        for future in self._waiting:
            future.when_settled(self._arrive)
        return self._iterate(deadline, timeout)

    def _iterate(self, deadline: float | None, timeout: float | None) -> Iterator[Future[Any]]:
        try:
            for left in range(len(self._waiting), 0, -1):
                while not self._arrived:
                    undone = tuple(f for f in self._waiting if not f.done()) if left == 1 else ()
                    left_over = remaining(deadline)
                    if not block_until(
                        undone, self._subscribe, left_over, any_will_do=True, readers=self._readers
                    ):
                        raise WaitTimeout(
                            f"{left} of {len(self._waiting)} Futures were not done within {timeout} s"
                        )
                yield self._arrived.popleft()
        finally:
            for future in self._waiting:
                future.remove_callback(self._arrive)

    def _arrive(self, future: Future[Any]) -> None:
        with self._lock:
            self._arrived.append(future)
            wake, self._wake = self._wake, None
        if wake is not None:
            wake(None)

    def _subscribe(self, wake: Callable[[object], object]) -> Callable[[], object]:
        with self._lock:
            if not self._arrived:
                self._wake = wake
                return self._unsubscribe
        wake(None)
        return self._unsubscribe

    def _unsubscribe(self) -> None:
        with self._lock:
            self._wake = None
