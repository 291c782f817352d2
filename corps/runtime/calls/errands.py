"""What the main thread has others do for it, so that no signal can break it off in the middle.

Python runs the handlers of signals in the main thread, between any two steps of it. They may raise, and that
would come out of a cell that was just claimed, or of a message that was half sent. So what the main thread
asks for is put into a queue, by one call of C, and two *attendants* do it, as `docs/design/threads.md` tells.
At least one of them stands at the bell at any time: the one that is woken does all that is in the queue, in
order. The main thread waits at a lock, where a handler may raise what it likes.
"""

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from threading import Lock, RLock, Thread, current_thread, get_ident, main_thread
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from corps.addresses import ConcAddr
from corps.clock import deadline_after, remaining
from corps.core import name as core_name
from corps.errors import CorpsError
from corps.messages.outcomes import Refused
from corps.messages.requests import DROP, EXIT, Request, Route
from corps.runtime.calls import caller_side
from corps.runtime.calls.futures import Pull
from corps.runtime.context import Activity, current
from corps.runtime.threads.pool import Runnable
from corps.runtime.threads.running_loop import running_loop, set_running_loop
from corps.runtime.threads.sleeping import sleep_in_parts
from corps.runtime.threads.watched_thread import Failed, WatchedThread, note_failure

if TYPE_CHECKING:
    from corps.runtime.env import Env

T = TypeVar("T")

_LIGHT: Final = frozenset({int, float, bool, NoneType})
_SHORT: Final = 1_000  # letters
_IS_NATIVE: Final = core_name == "native"
"""Then the main thread enters its requests itself, as long as the pool has an idle thread to be woken."""

_SOON: Final = 1.0  # seconds in which an attendant ends that runs no worker

_log = logging.getLogger("corps.env")


class Errands(Route):
    """The errands of one Env's main thread. Only the main thread may call `post`, `send` and `do`.

    It is the route of a request that waits here to be sent.
    """

    readers = None
    incarnation = 0

    def __init__(self, env: "Env", activity: Activity, failed: Failed = note_failure) -> None:
        """Start the attendants. `activity` is what they do, as the Env sees it: one that must not wait."""
        self.env = env
        self.main: int | None = main_thread().ident  # the ident of the main thread
        self.posted: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        """What is to be done, and what is being done; for others to look whether there is something."""
        self._pool = env.pool  # runs what they do not run themselves
        self._activity = activity
        self._bell = Lock()  # released to wake an attendant, by any thread: a semaphore
        self._bell.acquire()
        self._is_closed = False
        # Held while something that was posted is done; protects _ready and _in_turn.
        self._turn = RLock()
        self._in_turn = 0  # the ident of the thread that holds _turn
        self._ready: list[Runnable] = []
        self._lock = Lock()  # protects _away
        self._away = 0  # the ident of the attendant that runs a worker
        names = (f"{env.label}-errands-{n}" for n in (1, 2))
        self._threads = [WatchedThread(name, self._attend, failed) for name in names]
        for thread in self._threads:
            thread.start()

    # --- by the main thread ---

    def post(self, function: Callable[..., object], *args: Any) -> None:
        """Have `function(*args)` called soon, in order. It is quick, and neither waits nor raises."""
        try:
            self.posted.append((function, args))
        finally:
            self._ring()

    def send(self, request: Request, *, is_taken: bool) -> None:
        """Send a request of the main thread on its way; see `Env.dispatch`. An Env that ends takes none."""
        env, target = self.env, request.target
        if not is_taken:
            self.post(env.letters.settle, request, caller_side.too_late(env, target))
            return
        if target.env != env.id or target.corps != env.corps_id:
            if _is_light(request) and self._is_roomy(target):
                request.route = self
                self.post(self._dispatch, request)
            else:  # what cannot be packed, and what finds no room, is to be raised here
                self.do(self._dispatch_here, request)
            return
        cell = env.registry.find(target.conc)
        is_limited = request.kind not in (EXIT, DROP)
        if is_limited and cell is not None and not cell.mailbox.has_room_for(1 + len(self.posted)):
            self.do(cell.mailbox.wait_for_room, cell, request, env.options.send_timeout)
        request.route = self
        self.post(self._dispatch, request, self.make_ready)

    def _is_roomy(self, target: ConcAddr) -> bool:
        """Return whether another Env is there, and has plenty of room for what is posted."""
        env, more = self.env, len(self.posted)
        if target.corps != env.corps_id:
            return env.border is not None and env.border.is_roomy(target, more)
        return env.peers is not None and env.peers.is_roomy(target.env, more)

    def _dispatch(self, request: Request, submit: Callable[[Runnable], object] | None = None) -> None:
        if _is_given_up(request):
            return
        try:
            self.env.dispatch(request, submit)
        except CorpsError as error:
            self.env.letters.settle(request, Refused(error))

    def _dispatch_here(self, request: Request) -> None:
        """Dispatch, and raise what fails, for the main thread, which may have given up waiting."""
        if _is_given_up(request):
            return
        try:
            self.env.dispatch(request)
        except CorpsError as error:
            if isinstance(request.promise, Pull):
                request.promise.settle(Refused(error))
            raise

    def _ring(self) -> None:
        if self._bell.locked():  # otherwise an attendant is on its way to it
            with suppress(RuntimeError):  # at this very moment
                self._bell.release()

    def do(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in another thread, and wait for it. It has this thread's context, and may wait."""
        # A signal that ends the waiting does not end the function.
        errand = _Errand(function, args)
        self.post(self.make_ready, errand)
        return errand.result()

    # --- by any thread ---

    def close(self, grace: float) -> list[str]:
        """End the attendants once all is done that was posted; return the names of those that are late."""
        # `grace` is for one that runs a worker.
        self._is_closed = True
        self._ring()
        until, soon = deadline_after(grace), deadline_after(max(grace, _SOON))
        for thread in self._threads:
            if thread is not current_thread():
                thread.join(remaining(until if thread.ident == self._away else soon))
        return [thread.name for thread in self._threads if thread.is_alive()]

    def take_back(self, request: Request) -> bool:
        """Take the request back where it went; see `Route.take_back`."""
        route = self._route_of(request)
        return route is not None and route.take_back(request)

    def ask_back(self, request: Request) -> None:
        """Ask for the request where it went; see `Route.ask_back`."""
        route = self._route_of(request)
        if route is not None:
            route.ask_back(request)

    def withdraw(self, request: Request) -> None:
        """Withdraw the request where it went; see `Route.withdraw`."""
        route = self._route_of(request)
        if route is not None:
            route.withdraw(request)

    def _route_of(self, request: Request) -> Route | None:
        """Find the holder of a request that was posted, once it is sent."""
        self.catch_up()
        return request.route if request.route is not self else None

    def make_ready(self, runnable: Runnable) -> None:
        """Note that something is to be run. For what was posted."""
        self._ready.append(runnable)

    def catch_up(self) -> None:
        """Do what was posted so far, or wait until it is done."""
        for runnable in self._do_posted():
            self._hand_on(runnable)

    def _do_posted(self) -> list[Runnable]:
        me = get_ident()
        if self._in_turn == me:  # what is being done asks for something itself
            return []
        with self._turn:
            self._in_turn = me
            try:
                while self.posted:
                    function, args = self.posted[0]
                    try:
                        function(*args)
                    except BaseException:  # what comes behind it must be done, too
                        _log.critical(
                            "what the main thread asked for failed; please report it", exc_info=True
                        )
                    finally:
                        self.posted.popleft()
                ready, self._ready = self._ready, []
            finally:
                self._in_turn = 0
        return ready

    def _attend(self) -> None:
        current.set(self._activity)
        while not self._is_closed or self.posted:
            self._bell.acquire()
            ready = self._do_posted()
            for runnable in ready[:-1]:
                self._hand_on(runnable)
            if ready:
                self._run(ready[-1])
        self._ring()  # for the other one

    def _run(self, runnable: Runnable) -> None:
        with self._lock:
            goes = not self._away
            if goes:
                self._away = get_ident()
        if not goes:
            self._hand_on(runnable)
            return
        try:
            if isinstance(runnable, _Errand):
                runnable.run()
            else:
                if _IS_NATIVE:
                    self._pool.have_a_thread()
                self._pool.run_here(runnable)
        finally:
            self._away = 0

    def _hand_on(self, runnable: Runnable) -> None:
        """Have another thread run something."""
        if isinstance(runnable, _Errand):  # the main thread itself would need none of the pool either
            Thread(target=runnable.run, name=f"{self.env.label}-errand", daemon=True).start()
        else:
            self._pool.submit(runnable)


def _is_given_up(request: Request) -> bool:
    """Return whether its caller has broken off the sending; if not, the sending has begun now."""
    return isinstance(request.promise, Pull) and not request.promise.begin()


def _is_light(request: Request) -> bool:
    """Return whether its arguments can certainly be packed a moment later, and are then what they are now."""
    values = request.travelling
    for arg in request.args if values is None else (*request.args, *values.values()):
        kind = type(arg)
        if kind not in _LIGHT and not (kind is str and len(arg) < _SHORT):
            return False
    return not request.kwargs


class _Errand(Generic[T]):
    """One errand that the main thread waits for."""

    def __init__(self, function: Callable[..., T], args: tuple[Any, ...]) -> None:
        self._function = function
        self._args = args
        self._context = copy_context()
        # It decides what blocks an event loop, and what may not: here as in the main thread.
        self._loop = running_loop()
        self._is_done = Lock()
        self._is_done.acquire()
        self._value: T  # if there is no error
        self._error: BaseException | None = None

    def run(self) -> None:
        """Call the function, and keep what comes of it."""
        set_running_loop(self._loop)
        try:
            self._value = self._context.run(self._function, *self._args)
        except BaseException as error:  # it is the main thread's
            self._error = error
        finally:
            set_running_loop(None)
            self._is_done.release()

    def result(self) -> T:
        """Wait for it; return or raise what came of it."""
        sleep_in_parts(lambda seconds: self._is_done.acquire(timeout=seconds))
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # its traceback holds this frame: it would be a circle
        return self._value
