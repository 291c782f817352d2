"""What a request does to the author's object: construct, call, read, set, pull the next item.

The steps of a request are *receive, before, process, after, reply*. A class that overrides none of them
takes the short way: the method is called, and the promise settled.

One file because every way through it ends in the same guard, which settles the request.
"""

import asyncio
import concurrent.futures
import inspect
import logging
from collections.abc import Collection, Coroutine
from contextvars import Context, Token, copy_context
from threading import Event
from types import AsyncGeneratorType, CoroutineType, GeneratorType, NoneType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from corps.errors import (
    Cancelled,
    CorpsError,
    DefinitionError,
    Fail,
    InternalError,
    NoSuchMethod,
    RemoteError,
    UnpackError,
    WorkerGone,
)
from corps.messages.dead_letters import DeadReason
from corps.messages.originals import text_of
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.messages.promises import NoAnswer
from corps.messages.requests import (
    AHEAD,
    ANEXT,
    ASKING,
    CALL,
    CREATE,
    DROP,
    KEEP,
    PINNED,
    PULL,
    REACHING,
    SET,
    TOLD,
    Kind,
    Request,
)
from corps.runtime.calls.relaying import relay
from corps.runtime.calls.travelling import leave
from corps.runtime.cells import halting
from corps.runtime.cells.awaited_hooks import call_hook
from corps.runtime.cells.generators import PER_INCARNATION, Generators
from corps.runtime.cells.hooks import hook, steps_of
from corps.runtime.cells.keeping import Keeping, keeps_state, kept_state
from corps.runtime.context import Activity, current
from corps.runtime.threads.background import Background

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell

_log = logging.getLogger("corps.workers")

# Types of values with which nothing is to be done: for most results one look in place of four, 0.1 µs.
AS_THEY_ARE: Final = frozenset({NoneType, bool, int, float, str, bytes, tuple, list, dict})


_LATER: Final = object()
"""Stands for a value that is not there yet."""


class _Refusal(Exception):
    """Leaves the work with an error of the runtime rather than of the method."""

    def __init__(self, error: CorpsError, letter: DeadReason | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.letter = letter


def _refuse_constructor(cls: type, given: Any) -> NoReturn:
    if isinstance(given, CoroutineType | GeneratorType):
        given.close()  # else Python warns that it was never awaited
    raise _Refusal(
        DefinitionError(
            f"{cls.__qualname__}.__init__() gave {given!r:.200}: a constructor is a plain method that gives "
            "None. What has to be awaited is for an `async def` method"
        )
    )


def _checked(outcome: Any) -> Outcome:
    if isinstance(outcome, Value | Raised | Refused):
        return outcome
    raise TypeError(
        f"after() has to return an outcome, or None to leave it as it is, and gave {outcome!r:.80}"
    )


class Performer:
    """Runs the requests of one cell. Owner of the cell only, and its coroutines."""

    __slots__ = (
        "_background",
        "_cell",
        "_generators",
        "_keeping",
        "_tasks",
        "cls",
        "has_cancelled",
        "worker",
    )

    def __init__(self, cell: "Cell") -> None:
        self._cell = cell
        self.cls: type | None = None  # the author's class; None before the constructor is called
        self.worker: Any = None
        self._background: Background | None = None  # made by its first coroutine, on the loop's thread
        self._generators: Generators | None = None
        self._keeping: Keeping | None = None
        self._tasks: dict[asyncio.Task[None], Request] = {}  # changed on the loop's thread alone
        self.has_cancelled = False
        """Whether the coroutines were cancelled because the incarnation ends, and not by their callers."""

    @property
    def has_worker(self) -> bool:
        """Whether the constructor has succeeded."""
        return self.worker is not None

    def perform(self, request: Request) -> None:
        """Run a request and settle it, or leave that to its coroutine."""
        interface = self._cell.interface
        has_steps = interface.has_steps
        kind = request.kind
        arrived: list[Token[Any]] | None = None
        try:
            try:
                if request.method not in interface.methods if kind is CALL else kind in ASKING:
                    self._check_reachable(request)
                if request.packed is not None:  # only now: nothing is unpacked for what may not be called
                    self._open(request)
                if request.travelling is not None and (travels := self._cell.env.travels) is not None:
                    arrived = travels.arrive(request.travelling)
                if kind is CALL and not has_steps:
                    value = getattr(self.worker, request.method)(*request.args, **request.kwargs)
                else:
                    value = self._work(request)
                if type(value) not in AS_THEY_ARE and (value := self._given(request, value)) is _LATER:
                    return
                outcome: Outcome = Value(value)
            except BaseException as error:
                outcome = self._failure(request, error)
                if request.kind is CREATE:  # its creator hears of it when nothing is left of it
                    self._construction_failed(error)
                if not has_steps:
                    request.note_time(outcome)
            if has_steps:
                self._finish(request, outcome)
            elif not request.promise.settle(outcome):
                self._note_late(request, outcome)
        except BaseException as escaped:
            self._escaped(request, escaped)
        finally:
            if arrived is not None:
                leave(arrived)

    def _given(self, request: Request, value: Any) -> Any:
        """Return the value with which to settle a request; `_LATER` if something else settles it."""
        given = type(value)  # not isinstance: that asks a lazy proxy for its `__class__`, which may raise
        if given is CoroutineType:
            self.start(request, value)
            return _LATER
        if issubclass(given, concurrent.futures.Future) and not self._cell.interface.has_steps:
            relay(self._cell, request, value)
            return _LATER
        return self._kept(request, value)

    # --- for the native core, which calls the methods of classes without steps itself ---

    def settle_given(self, request: Request, value: Any) -> None:
        """Settle a request of a class without steps with what its method gave, of whatever type."""
        try:
            value = self._given(request, value)
            outcome: Outcome = Value(value)
        except BaseException as error:
            self.settle_failed(request, error)
            return
        if value is not _LATER and not request.promise.settle(outcome):
            self._note_late(request, outcome)

    def settle_failed(self, request: Request, error: BaseException) -> None:
        """Settle a request of a class without steps whose method raised."""
        outcome = self._failure(request, error)
        request.note_time(outcome)
        if not request.promise.settle(outcome):
            self._note_late(request, outcome)

    def _open(self, request: Request) -> None:
        try:
            request.open()
        except UnpackError:
            raise
        except BaseException as error:  # KeyboardInterrupt too: here the bytes raise it
            raise UnpackError(f"the arguments cannot be unpacked: {type(error).__name__}") from error

    def _construction_failed(self, error: BaseException) -> None:
        if self._cell.incarnation == 1:
            self._cell.ending.finish()
        else:
            halting.constructor_failed(self._cell, error)

    def _work(self, request: Request) -> Any:
        kind = request.kind
        if kind is PULL:
            return self._pull(*request.args)
        if kind in REACHING:
            if self._cell.interface.has_steps:
                steps = steps_of(self.cls)
                if "before" in steps:
                    hook(self.worker, "before")(request)
                if "process" in steps:
                    return hook(self.worker, "process")(request)
            return self.invoke(request)
        if kind is CREATE:
            return self._construct(request)
        if kind is AHEAD:
            return self._generators.go_ahead(request.args[0]) if self._generators is not None else None
        if kind is DROP:
            return self._note_stream(*request.args)
        if kind is PINNED:
            self._unpin(request)
            return self._work(request)
        if kind is TOLD:
            return self._tell(request.method, request.args[0])
        if kind is KEEP:
            return self._keeping.keep() if self._keeping is not None else None
        raise _Refusal(InternalError(f"{self._cell} was sent a request of the unknown kind {kind}"))

    def _pull(self, number: int, allowed: int | None) -> Any:
        generators = self._generators
        given = None if generators is None else generators.pull(number, allowed)
        return self._pull_unknown(number) if given is None else given

    def _pull_unknown(self, number: int) -> tuple[bool, Any]:
        """Return that a generator which is not here has come to its end; or say why it is not here."""
        if number // PER_INCARNATION != self._cell.incarnation:
            raise _Refusal(self._cell.gone("no", number // PER_INCARNATION))
        if self._generators is not None and self._generators.is_forsaken(number):
            text = (
                f"this generator of {self._cell} was closed, because the process died that held its iterator"
            )
            raise _Refusal(Cancelled(text, executed="no", target=str(self._cell)))
        return False, None

    def _note_stream(self, number: int | None, share: int, holder: int, change: int) -> Any:
        """Note that an iterator came to an Env, or is given up; without a number: that an Env has died."""
        if self._generators is None:
            return None
        if number is None:
            return self._generators.lose(holder)
        return self._generators.note(number, share, holder, change)

    def hasten(self, request: Request) -> None:
        """Have a DROP wait for no coroutine, if it may. Called before it enters the mailbox. Thread-safe."""
        # What is made ahead is cancelled if nothing wants it: the DROP would wait behind it, maybe for long.
        if self._generators is None:
            return
        try:
            request.open()  # a few numbers
        except UnpackError:
            return  # the error is reported when its turn comes
        number, share, holder, _ = request.args
        if number is None and (lost := self._generators.only_of(holder)):
            self._cell.env.loop.call(self._cancel_steps, lost, (AHEAD, PULL))
        if self._generators.runs_beside(number, share):
            request.method = ANEXT
        # If no coroutine has begun yet, the one that does will see that nothing is wanted.
        if self._generators.is_unwanted_after(number, share) and self._tasks:
            self._cell.env.loop.call(self._cancel_steps, [number], (AHEAD,))

    def _cancel_steps(self, numbers: Collection[int], kinds: Collection[Kind]) -> None:
        for task, request in self._tasks.items():
            if request.kind in kinds and request.args[0] in numbers:
                task.cancel()

    @property
    def has_generators(self) -> bool:
        """Whether generators of its methods are open."""
        return self._generators is not None and self._generators.are_open

    def _tell(self, method: str, watch: Any) -> None:
        """Report to the worker what it watches for, unless it has given that watch up."""
        if watch.is_wanted:
            hook(self.worker, method)(watch.result())

    def invoke(self, request: Request) -> Any:
        """Take the middle of the step `process`: call the method, read the attribute, or set it."""
        if request.kind is CALL:
            return getattr(self.worker, request.method)(*request.args, **request.kwargs)
        if request.kind is SET:
            return setattr(self.worker, request.method, request.args[0])
        try:
            return getattr(self.worker, request.method)
        except AttributeError as error:
            if error.obj is not self.worker or error.name != request.method:
                raise
            raise _Refusal(self._no_such(request)) from None

    def _unpin(self, request: Request) -> None:
        """Make a request for one incarnation what it stands for, if that is this one."""
        incarnation, kind, *args = request.args
        if incarnation != self._cell.incarnation:
            raise _Refusal(self._cell.gone("no", incarnation), "stale")
        if kind not in REACHING:
            raise _Refusal(InternalError(f"a request of the kind {kind} cannot be pinned"))
        request.kind, request.args = Kind(kind), tuple(args)
        self._check_reachable(request)

    def _check_reachable(self, request: Request) -> None:
        if request.kind not in ASKING:
            return
        interface = self._cell.interface
        name = request.method
        if name in interface.methods:
            # What is pinned says in its arguments what it is for, and is checked again when that is known.
            if request.kind is CALL or request.kind is PINNED:
                return
        elif request.kind is not CALL and not name.startswith("_") and name not in interface.reserved:
            return
        raise _Refusal(self._no_such(request))

    def _no_such(self, request: Request) -> NoSuchMethod:
        known = self._cell.interface.known_methods
        what = "method" if request.kind is CALL else "data attribute"
        return NoSuchMethod(
            f"{self._cell} has no public {what} {request.method!r}; its methods are: {known}",
            target=str(self._cell),
            incarnation=self._cell.incarnation,
        )

    def _construct(self, request: Request) -> Any:
        cls, *args = request.args
        self.cls = cls
        cell = self._cell
        worker = cls.__new__(cls, *args, **request.kwargs)
        self._adopt(worker, cls)
        if (given := cls.__init__(worker, *args, **request.kwargs)) is not None:
            _refuse_constructor(cls, given)
        if cell.record is not None and keeps_state(cls):
            self._keeping = Keeping(cell, cls.keep_every)
        if cell.incarnation > 1:
            hook(worker, "after_restart")(kept_state(cell) if self._keeping is not None else None)
        if getattr(cls, "_corps_starts", False):
            call_hook(cell, worker, "start")
        self.worker = worker
        if cell.incarnation > 1:
            cell.env.worker_counters.restarted(str(cell))
        return cell.name

    def _adopt(self, worker: Any, cls: type) -> None:
        """Tell a new object of the author's which worker it is."""
        known: Any = None
        if is_one := isinstance(worker, cls):
            known = object.__getattribute__(worker, "__dict__").get("_corps_cell")
        if not is_one or (known is not None and known is not self._cell and known.ended is None):
            what = f"an object that is {known} already" if known is not None else f"{worker!r:.200}"
            text = f"{cls.__qualname__}.__new__() gave {what}: each worker is an object of its own"
            raise _Refusal(DefinitionError(text))
        object.__setattr__(worker, "_corps_cell", self._cell)  # whatever the class thinks of new attributes

    # --- settling ---

    def _finish(self, request: Request, outcome: Outcome) -> None:
        if self._cell.interface.has_steps and request.kind in REACHING and self.has_worker:
            outcome = self._last_steps(request, outcome)
        if outcome.failed:
            request.note_time(outcome)
        elif isinstance(outcome, Value) and issubclass(type(outcome.value), concurrent.futures.Future):
            relay(self._cell, request, outcome.value)
            return
        if not request.promise.settle(outcome):
            self._note_late(request, outcome)

    def _note_late(self, request: Request, outcome: Outcome) -> None:
        """Note a dead letter: `reply` has settled the request before, or its caller had given up."""
        is_cancelled = isinstance(outcome, Refused) and isinstance(outcome.error, Cancelled)
        if request.is_given_up and not is_cancelled and not isinstance(request.promise, NoAnswer):
            self._cell.env.letters.note("late", request.sender, request.target, request.method)

    def _last_steps(self, request: Request, outcome: Outcome) -> Outcome:
        """Take the steps `after` and `reply`; return the outcome that counts if `reply` settles nothing."""
        try:
            steps = steps_of(self.cls)
            if "after" in steps and (changed := hook(self.worker, "after")(request, outcome)) is not None:
                outcome = _checked(changed)
            if self._keeping is not None and request.method not in self._cell.interface.read_only:
                self._keeping.ran()
            if "reply" in steps:
                hook(self.worker, "reply")(request, outcome)
        except BaseException as error:  # an exception in a step counts as one of the call
            return self._failure(request, error)
        return outcome

    def _failure(self, request: Request, error: BaseException) -> Outcome:
        """Return the outcome of a request that has raised, whatever its author's classes do meanwhile."""
        try:
            return self._judge(request, error)
        except BaseException as escaped:
            return self._defect(request, escaped)

    def _escaped(self, request: Request, error: BaseException) -> None:
        """Settle the request, whatever came through all that was to stop it: the last guard."""
        request.settle(self._defect(request, error))
        if request.kind is CREATE and not self.has_worker and not self._cell.is_halted:
            self._cell.ending.finish()

    def _defect(self, request: Request, error: BaseException) -> Refused:
        why = f"{type(error).__name__}: {text_of(error)}"
        text = f"{request.method!r} of {self._cell} could not be answered: {why}"
        _log.critical("%s; please report it", text, exc_info=error)
        incarnation = self._cell.incarnation
        return Refused(InternalError(text, executed="yes", target=str(self._cell), incarnation=incarnation))

    def _judge(self, request: Request, error: BaseException) -> Outcome:
        if isinstance(error, _Refusal):
            return self._refused(request, error.error, error.letter)
        if isinstance(error, UnpackError) and request.packed is not None:
            error.__dict__.setdefault("executed", "no")
            return self._refused(request, error, "unpackable")
        if isinstance(error, asyncio.CancelledError):
            if self.has_cancelled:
                return Refused(self._cell.gone("unknown", self._cell.incarnation))
            if request.promise.done():  # its caller has cancelled it
                text = f"the coroutine of {request.method!r} in {self._cell} was cancelled"
                incarnation = self._cell.incarnation
                return Refused(Cancelled(text, target=str(self._cell), incarnation=incarnation))
        elif request.kind is not CREATE and self._is_failure(error):
            failure = halting.failure_of(repr(request.method), error)
            if not isinstance(
                error, Exception
            ):  # SystemExit and its like: the worker fails, its process lives
                _log.error("%s fails: %s", self._cell, failure.text)
            halting.fail(self._cell, failure, error)
        return Raised.capture(error, str(self._cell), self._cell.incarnation)

    def _refused(self, request: Request, error: CorpsError, letter: DeadReason | None) -> Refused:
        refused = Refused(error, letter)
        self._cell.env.letters.undelivered(request, refused)
        return refused

    def _is_failure(self, error: BaseException) -> bool:
        """Return whether an exception that comes out of a method means that the worker cannot go on."""
        if not isinstance(error, Exception) or isinstance(error, getattr(self.cls, "fails_on", ())):
            return True
        return isinstance(error, Fail | MemoryError) and not isinstance(error, RemoteError)

    # --- coroutines ---

    def start(self, request: Request, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine on the Env's loop. The cell is held, or goes on with others if it interleaves."""
        cell = self._cell
        cell.coroutine_started(request)
        has_begun = False
        try:
            # Here and not on the loop: there the worker's context may be that of its next request already.
            context = self._context_for(request)
            has_begun = cell.env.loop.call(self._begin_task, request, coroutine, context)
        finally:
            if not has_begun:
                coroutine.close()
                cell.coroutine_ended(request)
        if not has_begun:
            self._finish(request, self._refused(request, cell.gone("no"), "closed"))

    def _begin_task(self, request: Request, coroutine: Coroutine[Any, Any, Any], context: Context) -> None:
        # A coroutine has an activity of its own: other requests of an interleaving worker come between.
        activity = Activity(self._cell.env, self._cell)
        activity.request = request
        activity.deadline = request.deadline
        if self._background is None:
            self._background = Background()
        activity.background = self._background
        context.run(current.set, activity)
        # Not `create_task`: this one is not among those that the author's code has started.
        running = self._run_coroutine(request, coroutine, activity)
        activity.task = asyncio.Task(running, loop=asyncio.get_running_loop(), context=context)
        task, call = activity.task, self._cell.env.loop.call
        self._tasks[task] = request
        self._cell.env.loop.keep(task)
        task.add_done_callback(lambda task: self._task_ended(task, request, coroutine))
        request.cancel_run = lambda: call(task.cancel)
        if request.promise.done():  # it was cancelled before there was anything to cancel
            task.cancel()

    def _context_for(self, request: Request) -> Context:
        """Return the context for a coroutine: a copy of the worker's, or that of the generator it steps."""
        if request.kind in (PULL, AHEAD) and self._generators is not None:
            context = self._generators.context_of(request.args[0])
            if context is not None:
                return context
        return copy_context() if self._cell.interface.is_shared else self._cell.context.copy()

    def _task_ended(
        self, task: "asyncio.Task[None]", request: Request, coroutine: Coroutine[Any, Any, Any]
    ) -> None:
        self._tasks.pop(task, None)
        if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
            # Cancelled before its first step, so nothing of `_run_coroutine` has run.
            coroutine.close()
            self._end_coroutine(request, self._failure(request, asyncio.CancelledError()))
        elif not task.cancelled() and isinstance(task.exception(), GeneratorExit):
            self._end_coroutine(request, self._failure(request, GeneratorExit()))  # the author raised it

    async def _run_coroutine(
        self, request: Request, coroutine: Coroutine[Any, Any, Any], activity: Activity
    ) -> None:
        try:
            outcome: Outcome = Value(self._kept(request, await coroutine))
        except GeneratorExit:
            # Destroyed while it waits, at the end of the interpreter: that can come at any point of any
            # thread, whatever lock it holds, so nothing more may be done.
            raise
        except BaseException as error:
            outcome = self._failure(request, error)
        activity.end_request()  # it is also that of tasks that the coroutine has started, and that go on
        self._end_coroutine(request, outcome)

    def _end_coroutine(self, request: Request, outcome: Outcome) -> None:
        request.cancel_run = None
        try:
            self._finish(request, outcome)
        except BaseException as error:
            self._escaped(request, error)
        finally:
            if self._cell.main_thread is not None:
                self._cell.main_thread.forget(request)
            self._cell.coroutine_ended(request)

    def cancel_coroutines(self) -> None:
        """Cancel all coroutines under way, because the incarnation ends. Thread-safe."""
        self.has_cancelled = True
        self._cell.env.loop.call(lambda: [task.cancel() for task in self._tasks])

    def abandon_coroutines(self, error: WorkerGone) -> None:
        """Settle what coroutines under way were to answer: they refuse to end. Thread-safe."""
        for request in list(self._tasks.values()):
            request.promise.settle(Refused(error))

    def _kept(self, request: Request, value: Any) -> Any:
        kind = type(value)
        if kind is not GeneratorType and kind is not AsyncGeneratorType:
            return value
        generators = self._generators or self._make_generators()
        context: Context | None = None
        is_shared = self._cell.interface.is_shared
        if kind is AsyncGeneratorType or request.travelling is not None or is_shared:
            context = copy_context()
            context.run(current.set, self._cell.activity)  # a coroutine's own ends with it
        return generators.keep(value, getattr(request.promise, "env", self._cell.env.id), context)

    def _make_generators(self) -> Generators:
        made = Generators(self._cell)
        with self._cell.mailbox.lock:  # threads may run several methods of a worker
            self._generators = self._generators or made
        return self._generators

    def close_generators(self) -> None:
        """Close the generators that are left, and wait for that. Not on the loop's thread."""
        if self._generators is not None:
            self._generators.close(self._await_on_loop)

    def end_background(self, seconds: float) -> None:
        """End the tasks that coroutines of this incarnation have started. Not on the loop's thread."""
        # After so many seconds they are left behind.
        background = self._background
        if background is None:
            return
        self._await_on_loop(background.end(seconds), seconds)
        if left := background.names():
            text = "%s ends, and tasks that it has started do not, though they were cancelled %s s ago: %s"
            _log.error(text, self._cell, seconds, ", ".join(left))

    def cancel_background(self) -> None:
        """Cancel the tasks that coroutines of this incarnation have started. Thread-safe."""
        background, loop = self._background, self._cell.env.loop
        if background is not None:
            ending = background.end(self._cell.env.options.exit_timeout)
            if not loop.call(lambda: loop.keep(asyncio.get_running_loop().create_task(ending))):
                ending.close()

    def _await_on_loop(self, coroutine: Coroutine[Any, Any, None], seconds: float | None = None) -> None:
        """Run a coroutine on the Env's loop, and wait for it, for so many seconds if the loop is stuck."""
        env = self._cell.env
        over = Event()

        def begin() -> None:
            activity = Activity(env, self._cell)
            context = self._cell.context.copy()
            context.run(current.set, activity)
            activity.task = asyncio.get_running_loop().create_task(coroutine, context=context)
            activity.task.add_done_callback(lambda _: over.set())

        if not env.loop.call(begin):
            coroutine.close()
            return
        env.enter_blocked()
        try:
            over.wait(seconds)
        finally:
            env.leave_blocked()
