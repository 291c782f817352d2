"""The answer to a request that has not come yet.

A Future is settled once: by the runtime with the outcome, or by its owner with `cancel`. Everything that
waits for it is a callback. So settling costs the same for every kind of waiting, and nothing polls.
"""

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable, Generator
from threading import Lock, get_ident
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar

from corps.clock import now
from corps.core import native
from corps.errors import Cancelled, PackError, RequestError, WaitTimeout
from corps.exporting import exported
from corps.messages.outcomes import Outcome, Raised, Refused
from corps.messages.requests import OfMainThread, Request, Route
from corps.runtime.calls.blocking import block_until
from corps.runtime.calls.callbacks import Callback, log_raised
from corps.runtime.calls.unheard import Unheard, unheard
from corps.runtime.context import Activity, acting
from corps.runtime.threads.lending import check_reserve

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell
    from corps.runtime.threads.alarms import Alarm

R = TypeVar("R")
T = TypeVar("T")
_log = logging.getLogger("corps.futures")


@exported
@native
class Future(concurrent.futures.Future[R]):
    """The answer to a request. Any thread may use it, and any number of them may wait for it.

    It is a `concurrent.futures.Future`, so `concurrent.futures.wait`, `asyncio.wrap_future` and all that
    is built on them take it; and it can be awaited in any asyncio event loop.
    """

    # The base class's __init__ is not called: the Condition it makes costs 1.2 µs, this one 0.3 µs. What
    # the standard library's own functions touch (`_condition`, `_state`, `_waiters`) is offered below.
    __slots__ = ("_alarm", "_callbacks", "_condition", "_observers", "_outcome", "request")

    is_authors = False
    """Whether an author settles it, as with a `corps.Promise`, and only the author may give it up."""

    is_argument: bool = False
    """Whether a call waits for it: then its value is taken as it came, whatever is done with it here."""

    received: Outcome | None = None
    """Then: its outcome as it came from another Env, with buffers that nothing here writes to."""

    parts: "tuple[Future[Any], ...]" = ()
    """The Futures that `gather` has joined in this one."""

    def __init__(self) -> None:
        # Protects _outcome, _callbacks and _observers. No callback and no send happens under it.
        self._condition = Lock()  # type: ignore[assignment]
        self._outcome: Outcome | None = None
        self._callbacks: list[Callable[[Future[R]], object]] | None = None
        self._observers: list[Any] | None = None  # what `concurrent.futures` registers to hear of it
        self.request: Request | None = None
        """The request while it is under way, else None. For the runtime; set before it is sent."""
        self._alarm: Alarm | None = None
        self.unheard: Unheard  # in its dict, and only if it has failed

    # --- for those who wait ---

    @property
    def ret(self) -> R:
        """The value; waits for it as long as it takes.

        Raises:
            RequestError: The request failed; which one says how, `executed` whether it ran.
            LoopBlocked: Called in a coroutine (use ``await`` there), or in a callback.
        """
        if self._outcome is None:
            self._wait(None)
        return self._opened().unwrap()  # type: ignore[no-any-return]

    def result(self, timeout: float | None = None) -> R:
        """Return the value; wait for it.

        Args:
            timeout: Seconds to wait; None for as long as it takes. The request goes on afterwards.

        Returns:
            What the method returned.

        Raises:
            RequestError: The request failed; which one says how, `executed` whether it ran.
            WaitTimeout: The time was over first.
            LoopBlocked: Called in a coroutine (use ``await`` there), or in a callback.
        """
        if self._outcome is None:
            self._wait(timeout)
        return self._opened().unwrap()  # type: ignore[no-any-return]

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error that `result` would raise; wait for it.

        Args:
            timeout: Seconds to wait; None for as long as it takes.

        Returns:
            The error, or None if the request gave a value.

        Raises:
            Cancelled: The request was cancelled, as in the base class.
            WaitTimeout: The time was over first.
            LoopBlocked: Called in a coroutine (use ``await`` there), or in a callback.
        """
        error = self.failure(timeout)
        if error is not None and self.cancelled():
            raise error
        return error

    def failure(self, timeout: float | None = None) -> BaseException | None:
        """Return the error, also that of a request that was cancelled; wait for it. For the runtime."""
        if self._outcome is None:
            self._wait(timeout)
        outcome = self._opened()
        if isinstance(outcome, Raised | Refused):
            return outcome.error
        return None

    def done(self) -> bool:
        """Return whether the outcome is there: a value, an error, or the cancellation."""
        return self._outcome is not None

    def running(self) -> bool:
        """Return whether the request is under way: sent, and not answered yet."""
        return self._outcome is None

    @property
    def alive(self) -> bool:
        """Whether what has to answer still lives, as far as is known here; True when the outcome is there.

        It tells an answer that takes long from one that may never come, without asking anybody. How old the
        knowledge is depends on where the worker is:

        - In this Env: it is always True.
        - In another Env of the Corps: False from the death of its process, of which this Env hears within a
          fraction of a second, until there is another one. Mostly the Future has failed by then. An Env that
          hangs counts as alive until it is killed, after the setting ``beat.dead``.
        - In another Corps: its Env gives a sign at each ``working_every`` seconds, a setting of that Corps,
          as long as it has requests that it has not answered. This is False if none has come for three times
          as long, nor was the request sent within that time.

        It says nothing about the worker itself, which may do its work or wait for ever.
        """
        request = self.request
        route = None if request is None else request.route
        return self._outcome is not None or request is None or route is None or route.is_alive(request)

    def cancelled(self) -> bool:
        """Return whether `cancel` settled it."""
        outcome = self._outcome
        return outcome is not None and outcome.is_cancelled

    def cancel(self, *, only_if: Literal["waiting"] | None = None) -> bool:
        """Give the request up.

        A request that still waits in a mailbox is taken out and never begins. A coroutine that runs it is
        cancelled. A plain method that has begun goes on; its answer is thrown away.

        Args:
            only_if: ``"waiting"``: only if the request has not begun; otherwise it goes on, and so does the
                Future. Whether a request to another Env has begun is decided there: then this returns False,
                and the Future is cancelled a moment later if it had not.

        Returns:
            True if it is cancelled now; False if it was settled before, or is not cancelled yet.

        Raises:
            ValueError: `only_if` is something else.
        """
        if only_if not in (None, "waiting"):
            raise ValueError(f'cancel(only_if={only_if!r}): wants "waiting", or None')
        request = self.request
        what = f"the request {request.method!r} to {request.target}" if request is not None else "the request"
        error = Cancelled(f"{what} was cancelled by its caller")
        if only_if is not None:
            return self._take_back(request, error) or self.cancelled()
        if not self.give_up(error):
            self.hear()  # a failure that came a moment before: its caller has given the request up
        return self.cancelled()

    def stop_waiting(self) -> None:
        """Cancel the request, as asyncio does, because the task that awaits this Future was cancelled."""
        self.cancel()

    def add_done_callback(self, fn: Callable[["Future[R]"], object]) -> None:
        """Call `fn(self)` when the outcome is there; at once if it is there already.

        Args:
            fn: Called in the thread that settles the Future, as the worker that registers it here: keep it
                short. It has no deadline, and it may not wait: that raises LoopBlocked. What it raises is
                logged.
        """
        self.when_settled(Callback(fn))

    def __await__(self) -> Generator[Any, None, R]:
        """Wait in an asyncio coroutine, without blocking its event loop.

        If the task that awaits is cancelled, by `asyncio.timeout` say, the request is cancelled with it. It
        is not if `corps.shield(future)` is awaited.

        Raises:
            RequestError: As `result`.
        """
        if self._outcome is None:
            here = acting()
            cell = here.cell if here is not None else None
            if here is None or cell is None or here.task is not asyncio.current_task():
                yield from self._awaitable()
            else:
                here.env.waits.begin(cell, (self,))
                probing = _Probing(here, cell)
                try:
                    if self._outcome is None:
                        yield from self._awaitable()
                finally:
                    probing.cancel()
                    here.env.waits.end(cell)
        return self._opened().unwrap()  # type: ignore[no-any-return]

    def _awaitable(self) -> Generator[Any, None, None]:
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[None] = loop.create_future()

        def arrive() -> None:
            if not arrived.done():
                arrived.set_result(None)

        def wake(_: object) -> None:
            try:
                loop.call_soon_threadsafe(arrive)
            except RuntimeError:  # the loop was closed meanwhile: nothing waits there any more
                _log.debug("a Future was settled after the loop that awaited it had closed")

        self.when_settled(wake)
        try:
            yield from arrived
        except asyncio.CancelledError:
            self.remove_callback(wake)
            self.stop_waiting()
            raise

    # --- for the runtime ---

    def settle(self, outcome: Outcome) -> bool:
        """Give the outcome, and return whether it is the first one, which counts. Thread-safe."""
        failure = unheard(self.request, outcome) if outcome.failed else None
        with self._condition:
            if self._outcome is not None:
                if failure is not None:
                    failure.is_heard = True
                return False
            self._outcome = outcome
            if failure is not None:
                self.unheard = failure
            callbacks, self._callbacks = self._callbacks, None
            self.request = None
            alarm, self._alarm = self._alarm, None
            if self._observers is not None:
                self._tell_observers()
        if alarm is not None:
            alarm.cancel()
        for fn in callbacks or ():
            self._call_back(fn)
        return True

    def give_up(self, error: RequestError) -> bool:
        """Settle with an error from the caller's side, and tell the holder of the request. Thread-safe."""
        request = self.request
        check_reserve()
        if request is None or request.route is None:
            return self.settle(Refused(error))
        return by_others(request.errands, self._give_up_now, request, error)

    def _give_up_now(self, request: Request, error: RequestError) -> bool:
        route = request.route
        assert route is not None
        never_begins = route.take_back(request)
        return self._give_up(request, request.route or route, error, never_begins=never_begins)

    def _take_back(self, request: Request | None, error: RequestError) -> bool:
        """Settle with an error if the request has not begun; return whether that was done here."""
        if request is None or request.route is None:
            return False
        return by_others(request.errands, self._take_back_now, request, error)

    def _take_back_now(self, request: Request, error: RequestError) -> bool:
        route = request.route
        assert route is not None
        if route.take_back(request):
            return self._give_up(request, request.route or route, error, never_begins=True)
        route.ask_back(request)
        return False

    def _give_up(self, request: Request, route: Route, error: RequestError, *, never_begins: bool) -> bool:
        never_begins = never_begins and not getattr(request.promise, "may_have_run", False)
        error.executed = "no" if never_begins else "unknown"
        error.incarnation = error.incarnation or route.incarnation
        request.is_given_up = True
        if request.sent is not None:
            error.elapsed = now() - request.sent
        settled = self.settle(Refused(error))
        if settled:
            route.withdraw(request)
        return settled

    def when_settled(self, fn: Callable[["Future[R]"], object]) -> None:
        """Call a function of the runtime's, which does not raise, when the outcome is there."""
        # At once if it is there already; in the thread that settles the Future, without a context of its own.
        with self._condition:
            if self._outcome is None:
                if self._callbacks is None:
                    self._callbacks = [fn]
                else:
                    self._callbacks.append(fn)
                return
        self._call_back(fn)

    def remove_callback(self, fn: Callable[["Future[R]"], object]) -> None:
        """Forget a callback that `when_settled` got, if it was not called yet."""
        with self._condition:
            if self._callbacks is not None and fn in self._callbacks:
                self._callbacks.remove(fn)

    @property
    def outcome(self) -> Outcome | None:
        """The outcome if it is there, else None."""
        return self._outcome

    def set_alarm(self, alarm: "Alarm") -> None:
        """Keep the alarm of the deadline, to take it back when the Future is settled."""
        with self._condition:
            if self._outcome is None:
                self._alarm = alarm
                return
        alarm.cancel()

    def _call_back(self, fn: Callable[["Future[R]"], object]) -> None:
        try:
            fn(self)
        except BaseException:  # the others must hear of it all the same
            log_raised(_log, "a defect of corps: please report it")

    def _opened(self) -> Outcome:
        outcome = self._outcome
        assert outcome is not None
        opened = outcome.opened()
        if opened is not outcome:
            # Two threads may both have unpacked: all see the first one's objects. dict.setdefault is atomic;
            # `_condition` will not do, because concurrent.futures.wait asks for errors while it holds that.
            opened = vars(self).setdefault("opened", opened)
            self._outcome = opened
        if opened.failed:
            self.hear()
        return opened

    def hear(self) -> None:
        """Note that the outcome is looked at, or passed on: the log need not say that it is a failure."""
        if (failure := vars(self).get("unheard")) is not None:
            failure.is_heard = True
        for part in self.parts:
            part.hear()

    def _wait(self, timeout: float | None) -> None:
        if not block_until((self,), self._add_waiter, timeout):
            self._too_late(timeout)

    def _too_late(self, timeout: float | None) -> NoReturn:
        request = self.request
        what = f"{request.method!r} of {request.target}" if request is not None else "the request"
        raise WaitTimeout(f"no answer from {what} within {timeout} s; it is still under way")

    def _add_waiter(self, wake: Callable[[object], object]) -> Callable[[], object]:
        self.when_settled(wake)
        return lambda: self.remove_callback(wake)

    # --- what the standard library's functions on Futures expect ---

    @property
    def _state(self) -> str:  # type: ignore[override]
        if self._outcome is None:
            return "RUNNING"
        return "CANCELLED_AND_NOTIFIED" if self.cancelled() else "FINISHED"

    @property
    def _waiters(self) -> list[Any]:  # type: ignore[override]
        # Called by concurrent.futures with `_condition` held.
        if self._observers is None:
            self._observers = []
        return self._observers

    def _tell_observers(self) -> None:
        for observer in self._observers or ():
            if self.cancelled():
                observer.add_cancelled(self)
            elif self._outcome is not None and self._outcome.failed:
                observer.add_exception(self)
            else:
                observer.add_result(self)

    def set_running_or_notify_cancel(self) -> NoReturn:
        """Refused: only the runtime settles a Future of a request."""
        raise concurrent.futures.InvalidStateError("a corps.Future is settled by the runtime alone")

    def set_result(self, result: R) -> None:
        """Refused: only the runtime settles a Future of a request."""
        raise concurrent.futures.InvalidStateError("a corps.Future is settled by the runtime alone")

    def set_exception(self, exception: BaseException | None) -> None:
        """Refused: only the runtime settles a Future of a request."""
        raise concurrent.futures.InvalidStateError("a corps.Future is settled by the runtime alone")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise PackError(
            "a Future cannot be packed: it belongs to the Env that made the request. Send its value "
            "(`future.ret`), or the Name of the worker, so that the receiver can ask itself"
        )

    def __repr__(self) -> str:
        outcome = self._outcome
        if outcome is None:
            request = self.request
            return f"<Future of {request.method!r} of {request.target}, under way>" if request else "<Future>"
        if self.cancelled():
            return "<Future, cancelled>"
        return "<Future, failed>" if outcome.failed else "<Future, done>"


class Pull(Future[Any]):
    """The Future of an item of a generator: its iterator keeps it, whatever those do that wait for it.

    In the main thread the sending may be broken off, and nobody knows how far.
    """

    __slots__ = ()

    def begin(self) -> bool:
        """Return whether the caller is first: its sender, who sends it, or its iterator, who gives it up."""
        mine = object()
        return vars(self).setdefault("begun", mine) is mine  # one step of the interpreter

    def stop_waiting(self) -> None:
        """Do nothing: a cancelled task does not cancel it."""

    def has_item(self) -> bool:
        """Return whether its item has come."""
        return self.outcome is not None and not self.outcome.failed


class _Probing:
    """The search for circles while a coroutine waits: again and again, each time after twice the time."""

    def __init__(self, here: Activity, cell: "Cell") -> None:
        self._waits = here.env.waits
        self._cell = cell
        self._loop = asyncio.get_running_loop()
        self._after(here.env.options.deadlock_probe)

    def _after(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._probe, seconds)

    def _probe(self, seconds: float) -> None:
        self._after(2 * seconds)
        self._waits.probe(self._cell)

    def cancel(self) -> None:
        """Search no more, because the wait is over."""
        self._timer.cancel()


def by_others(errands: OfMainThread | None, function: Callable[..., T], *args: Any) -> T:
    """Call a function that must not be broken off, and that may wait: with room in the stack for it.

    No signal breaks it off either: what the main thread asks for, another one does.
    """
    check_reserve()
    if errands is None or get_ident() != errands.main:
        return function(*args)
    return errands.do(function, *args)
