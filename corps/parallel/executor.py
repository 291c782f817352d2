"""`corps.Executor`: an executor as `concurrent.futures` defines it, whose tasks run in Envs."""

import atexit
import concurrent.futures
import logging
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from corps.errors import ConfigError, CorpsError, EnvLost, RemoteError, WorkerGone
from corps.exporting import exported
from corps.messages.outcomes import Value
from corps.parallel.place import Place, cores, find_place
from corps.parallel.task_workers import TaskWorker
from corps.runtime.calls.futures import Future
from corps.runtime.calls.task_futures import Answer, Callbacks, TaskFuture
from corps.runtime.context import Activity, current
from corps.runtime.threads.jobs import Jobs
from corps.workers.factory import Options
from corps.workers.names import Name

P = ParamSpec("P")
R = TypeVar("R")
_log = logging.getLogger("concurrent.futures")

_TRIES = 3  # workers that a task may lose before it has begun


class _Task:
    """A function, its arguments, and the Future of its caller."""

    __slots__ = ("_activity", "_context", "args", "function", "future", "kwargs", "tries")

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
        # Another thread sends it: what travels with it, and until when it is to be done, is known here.
        self._context = copy_context()
        here = current.get()
        self._activity: Activity | None = None
        if here is not None:
            self._activity = Activity(here.env, here.cell)
            self._activity.deadline = here.deadline

    def send(self, name: Name[Any]) -> Future[Any]:
        """Ask a worker to run it, once more."""
        self.tries += 1
        return self._context.run(self._send, name)

    def _send(self, name: Name[Any]) -> Future[Any]:
        current.set(self._activity)
        future: Future[Any] = name.run(self.function, self.args, self.kwargs)
        return future

    def fail(self, error: BaseException) -> None:
        """Fail it, because no worker will run it."""
        if self.tries or self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class _Tasks:
    """The tasks and workers of one executor. Thread-safe. Nothing but `join` waits.

    A thread of its own sends the tasks, because an author's code packs their arguments and may block. So no
    thread that brings answers does, and the main thread may be interrupted.
    """

    def __init__(self, place: Place) -> None:
        """Have no workers yet."""
        self._place = place
        self.callbacks = Callbacks(f"{place.env.label}-callbacks")
        self._sender = Jobs(f"{place.env.label}-executor")
        self._lock = Lock()  # protects all that follows; nothing is sent and no Future settled under it
        self._idle: deque[Name[Any]] = deque()
        self._names: list[Name[Any]] = []  # of the workers that there are
        self._late: list[Name[Any]] = []  # of those that came after the end
        self._coming = 0  # workers that are being created
        self._waiting: deque[_Task] = deque()
        self._running = 0
        self._settling = 0  # tasks that have run, and whose outcome is being given
        self._is_shut = False
        self._is_ended = False
        self.broken: BrokenExecutor | None = None
        """Why it takes no tasks, if no worker can run them."""
        self._are_done: Future[None] = Future()
        self._pid = os.getpid()

    def begin(self, number: int, start: tuple[Callable[..., object] | None, tuple[Any, ...]]) -> None:
        """Have so many workers created, over the Envs in turn.

        Raises:
            RuntimeError: The system gives no thread.
        """
        if not self._sender.watch():
            raise RuntimeError("corps.Executor needs a thread, and the system gives none")
        atexit.register(self.finish)
        self._coming = number
        env = self._place.env
        places = env.worker_envs
        for index in range(number):
            options = Options(env=places[index % len(places)], _of=env, _is_soon=True)
            try:
                made = options.create_nowait(TaskWorker, *start)
            except CorpsError as error:  # it cannot be packed, or the Env has just died
                self._not_made(error)
            except BaseException:  # of a signal, say
                with self._lock:
                    self._coming -= number - index
                raise
            else:
                made.when_settled(self._made)

    def _made(self, done: Future[Name[Any]]) -> None:
        error = done.failure()
        if error is not None:
            self._not_made(error)
            return
        name = done.result()
        with self._lock:
            self._coming -= 1
            if self._is_ended:
                self._late.append(name)
            else:
                self._names.append(name)
                self._idle.append(name)
                self._assign()
        self._look()

    def _not_made(self, error: BaseException) -> None:
        is_initializers = isinstance(error, RemoteError)  # because the constructor does nothing else
        if is_initializers:
            _log.critical("Exception in initializer:", exc_info=error)
        waiting: list[_Task] = []
        with self._lock:
            self._coming -= 1
            if self.broken is None and (is_initializers or not (self._coming or self._names)):
                what = "the initializer raised" if is_initializers else "no worker could be created"
                self.broken = broken = BrokenExecutor(f"the executor takes no tasks, because {what}: {error}")
                broken.__cause__ = error
                waiting.extend(self._waiting)
                self._waiting.clear()
        for task in waiting:
            task.fail(broken)
        self._look()

    def submit(self, task: _Task) -> None:
        """Have a task run, as soon as a worker is idle.

        Raises:
            BrokenExecutor: No worker can run it.
            RuntimeError: It takes no more.
        """
        with self._lock:
            if self.broken is not None:
                raise BrokenExecutor(str(self.broken)) from self.broken.__cause__
            if self._is_shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._waiting.append(task)
            self._assign()

    def _assign(self) -> None:
        """Have what waits sent to those that are idle. Caller holds the lock."""
        while self._idle and (task := self._next()) is not None:
            self._running += 1
            self._sender.put(partial(self._send, self._idle.popleft(), task))

    def _next(self) -> _Task | None:
        """Return the next task that was not cancelled. Caller holds the lock."""
        while self._waiting:
            task = self._waiting.popleft()
            if task.tries or task.future.set_running_or_notify_cancel():
                return task
        return None

    def _send(self, name: Name[Any], task: _Task) -> None:
        try:
            future = task.send(name)
        except BaseException as error:  # it cannot be packed, or the Env has closed
            self._free(name)
            task.future.set_exception(error)
            self._has_settled()
            return
        future.when_settled(lambda done: self._answered(name, task, done))

    def _answered(self, name: Name[Any], task: _Task, done: Future[Any]) -> None:
        outcome = done.outcome
        error = done.failure() if outcome is not None and outcome.failed else None
        is_lost = isinstance(error, EnvLost | WorkerGone) and not isinstance(error, RemoteError)
        is_again = is_lost and getattr(error, "executed", "") == "no" and task.tries < _TRIES
        self._free(name, task if is_again else None)
        if error is None:
            task.future.set_answer(Answer(outcome))  # type: ignore[arg-type]  # it is there
        elif not is_again:
            task.future.set_exception(error)
        self._has_settled()

    def _free(self, name: Name[Any], again: _Task | None = None) -> None:
        """Let a worker have its next task, before the outcome of its last one is given."""
        with self._lock:
            self._running -= 1
            self._settling += 1
            self._idle.append(name)
            if again is not None:
                self._waiting.appendleft(again)
            self._assign()

    def _has_settled(self) -> None:
        with self._lock:
            self._settling -= 1
            takes_none = self._is_shut or self.broken is not None
        if takes_none:
            self._look()

    def _look(self) -> None:
        self._sender.put(self._end_if_over)

    def _end_if_over(self) -> None:
        """End the workers if nothing will come any more. The sender only."""
        with self._lock:
            takes_none = self._is_shut or self.broken is not None
            ends = takes_none and not (self._waiting or self._running or self._is_ended)
            self._is_ended = self._is_ended or ends
            ending, self._late = self._late, []
            is_over = self._is_ended and not (self._settling or self._coming)
        self._end_workers(ending + self._names if ends else ending)
        if ends:
            self._place.end_soon()
        if is_over:
            self._be_over()

    def shut(self, *, cancels: bool) -> None:
        """Take no more; end the workers when all tasks are done."""
        with self._lock:
            self._is_shut = True
            waiting = list(self._waiting) if cancels else []
            if cancels:
                self._waiting.clear()
        for task in waiting:
            if task.tries or not task.future.cancel():
                task.future.set_exception(WorkerGone("the executor was shut down", executed="no"))
            else:
                task.future.set_running_or_notify_cancel()
        self._look()

    def join(self) -> None:
        """Wait until all tasks are done, and their callbacks; end the Corps if it was booted for them."""
        self._are_done.result()
        self._sender.close()
        self.callbacks.join()
        self._place.end()

    def finish(self) -> None:
        """Run what was submitted before the interpreter ends, as executors of the standard library do."""
        if os.getpid() == self._pid:  # and not that of a forked child
            self.shut(cancels=False)
            self.join()

    def drop(self) -> None:
        """End soon, because the executor is garbage. For destructors: takes no lock."""
        self._sender.put(lambda: self.shut(cancels=False))

    def _end_workers(self, names: list[Name[Any]]) -> None:
        for name in names:
            with suppress(CorpsError):  # its Env has ended, and the worker with it
                name.exit().when_settled(_hear)

    def _be_over(self) -> None:
        atexit.unregister(self.finish)
        self._sender.end_soon()
        self.callbacks.close()
        self._are_done.settle(Value(None))


@exported
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
        self._lock = Lock()  # protects all below; held while a Corps boots
        self._tasks: _Tasks | None = None
        self._is_shut = False

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
            BrokenExecutor: Its initializer has raised, or none of its workers could be created.
        """
        tasks = self._open()
        future: TaskFuture[R] = TaskFuture(tasks.callbacks)
        tasks.submit(_Task(fn, args, kwargs, future))
        return future

    def _open(self) -> _Tasks:
        tasks = self._tasks
        if tasks is not None:
            return tasks
        with self._lock:
            if self._is_shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self._tasks is None:
                self._tasks = self._begin()
            return self._tasks

    def _begin(self) -> _Tasks:
        place = find_place("for corps.Executor", self._envs, otherwise=self._max_workers or cores())
        tasks = _Tasks(place)
        try:
            tasks.begin(self._max_workers or place.workers, self._start)
        except BaseException:
            tasks.shut(cancels=True)
            place.end_soon()
            raise
        return tasks

    @property
    def _broken(self) -> BrokenExecutor | None:
        """Why it takes no tasks, under the name that executors of the standard library have for it."""
        tasks = self._tasks
        return tasks.broken if tasks is not None else None

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
            tasks.drop()


def _hear(done: Future[Any]) -> None:
    done.hear()
