"""The workers of an executor, and the Futures of its tasks."""

import concurrent.futures
from collections.abc import Callable
from typing import Any, TypeVar

from corps.runtime.calls.waiting import wait_all
from corps.runtime.context import acting
from corps.supervision.restarts import Restart
from corps.workers.conc import Conc

R = TypeVar("R")


class TaskWorker(Conc):
    """Runs tasks, one at a time."""

    restart = Restart()

    def __init__(self, initializer: Callable[..., object] | None, initargs: tuple[Any, ...]) -> None:
        """Initialize, in each incarnation."""
        if initializer is not None:
            initializer(*initargs)

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a task."""
        return function(*args, **kwargs)


class TaskFuture(concurrent.futures.Future[R]):
    """The Future of a task. A worker may wait for it as for Futures of requests."""

    def result(self, timeout: float | None = None) -> R:
        """Return the value; see `concurrent.futures.Future.result`."""
        self._wait(timeout)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error; see `concurrent.futures.Future.exception`."""
        self._wait(timeout)
        return super().exception(timeout)

    def _wait(self, timeout: float | None) -> None:
        if not self.done() and acting() is not None:
            wait_all([self], timeout=timeout)
