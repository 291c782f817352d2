"""A pool of workers of one class, of which each has one request at a time; the others wait for a worker."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator, Sequence
from functools import partial
from threading import Lock
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar, overload

from corps.addresses import ConcAddr
from corps.clock import now
from corps.errors import ConfigError, EnvLost, NoSuchMethod, RequestError, WorkerGone
from corps.exporting import exported
from corps.messages.outcomes import Outcome, Refused
from corps.messages.requests import CALL, GET, WITHDRAWN, Request
from corps.runtime.calls.arguments import await_arguments
from corps.runtime.calls.futures import Future
from corps.runtime.calls.retrying import Retrying
from corps.runtime.calls.waiting import gather
from corps.runtime.env import Env
from corps.supervision.restarts import Restart
from corps.workers.everywhere import env_here
from corps.workers.factory import Options
from corps.workers.iterators import RemoteIterator
from corps.workers.names import Name

T = TypeVar("T")
R = TypeVar("R")
Y = TypeVar("Y")
P = ParamSpec("P")

_NO_WORKER: Final = -1  # the conc id of a worker that is not chosen yet: none has it
_TRIES: Final = 20  # workers that may be lost, one after the other, before a request has begun
_PAUSE: Final = 0.25  # seconds after which a worker whose process has died is asked again


@exported
class Pool(Generic[T]):
    """Workers of class `T`, of which each has one request of the pool under way at a time. Thread-safe.

    `corps.pool` makes one. ``Pool(names)`` makes one of workers that are there; others may ask these too.
    """

    def __init__(self, workers: Sequence[Name[T]]) -> None:
        """Make a pool of workers.

        Args:
            workers: Their Names, at least one, in the Corps of the calling code.

        Raises:
            ConfigError: There are none.
            ContextError: There is no Env here, or several are open and it is not clear which is meant.
        """
        if not workers:
            raise ConfigError("a Pool wants at least one worker")
        self._env = env_here("from which a pool is used")
        self._workers = tuple(workers)
        self._lock = Lock()  # protects all below
        self._living = set(self._workers)
        self._error: RequestError | None = None  # of the last one that has ended for good
        self._idle = deque(self._workers)  # the one that has waited longest comes first
        self._waiting: deque[_Task] = deque()
        self._busy: dict[Name[T], _Task] = {}  # who has which request; each key is changed by one thread

    def names(self) -> list[Name[T]]:
        """Return its workers."""
        return list(self._workers)

    @overload
    def submit(
        self,
        method: Callable[Concatenate[T, P], Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Future[R]: ...
    @overload
    def submit(
        self,
        method: Callable[Concatenate[T, P], Generator[Y, Any, Any]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Future[RemoteIterator[Y]]: ...
    @overload
    def submit(
        self, method: Callable[Concatenate[T, P], AsyncIterator[Y]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[RemoteIterator[Y]]: ...
    @overload
    def submit(
        self, method: Callable[Concatenate[T, P], Iterator[Y]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[RemoteIterator[Y]]: ...
    @overload
    def submit(
        self, method: Callable[Concatenate[T, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[R]: ...
    def submit(self, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a worker run a method: at once if one is idle, else as soon as one is.

        Requests wait in the order in which they came, outside of mailboxes. One that had not begun when its
        worker was lost goes to the next worker by itself.

        Args:
            method: The method, taken from the class: ``pool.submit(Parser.parse, text)``.
            *args: Its arguments.
            **kwargs: Its keyword arguments.

        Returns:
            The Future of what it returns. Cancelling it takes a request back that waits.

        Raises:
            NoSuchMethod: The workers have no such method. What cannot be packed is in the Future.
        """
        name = getattr(method, "__name__", "")
        interface = self._workers[0]._interface
        if name not in interface.methods:
            raise NoSuchMethod(f"{self!r} has no method {name!r}; its methods are: {interface.known_methods}")
        env = self._env
        future: Future[Any] = Future()
        nobody = ConcAddr(env.corps_id, env.id, _NO_WORKER)
        env.ask(CALL, nobody, name, args, kwargs, None, future, is_held=True)
        if future.request is not None:  # else it was too late already
            task = _Task(self, env, future, args, kwargs)
            future.request.promise = task.next_try()
            if not await_arguments(env, future.request, lambda _: self.take(task)):
                self.take(task, is_in_time=True)
        return future

    def take(self, task: "_Task", *, is_first: bool = False, is_in_time: bool = False) -> None:
        """Give a request to an idle worker, or let it wait. The runtime calls this."""
        with self._lock:
            worker = self._idle.popleft() if self._idle else None
            error = self._error if not self._living else None
            if worker is None and error is None:
                (self._waiting.appendleft if is_first else self._waiting.append)(task)
        if error is not None:
            task.future.settle(Refused(error))
        elif worker is not None:
            task.begin(worker, is_in_time=is_in_time)

    def idle(self, worker: Name[T]) -> None:
        """Give a worker that is done the next request. The runtime calls this."""
        with self._lock:
            while self._waiting and self._waiting[0].done():
                self._waiting.popleft()
            task = self._waiting.popleft() if self._waiting else None
            if task is None:
                self._idle.append(worker)
        if task is not None:
            task.begin(worker)

    def lost(self, worker: Name[T], error: RequestError) -> None:
        """Do without a worker that has ended for good. The runtime calls this."""
        with self._lock:
            self._living.discard(worker)
            self._error = error
            waiting = [] if self._living else list(self._waiting)
            if waiting:
                self._waiting.clear()
        for task in waiting:
            task.future.settle(Refused(error))

    def occupants(self) -> list[Request] | None:
        """Return the requests that its workers have; None if one is idle. The runtime calls this."""
        busy = list(self._busy.values())
        requests = [task.future.request for task in busy]
        there = [request for request in requests if request is not None]
        return there if len(there) == len(busy) >= len(self._living) else None

    def took(self, worker: Name[T], task: "_Task | None") -> None:
        """Note which request a worker has; None for none. The runtime calls this."""
        if task is not None:
            self._busy[worker] = task
        else:
            self._busy.pop(worker, None)

    def exit(self) -> Future[Any]:
        """End all workers in order. What waits then fails with WorkerGone.

        Returns:
            A Future that is done when all have ended.
        """
        return gather(*[worker.exit() for worker in self._workers])

    def __repr__(self) -> str:
        return f"<Pool of {len(self._workers)} {self._workers[0]._interface.short_name}>"


class _Task(Retrying):
    """One request of a pool. It goes to another worker if its own is lost first. Thread-safe."""

    __slots__ = ("_lock", "_moves", "_pool", "_sent", "_worker")

    hears_late = True  # a worker that goes on when its caller has given up is not idle before its end

    def __init__(
        self, pool: Pool[Any], env: Env, future: Future[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        super().__init__(env, future, args, kwargs, 0)
        self._pool = pool
        self._moves = 0
        self._lock = Lock()  # protects _worker
        self._worker: Name[Any] | None = None  # that has it
        self._sent: Request | None = None  # to that worker
        future.when_settled(lambda _: self._no_longer_wanted())

    def given(self, worker: Name[Any]) -> bool:
        """Note which worker has it; False if the caller waits no more, and then the worker is idle again."""
        self._pool.took(worker, self)
        with self._lock:
            self._worker, self._sent = worker, None
        if self.future.done():  # at this very moment, and its callback may have come before
            self._give_back()
            return False
        return True

    def begin(self, worker: Name[Any], *, is_in_time: bool = False) -> None:
        """Send the request to a worker that is idle now. With `is_in_time` its caller's thread does."""
        former = self.future.request
        if self.given(worker) and former is not None:
            self._env.at_once(partial(self._again, is_in_time=is_in_time), former)

    def occupants(self) -> list[Request] | None:
        """See `Retrying.occupants`."""
        return self._pool.occupants() if self._worker is None else None

    def tried(self, outcome: Outcome) -> bool:
        """See `Retrying.tried`. The worker is idle now, also if the caller has given up before."""
        moves, is_late = self._moves, self.future.done()
        made = super().tried(outcome)
        if moves == self._moves:
            # In another Env the method may go on. A value says that it does not, and is not unpacked here.
            if is_late and outcome.failed and isinstance(outcome.opened(), Refused):
                self._give_back_behind()
            else:
                self._give_back()
        return made

    def _give_back_behind(self) -> None:
        """Give the worker back when it answers a request that comes after this one."""
        with self._lock:
            worker = self._worker
        if worker is not None:
            behind: Future[Any] = Future()
            behind.when_settled(lambda _: self._give_back())
            # For an attribute that no worker has: whatever the answer is, the worker has come to it.
            try:
                self._env.at_once(self._env.ask, GET, worker._addr, "", (), {}, None, behind)
            except Exception:  # it cannot be asked now: the next request that it gets fails, or waits
                self._give_back()

    def _send(self, request: Request) -> None:
        self._sent = request
        super()._send(request)
        if self.future.done():  # given up at this very moment
            self._no_longer_wanted()

    def _no_longer_wanted(self) -> None:
        """Give the worker back, unless it may be at work on the request: then `tried` does."""
        sent = self._sent
        if sent is None or sent.route is None or sent.stage == WITHDRAWN:
            self._give_back()

    def _next_target(self, former: Request) -> ConcAddr | None:
        with self._lock:
            return None if self._worker is None else self._worker._addr

    def _give_back(self, after: float | None = 0.0) -> None:
        """Give the worker back, after so many seconds; None: it is gone."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is None:
            return
        self._pool.took(worker, None)
        if after is None:
            self._pool.lost(worker, self._last)
        elif after:
            self._env.alarms.at(now() + after, lambda: self._pool.idle(worker))
        else:
            self._pool.idle(worker)

    def _is_worth_it(self, error: RequestError) -> bool:
        is_gone = error.executed == "no" and isinstance(error, EnvLost | WorkerGone)
        return is_gone and self._moves < _TRIES and not self._env.closed

    def _again_later(self, request: Request, error: RequestError) -> None:
        self._moves += 1
        self._last = error
        self._give_back(_PAUSE if isinstance(error, EnvLost) else None)
        self._pool.take(self, is_first=True)


@exported
def pool(n: int, cls: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Pool[T]:
    """Create `n` workers over all Envs in turn, and a pool that gives each of them one request at a time.

    Example:
        ``parsers = corps.pool(8, Parser)``; then ``parsers.submit(Parser.parse, text)`` gives a Future.

    Args:
        n: How many.
        cls: A subclass of Conc. If it declares no restart policy, its workers are permanent.
        *args: For each constructor.
        **kwargs: For each constructor.

    Returns:
        The pool. Its workers end with the worker that has made it.

    Raises:
        CorpsError: As `corps.create`.
        ConfigError: `n` is no number from 1.
    """
    if type(n) is not int or n < 1:
        raise ConfigError(f"pool({n!r}, ...): wants the number of workers first, from 1")
    restart = getattr(cls, "restart", None) or Restart()
    return Pool(Options(restart=restart).checked().create_many(n, cls, *args, **kwargs))
