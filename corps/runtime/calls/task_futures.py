"""The Futures of the tasks of an executor. They are those of the standard library, but for three things.

- A callback that an author adds runs in a thread of the executor. The thread that settles a Future of a task
  reads from the links, or performs requests. A callback may block, and then nothing would come any more.
- A value is unpacked by the thread that wants it, as with Futures of requests.
- A worker that waits for one has its Env start another thread meanwhile.
"""

import concurrent.futures
import logging
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from threading import Lock, get_ident
from typing import Any, TypeVar

from corps.errors import Cancelled, WaitTimeout
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.runtime.calls.blocking import block_until
from corps.runtime.calls.callbacks import log_raised
from corps.runtime.calls.futures import Future
from corps.runtime.context import acting
from corps.runtime.threads.jobs import Jobs

R = TypeVar("R")
_log = logging.getLogger("concurrent.futures")


class Callbacks:
    """The callbacks of one executor's Futures, and the thread that calls them. Thread-safe."""

    def __init__(self, name: str) -> None:
        """Start no thread before there is a callback."""
        self._jobs = Jobs(name)
        self._lock = Lock()  # protects what follows
        self._left = 0  # callbacks that were added and have not returned
        self._is_closed = False
        self.are_over: Future[None] = Future()
        """Done when it is closed and all callbacks have returned."""

    def expect(self) -> None:
        """Note that a callback was added, whose Future is not done."""
        with self._lock:
            self._left += 1
        self._jobs.watch()

    def call(self, callback: Callable[[], object]) -> None:
        """Have a callback called that was added. For the thread that settles its Future."""
        self._jobs.put(partial(self._call, callback))

    def _call(self, callback: Callable[[], object]) -> None:
        try:
            callback()
        finally:
            self.has_returned()

    def has_returned(self) -> None:
        """Note that one that was expected is none any more."""
        with self._lock:
            self._left -= 1
            is_over = self._is_closed and not self._left
        if is_over:
            self._end()

    def close(self) -> None:
        """End the thread when all have returned; wait for nothing. No Future is left to be settled."""
        with self._lock:
            self._is_closed = True
            is_over = not self._left
        if is_over:
            self._end()

    def _end(self) -> None:
        self._jobs.end_soon()
        self.are_over.settle(Value(None))

    def join(self) -> None:
        """Wait until it is closed and all have returned. From one of them, wait for nothing."""
        if self._jobs.is_here:
            return
        if not self.are_over.done():
            self._jobs.help()
        self.are_over.result()
        self._jobs.close()


class Answer:
    """The value of a task, as it came: an outcome that is unpacked once. Thread-safe."""

    failed = is_cancelled = False

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def opened(self) -> Outcome:
        """See `Outcome.opened`."""
        outcome = self._outcome
        opened = outcome.opened()
        if opened is not outcome:
            # Two threads may both have unpacked: all get the first one's. dict.setdefault is atomic.
            self._outcome = opened = vars(self).setdefault("first", opened)
        return opened

    def unwrap(self) -> Any:
        """See `Outcome.unwrap`."""
        return self.opened().unwrap()


class TaskFuture(concurrent.futures.Future[R]):
    """The Future of a task. Any thread may use it."""

    def __init__(self, callbacks: Callbacks) -> None:
        super().__init__()
        self._called_by = callbacks

    def result(self, timeout: float | None = None) -> R:
        """Return the value; see `concurrent.futures.Future.result`."""
        self._wait(timeout)
        answer: Any = super().result(timeout)
        return answer.unwrap()  # type: ignore[no-any-return]

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error; see `concurrent.futures.Future.exception`."""
        self._wait(timeout)
        error = super().exception(timeout)
        if error is None:
            answer: Any = super().result()
            opened = answer.opened()
            error = opened.error if isinstance(opened, Raised | Refused) else None
        return error

    def add_done_callback(self, fn: Callable[[concurrent.futures.Future[R]], object]) -> None:
        """Call `fn(self)` when it is done: in a thread of the executor, or here and now if it is done."""
        if self.done():
            super().add_done_callback(fn)
            return
        later = _Later(self._called_by, fn)
        super().add_done_callback(later)
        later.adder = None

    @property
    def follower(self) -> Future[R]:
        """A Future of the runtime with the same outcome. The thread that settles this settles that, too."""
        known: Future[R] | None = vars(self).get("_follower")
        if known is None:
            mine: Future[R] = Future()
            known = vars(self).setdefault("_follower", mine)
            if known is mine:
                super().add_done_callback(lambda done: mine.settle(_outcome_of(done)))
        return known

    def set_answer(self, answer: Answer) -> None:
        """Give the value of the task, as it came."""
        result: Any = answer
        self.set_result(result)

    def _wait(self, timeout: float | None) -> None:
        if self.done() or acting() is None:
            return
        follower = self.follower

        def subscribe(wake: Callable[[object], object]) -> Callable[[], object]:
            follower.when_settled(wake)
            return lambda: follower.remove_callback(wake)

        if not block_until((follower,), subscribe, timeout):
            raise WaitTimeout(f"the task was not done within {timeout} s; it goes on")

    def _get_snapshot(self) -> tuple[bool, bool, R | None, BaseException | None]:
        # asyncio asks for all at once from Python 3.14 on.
        is_cancelled = self.cancelled()
        if is_cancelled or not self.done():
            return is_cancelled, is_cancelled, None, None
        error = self.exception()
        return True, False, self.result() if error is None else None, error


def _outcome_of(done: concurrent.futures.Future[Any]) -> Outcome:
    if done.cancelled():
        return Refused(Cancelled(f"{done!r} was cancelled"))
    plain = concurrent.futures.Future  # what is kept there, which is not unpacked here
    error = plain.exception(done)
    if error is not None:
        return Refused(error)  # type: ignore[arg-type]  # as it is
    answer: Outcome = plain.result(done)
    return answer


class _Later:
    """A callback of an author's, called once."""

    def __init__(self, callbacks: Callbacks, function: Callable[[Any], object]) -> None:
        self._callbacks = callbacks
        self._function: Callable[[Any], object] | None = function
        # In which it is added, as with Futures of requests.
        self._context: Context | None = copy_context()
        self.adder: int | None = get_ident()  # the thread that adds it, as long as it does
        callbacks.expect()

    def __call__(self, future: concurrent.futures.Future[Any]) -> None:
        """Have it called; at once if the Future became done before it was added."""
        function, context = self._function, self._context
        self._function = self._context = None  # the Future keeps this object as long as it lives
        assert function is not None
        assert context is not None
        if self.adder == get_ident():
            self._callbacks.has_returned()
            function(future)
        else:
            self._callbacks.call(partial(_call, context, function, future))


def _call(
    context: Context, function: Callable[[Any], object], future: concurrent.futures.Future[Any]
) -> None:
    try:
        context.run(function, future)
    except BaseException:  # the next ones are to be called all the same
        log_raised(_log, f"exception calling callback for {future!r}")
