"""`corps.Executor`: an executor as `concurrent.futures` defines it, whose tasks run in Envs."""

import atexit
import concurrent.futures
import logging
import weakref
from collections import deque
from collections.abc import Callable
from threading import Condition
from typing import Any, ParamSpec, TypeVar

from corps.errors import ConfigError, CorpsError, EnvLost, RemoteError, WorkerGone
from corps.parallel.place import Place, cores, find_place
from corps.parallel.task_workers import TaskFuture, TaskWorker
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import wait_all
from corps.runtime.context import current
from corps.workers.factory import Options
from corps.workers.names import Name

P = ParamSpec("P")
R = TypeVar("R")
_log = logging.getLogger("concurrent.futures")

_TRIES = 3  # workers that a task may lose before it has begun


class _Task:
    """A function, its arguments, and the Future of its caller."""

    __slots__ = ("args", "function", "future", "kwargs", "tries")

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        future: TaskFuture[Any],
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.future = future
        self.tries = 0


class _Tasks:
    """The tasks and workers of one executor. Thread-safe."""

    def __init__(self, place: Place, names: list[Name[Any]]) -> None:
        """Give tasks to these workers."""
        self._place = place
        self._names = names
        self._changed = Condition()  # its lock protects all below; nothing is sent under it
        self._idle: deque[Name[Any]] = deque(names)
        self._waiting: deque[_Task] = deque()
        self._running = 0
        self._is_shut = False
        self._is_ended = False

    def submit(self, task: _Task) -> None:
        """Have a task run, as soon as a worker is idle.

        Raises:
            RuntimeError: It takes no more.
        """
        with self._changed:
            if self._is_shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._waiting.append(task)
        self._give_out()

    def _give_out(self) -> None:
        while True:
            with self._changed:
                task = self._next() if self._idle else None
                if task is None:
                    ends = self._is_shut and not self._waiting and not self._running and not self._is_ended
                    self._is_ended = self._is_ended or ends
                    break
                name = self._idle.popleft()
                self._running += 1
            self._send(name, task)
        if ends:
            self._end_workers()

    def _next(self) -> _Task | None:
        """Return the next task that was not cancelled. Caller holds the lock."""
        while self._waiting:
            task = self._waiting.popleft()
            if task.tries or task.future.set_running_or_notify_cancel():
                return task
        return None

    def _send(self, name: Name[Any], task: _Task) -> None:
        task.tries += 1
        try:
            future: Future[Any] = name.run(task.function, task.args, task.kwargs)
        except BaseException as error:  # it cannot be packed, or the Env has closed
            task.future.set_exception(error)
            self._free(name)
            return
        future.when_settled(lambda done: self._answered(name, task, done))

    def _answered(self, name: Name[Any], task: _Task, done: Future[Any]) -> None:
        error = done.failure()
        is_lost = isinstance(error, EnvLost | WorkerGone) and not isinstance(error, RemoteError)
        if is_lost and getattr(error, "executed", "") == "no" and task.tries < _TRIES:
            with self._changed:
                self._waiting.appendleft(task)
        elif error is None:
            task.future.set_result(done.take())
        else:
            task.future.set_exception(error)
        del task, done, error
        self._free(name)
        self._give_out()

    def _free(self, name: Name[Any]) -> None:
        with self._changed:
            self._running -= 1
            self._idle.append(name)
            self._changed.notify_all()

    def shut(self, *, cancels: bool) -> None:
        """Take no more; end the workers when all tasks are done."""
        with self._changed:
            self._is_shut = True
            waiting = list(self._waiting) if cancels else []
            if cancels:
                self._waiting.clear()
        for task in waiting:
            if task.tries or not task.future.cancel():
                task.future.set_exception(WorkerGone("the executor was shut down", executed="no"))
            else:
                task.future.set_running_or_notify_cancel()
        self._give_out()

    def join(self) -> None:
        """Wait until all tasks are done, and the Corps has ended if it was booted for them."""
        with self._changed:
            left = [task.future for task in self._waiting]
        wait_all(left)
        with self._changed:
            self._changed.wait_for(lambda: not self._running and not self._waiting)
        self._place.end()

    def _end_workers(self) -> None:
        token = current.set(
            None
        )  # a worker that answered the last task would seem to end itself, and come back
        try:
            for name in self._names:
                name.exit().when_settled(_hear)
        finally:
            current.reset(token)
        self._place.end_soon()


class Executor(concurrent.futures.Executor):
    """An executor as in `concurrent.futures`, whose tasks run in the Envs of a Corps. Thread-safe.

    Where a Corps is open it uses that; `corps.Executor()` in a worker uses the Envs of its Corps. Elsewhere,
    and if `envs` is given, it boots a Corps at the first task, and ends it in `shutdown`.

    If the process of an Env dies, the tasks that it ran fail with `EnvLost`, and the executor goes on.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        envs: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        """Start nothing yet.

        Args:
            max_workers: How many tasks run at once; None: one in each Env, or in an Env that is alone as many
                as threads help.
            envs: How many Envs to boot for it; None uses those that are here. Where there is no Env, as many
                as `max_workers`, or one per core.
            initializer: Called by each worker before its first task, and again if it comes back.
            initargs: Arguments of that.

        Raises:
            ValueError: A number is not above 0.
            TypeError: `initializer` cannot be called.
        """
        for name, value in (("max_workers", max_workers), ("envs", envs)):
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigError(f"{name} must be greater than 0, and it is {value!r}")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        self._max_workers = max_workers
        self._envs = envs
        self._start = (initializer, initargs)
        self._lock = Condition()  # protects all below
        self._tasks: _Tasks | None = None
        self._is_shut = False
        self._broken: str | None = None

    def submit(
        self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> concurrent.futures.Future[R]:
        """Have a function run in a worker.

        Args:
            fn: The function; what cannot be imported in the Envs goes by value.
            *args: Its arguments.
            **kwargs: Its keyword arguments.

        Returns:
            A Future of what it returns. An error of the function is a RemoteError, and of its type. An
            argument that cannot be packed fails the Future with PackError.

        Raises:
            RuntimeError: The executor was shut down.
            BrokenExecutor: Its initializer has raised.
        """
        future: TaskFuture[R] = TaskFuture()
        self._open().submit(_Task(fn, args, kwargs, future))
        return future

    def _open(self) -> _Tasks:
        tasks = self._tasks
        if tasks is not None and not self._is_shut:
            return tasks
        with self._lock:
            if self._broken is not None:
                raise concurrent.futures.BrokenExecutor(self._broken)
            if self._is_shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._tasks is None:
                self._tasks = self._begin()
            return self._tasks

    def _begin(self) -> _Tasks:
        envs = self._envs
        place = find_place("for corps.Executor", envs, otherwise=self._max_workers or cores())
        env = place.env
        places = env.worker_envs
        number = self._max_workers or place.workers
        try:
            made = [
                Options(env=places[index % len(places)], _of=env).create_nowait(TaskWorker, *self._start)
                for index in range(number)
            ]
            wait_all(made)
            names = [future.result() for future in made]
        except CorpsError as error:
            place.end()
            if self._start[0] is None:
                raise
            self._broken = f"the initializer of the executor raised: {error}"
            _log.critical("Exception in initializer:", exc_info=True)
            raise concurrent.futures.BrokenExecutor(self._broken) from error
        env.expect_garbage()
        atexit.register(_at_exit, weakref.ref(self))
        return _Tasks(place, names)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks, and end when all are done.

        Args:
            wait: Whether to wait for that.
            cancel_futures: Whether tasks that have not begun are cancelled.
        """
        with self._lock:
            self._is_shut = True
            tasks = self._tasks
        if tasks is not None:
            tasks.shut(cancels=cancel_futures)
            if wait:
                tasks.join()

    def __del__(self) -> None:
        tasks = vars(self).get("_tasks")
        if tasks is not None and not self._is_shut:
            env = tasks._place.env
            if not env.closed:
                env.dropped.put(lambda: tasks.shut(cancels=False))


def _at_exit(executor: "weakref.ref[Executor]") -> None:
    """Run what was submitted before the interpreter ends, as executors of the standard library do."""
    there = executor()
    if there is not None:
        there.shutdown()


def _hear(done: Future[Any]) -> None:
    done.hear()
