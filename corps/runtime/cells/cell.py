"""The engine of one worker: its mailbox, and whose turn it is to run it.

A cell is idle, ready (in the pool's queue), running (a thread runs it), held (its next request may not begin
before a coroutine has ended) or halted (its worker has failed, and the next incarnation has not begun).
`life` has the table. The first request makes the cell ready. The thread that claims it drains the mailbox,
one request at a time. An idle cell costs no thread.

This file keeps the order of things. `performing` says what a request does to the author's object, `ending`
how a worker ends, and `halting` how it comes back.
"""

import logging
from collections.abc import Callable
from contextvars import Context
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from corps.addresses import ConcAddr
from corps.clock import now
from corps.core import native
from corps.errors import Cancelled, ContextError, DeadlineExceeded, InternalError, WorkerGone
from corps.messages.endings import End
from corps.messages.interfaces import Interface
from corps.messages.originals import text_of
from corps.messages.outcomes import Refused, Value
from corps.messages.promises import Promise, Unheard
from corps.messages.requests import (
    AHEAD,
    ANEXT,
    AWAY,
    BACK,
    CALL,
    CREATE,
    DROP,
    EXIT,
    GET,
    HALT,
    NEXT,
    STILL,
    WATCH,
    WITHDRAWN,
    Helper,
    Request,
    caller_of,
)
from corps.runtime.calls.relaying import relay
from corps.runtime.cells import aside, halting
from corps.runtime.cells.ending import Ending
from corps.runtime.cells.family import Family
from corps.runtime.cells.life import NEW, READY, Turn
from corps.runtime.cells.mailbox import mailbox_for
from corps.runtime.cells.main_thread import MainThread
from corps.runtime.cells.performing import Performer
from corps.runtime.cells.records import Record
from corps.runtime.cells.watchers import Watchers
from corps.runtime.context import Activity, current
from corps.supervision.restarts import Strategy

if TYPE_CHECKING:
    from corps.messages.interfaces import WorkerName
    from corps.messages.waits import Wait
    from corps.runtime.env import Env

_log = logging.getLogger("corps.workers")

# After so many requests a thread goes on to the next cell: a flooded one must not keep others waiting.
_TURN = 64

_LAST = frozenset({EXIT, HALT, STILL})  # they wait for the end of all that is under way
_SPECIAL = frozenset({EXIT, WATCH, DROP})  # something is done about them before they wait, if they do
_OF_THE_CELL = frozenset({EXIT, HALT, STILL, BACK})  # they are no matter of the author's object

T = TypeVar("T")

# A waiting thread runs the worker that it waits for, and so on, up to so many calls deep.
DEPTH = 16


@native
class Cell:
    """One worker inside its Env. Thread-safe, unless a method says otherwise."""

    __slots__ = (
        "_ending",
        "_family",
        "_inflight",
        "_lock",
        "_turn",
        "activity",
        "addr",
        "away",
        "context",
        "corps_name",
        "env",
        "incarnation",
        "interface",
        "mailbox",
        "main_thread",
        "mgr",
        "mgr_addr",
        "name",
        "performer",
        "record",
        "tag",
        "wait",
        "watchers",
    )

    readers = None  # its answers come by no link
    is_shared = False  # methods of its worker may run beside each other on threads

    def __init__(
        self,
        env: "Env",
        addr: ConcAddr,
        record: Record,
        interface: Interface,
        mgr: "WorkerName | None",
        mgr_addr: ConcAddr | None,
    ) -> None:
        """Make a cell without a worker in it. Its first request must be CREATE."""
        self.env = env
        self.addr = addr
        self.interface = interface  # of the record: what may be called
        self.tag = record.options.tag  # the author's own mark
        self.mgr = mgr  # Name of the worker that created it
        self.mgr_addr = mgr_addr  # None for the managers, which no worker created
        self.corps_name = record.corps_name  # Name of the Corps it belongs to
        self.name = env.upper.make_name(addr, self.interface, 1)
        self.incarnation = 1  # number of its present life; it changes while no thread runs the cell
        self.record: Record | None = None  # None if it is never restarted; set before it runs
        self.mailbox = mailbox_for(record, env.options)
        # The lock of the mailbox protects what follows too: one step decides whether a request begins.
        self._lock = self.mailbox.lock
        self._family: Family | None = None
        self._ending: Ending | None = None
        self.watchers: Watchers | None = None  # for the end of its incarnation; None if there never was one
        self._turn: Turn = NEW
        self._inflight = 0  # requests under way outside of the turn: coroutines
        self.away = 0  # those of them that have given up their turn
        self.wait: Wait | None = None  # what it waits for; protected by the lock of the Env's WaitGraph
        self._begin_life()

    def _begin_life(self) -> None:
        """Make what each incarnation has for itself."""
        self.activity = Activity(self.env, self, pooled=True)
        # All of this worker's code runs in it, in any thread. So the code neither sees nor changes the
        # context variables of the thread. The context holds the Activity for good.
        self.context = Context()
        self.context.run(current.set, self.activity)
        self.performer = Performer(self)
        self.main_thread: MainThread | None = None  # of a class with a loop of its own

    def __str__(self) -> str:
        return f"{self.interface.short_name} {self.addr}"

    @property
    def family(self) -> Family:
        """Its children. Made for the first one: most workers have none, and a Family takes 440 bytes."""
        if (family := self._family) is not None:
            return family
        made = Family(self)  # not under the lock: it may start a garbage collection
        with self._lock:
            self._family = self._family or made
        return self._family

    @property
    def has_family(self) -> bool:
        """Whether it has, or had, children."""
        return self._family is not None

    @property
    def ending(self) -> Ending:
        """How it ends. Made when the end begins: an Ending takes 230 bytes."""
        made = self._ending or Ending(self)
        with self._lock:
            self._ending = self._ending or made
        return self._ending

    @property
    def step(self) -> tuple[str, float] | None:
        """The author's code that its end runs, and the time when that began; None before and after."""
        return self._ending.step if self._ending is not None else None

    @property
    def ended(self) -> End | None:
        """How it ended for good, or was abandoned; None if it has not."""
        return self._ending.ended if self._ending is not None else None

    def gone(self, executed: str, incarnation: int = 0) -> WorkerGone:
        """Make the error for a request that ends with the worker, or with its former `incarnation`."""
        who = f"incarnation {incarnation} of {self}" if incarnation else str(self)
        return WorkerGone(
            f"{who} has ended",
            executed=executed,
            target=str(self),
            incarnation=incarnation or self.incarnation,
        )

    # --- arriving ---

    def deliver(self, request: Request, submit: Callable[["Cell"], object] | None = None) -> None:
        """Take a request into the mailbox, or refuse it. `submit` runs a ready cell; None for the pool."""
        request.route = self
        kind = request.kind
        # The first look spares a call the second one, here and in `_handle`: 0.02 µs each.
        if kind is not CALL and kind in _SPECIAL and self._is_special(request):
            return
        out: Request | None = None  # what is not to run, because there is no room for all
        with self._lock:
            if request.yields or (self.mailbox.is_full and self.mailbox.is_strict):
                out = self.mailbox.make_room(request)
            taken = out is not request and self.mailbox.put(request)
            wake = taken and self._turn is not READY and self.arrived()  # for a burst a call less: 0.05 µs
        if out is not None:
            self.env.letters.settle(out, self.mailbox.crowded(self, out, request))
        if wake:
            (submit or self.env.pool.submit)(self)
        elif not taken and out is not request:
            self.env.lives.pass_on(self, request)

    def _is_special(self, request: Request) -> bool:
        """Take a request that does not go into the mailbox; False for one that does."""
        if request.kind is EXIT:
            halting.take_exit(self, request)
        elif request.kind is WATCH:
            made = self.watchers or Watchers(self)
            with self._lock:
                self.watchers = self.watchers or made
            self.watchers.add(request)
        elif request.kind is DROP:
            self.performer.hasten(request)
        return request.kind is not DROP

    def put_first(self, request: Request) -> bool:
        """Have a request run before all that waits; False if the worker is halted, or ends, or has ended."""
        request.route = self
        with self._lock:
            taken = not self._turn.is_halted and self.mailbox.put_first(request)
            wake = taken and self.arrived()
        if wake:
            self.env.pool.submit(self)
        return taken

    def arrived(self) -> bool:
        """Note that a request waits; return whether the pool must get the cell. Caller holds the lock."""
        turn = self._turn
        move = turn.blocked if self._inflight and not self._may_begin() else turn.offered
        self._turn = move.to
        if move.notifies and self.main_thread is not None:
            self.main_thread.arrival.notify()
        return move.submits

    def _may_begin(self) -> bool:
        """Return whether the first request may begin. Caller holds the lock."""
        first = self.mailbox.first
        if first is None or not self._inflight:
            return first is not None
        if first.kind in _LAST:
            return False
        return self._inflight == self.away or self._goes_beside(first)

    def _goes_beside(self, request: Request) -> bool:
        """Return whether a request may begin beside those that are under way. Caller holds the lock."""
        # Coroutines under way let only further coroutines begin, up to the class's limit. In a class that
        # interleaves, a data attribute is read at once, because that runs no author's code.
        interface = self.interface
        if request.kind is GET and interface.interleave > 1 and not interface.has_steps:
            return request.method not in interface.computed
        has_room = self._inflight - self.away < interface.interleave
        return has_room and request.method in interface.async_methods

    def take_back(self, request: Request) -> bool:
        """See `Mailbox.take_back`."""
        return self.mailbox.take_back(request)

    def ask_back(self, request: Request) -> None:
        """See `Route.ask_back`: here `take_back` has the last word."""

    def is_alive(self, _: Request) -> bool:
        """See `Route.is_alive`: it is in this process."""
        return True

    def relay(self, request: Request, answer: Any) -> None:
        """See `Route.relay`."""
        relay(self, request, answer)

    def withdraw(self, request: Request) -> None:
        """Cancel the coroutine that runs a request, if there is one, because its caller has given up."""
        cancel = request.cancel_run
        if cancel is not None:
            cancel()

    # --- running ---

    def run(self) -> None:
        """Drain the mailbox for a while. Only a thread to which the pool gave the cell may call this."""
        with self._lock:
            move = self._turn.called
            self._turn = move.to
        if not move.claims:
            return  # a waiting caller was faster
        self.activity.pooled, self.activity.depth = True, 0
        request: Request | None = None
        try:
            for _ in range(_TURN):
                request = self._next()
                if request is None or not self._handle(request):
                    return
        except BaseException as error:  # a defect: neither cell nor request may stay behind
            self._note_defect(request, error)
        self.release()

    def _note_defect(self, request: Request | None, error: BaseException) -> None:
        _log.critical("%s let an error through; please report it", self, exc_info=error)
        if request is not None:
            text = f"{request!r} could not be dealt with: {type(error).__name__}: {text_of(error)}"
            request.settle(Refused(InternalError(text, target=str(self))))

    def help(self, promise: Promise, here: Helper) -> None:
        """Run requests in the calling thread until `promise`, which it waits for, is settled."""
        # That saves two changes of threads: 6 µs a call instead of 115. If another thread runs the cell, the
        # caller returns at once. Not for threads of an event loop, nor more than a few calls deep: each takes
        # room on the stack.
        if here.depth >= DEPTH:
            return
        with self._lock:
            move = self._turn.helped
            self._turn = move.to
        if not move.claims:
            return
        activity = self.activity
        activity.pooled, activity.depth = here.pooled, here.depth + 1
        request: Request | None = None
        try:
            while (request := self._next()) is not None and self._handle(request):
                if promise.done() or self.is_shared:  # there the others need not wait for this thread
                    activity.depth = 0
                    self.release()
                    break
        except BaseException as error:  # a defect, as in `run`: no handler of a signal runs here
            self._note_defect(request, error)
            activity.depth = 0
            self.release()
            raise

    def run_first(self, request: Request, here: Activity | None) -> None:
        """Construct a new worker by its CREATE, in the calling thread, which creates it and does `here`."""
        with self._lock:
            move = self._turn.entered
            self._turn = move.to
        if not move.claims or self.ended is not None:  # another thread ends it, or has
            request.settle(Refused(self.gone("no")))
            return
        activity = self.activity
        activity.pooled = here is not None and here.pooled
        if here is not None:
            activity.task, activity.reading = here.task, here.reading
        try:
            goes_on = self._handle(request)
        except BaseException:  # a signal while the main thread constructs the EnvMgr of its Env, or a defect
            request.settle(Refused(Cancelled(f"the constructor of {self} was interrupted", target=str(self))))
            self.ending.finish()
            raise
        activity.pooled, activity.task, activity.reading = True, None, False
        if goes_on:  # otherwise it has ended, or runs in a thread of its own
            self.release()

    def release(self) -> None:
        """Give the cell up, or make it ready again if more waits. Owner of the cell only."""
        with self._lock:
            self._turn = self._turn.released.to
            wake = self.mailbox.first is not None and self.arrived()
        if wake:
            self.env.pool.submit(self)

    def _next(self) -> Request | None:
        """Take the next request; None if none may begin, and then the thread has given the cell up."""
        with self._lock:
            if self.mailbox.first is not None and (not self._inflight or self._may_begin()):
                return self.mailbox.take()
            self._turn = self._turn.released.to
            if self.mailbox.first is not None:
                self._turn = self._turn.blocked.to
            return None

    def own_main(self) -> MainThread:
        """The thread of a worker whose class has a loop of its own; a ContextError if it has none."""
        if self.main_thread is None:
            raise ContextError(f"{self} has no main() of its own, so its requests are received for it")
        return self.main_thread

    def _handle(self, request: Request) -> bool:
        """Run one request; False if this thread must not run the worker any more."""
        kind = request.kind
        if kind is not CALL and kind in _OF_THE_CELL:
            return self._handle_own(request)
        if not self.is_wanted(request):
            return True
        activity = self.activity
        activity.request = request
        activity.deadline = request.deadline
        activity.thread = get_ident()
        try:
            self.context.run(self.performer.perform, request)
        finally:
            activity.deadline = None  # of the request, and of nothing that comes after it
            if not self._inflight:
                activity.request = None  # else its arguments would live until the next request
        return kind is not CREATE or self._constructed()

    def _handle_own(self, request: Request) -> bool:
        """Do what is asked of the cell and not of the worker; otherwise as `_handle`."""
        if request.kind is EXIT:
            self.ending.finish()
            return False
        if request.kind is HALT:
            return halting.stop(self, request)
        if request.kind is STILL:
            self.ending.stands_still(request)
        else:
            aside.come_back(self, request)
        return True

    def within(self, function: Callable[..., T], *args: Any) -> T:
        """Call what runs the author's code, in the worker's own context. Owner of the cell only."""
        if current.get() is self.activity:  # a request that ends its worker
            return function(*args)
        self.activity.thread = get_ident()
        return self.context.run(function, *args)

    def is_wanted(self, request: Request) -> bool:
        """Return whether a request may still begin. What is passed over is settled."""
        if request.stage == WITHDRAWN:
            return False
        if request.promise.done():
            text = f"{request.method!r} was given up before it began"
            request.promise.settle(Refused(Cancelled(text, executed="no", target=str(self))))
            return False
        if request.deadline is not None and now() >= request.deadline:
            late = f"the deadline of {request.method!r} passed while it waited in the mailbox of {self}"
            error = DeadlineExceeded(late, executed="no", target=str(self), incarnation=self.incarnation)
            self.env.letters.settle(request, Refused(error, "expired"))
            return False
        return True

    def _constructed(self) -> bool:
        if not self.performer.has_worker:
            return False  # its end, or its next start, is under way
        if self.interface.has_main:
            thread = MainThread(self)
            with self._lock:  # before it starts: from here on arrivals notify it
                self.main_thread = thread
                self._turn = self._turn.owned.to
            thread.start()
            return False
        return True

    def go_ahead(self, number: int, *, is_async: bool) -> None:
        """Have a generator make an item ahead, in a turn of its own. Owner of the cell only."""
        promise = Unheard(f"an item of {self}")
        request = Request(AHEAD, self.addr, ANEXT if is_async else NEXT, (number,), {}, promise)
        here = current.get()
        if here is not None and here.request is not None:  # the item is for the caller of the one before
            request.caller = caller_of(here.request)
        self.deliver(request)

    def coroutine_started(self, request: Request) -> None:
        """Count the coroutine of a request that begins. Owner of the cell only."""
        with self._lock:
            self._inflight += 1
            self.counted(request, 1)

    def coroutine_ended(self, request: Request) -> None:
        """Count the coroutine of a request as done, and let begin what it held back. Event loop only."""
        with self._lock:
            self._inflight -= 1
            if request.stage == AWAY:
                self.away -= 1
            else:
                self.counted(request, -1)
            wake = self.let_go_on()
            if not self._inflight and not self._turn.is_busy:
                self.activity.request = None
        if wake:
            self.env.pool.submit(self)

    def counted(self, request: Request, change: int) -> None:
        """Count what is under way and not away, where that makes a difference. Caller holds the lock."""

    def let_go_on(self) -> bool:
        """Note that what was held may begin; return as `arrived` does. Caller holds the lock."""
        return self._turn.is_held and self._may_begin() and self.arrived()

    @property
    def running(self) -> Request | None:
        """A request that runs; None if none does."""
        return self.activity.request

    @property
    def has_coroutines(self) -> bool:
        """Whether a coroutine of this worker is under way."""
        return self._inflight > 0

    # --- coming back ---

    @property
    def strategy(self) -> Strategy:
        """Which other children of this worker start again with one that failed."""
        strategy: Strategy = getattr(self.performer.cls, "strategy", "one_for_one")
        return strategy

    @property
    def is_halted(self) -> bool:
        """Whether its incarnation has ended, and the next one has not been started."""
        return self._turn.is_halted

    def forget_worker(self) -> None:
        """Let go of the author's object, whose children have ended. Owner of the cell only."""
        with self._lock:
            self._family = None
        self._begin_life()

    def halted(self, following: int) -> None:
        """Note that the incarnation has ended, and give the cell up. Owner of the cell only."""
        others, wake = [], False
        with self._lock:
            self._turn = self._turn.halted.to
            self.incarnation = following
            while (first := self.mailbox.first) is not None and first.kind is HALT:
                others.append(self.mailbox.take())
            if first is not None and first.kind is EXIT:  # which came while it was halted
                self._turn = self._turn.woken.to
                wake = self.arrived()
        for request in others:  # they asked for just that
            request.settle(Value(None))
        if wake:
            self.env.pool.submit(self)

    def begin(self, incarnation: int, name: "WorkerName", first: Request) -> bool:
        """Start another incarnation by a CREATE; False if the cell is not halted, or has ended."""
        with self._lock:
            if not self._turn.is_halted or not self.mailbox.put_first(first, if_drained=True):
                return False
            self.incarnation = incarnation
            self.name = name
            self._turn = self._turn.woken.to
            wake = self.arrived()
        if wake:
            self.env.pool.submit(self)
        return True

    # --- ending ---

    def still(self, request: Request) -> tuple[list[Request] | None, bool]:
        """Begin nothing more but last words; return what will not run, and whether anything runs now."""
        # The caller settles the requests, and `request` itself if nothing runs. None: the mailbox was closed.
        request.route = self
        with self._lock:
            is_busy = self._turn.is_busy or self._inflight > 0
            waiting = self.mailbox.still(request if is_busy else None)
            wake = waiting is not None and is_busy and self.arrived()
        if wake:
            self.env.pool.submit(self)
        return waiting, is_busy

    def deliver_late(self, request: Request) -> bool:
        """Take a request of a worker that ends; False if this one ends already."""
        with self._lock:
            taken = self.mailbox.put_late(request)
            wake = taken and self.arrived()
        if wake:
            self.env.pool.submit(self)
        return taken

    def close_mailbox(self, last: Request | None, *, drains: bool = False) -> list[Request] | None:
        """Take nothing more but `last`; return what will not run, or None if it was closed before."""
        # With `drains`, what waits is run before `last`. The caller settles what is returned.
        with self._lock:
            waiting: list[Request] | None = []
            if not drains or last is None:
                waiting = self.mailbox.close(last)
            elif not self.mailbox.close_behind(last):
                waiting = None
            if self._turn.is_halted and not drains:
                self._turn = self._turn.woken.to
            wake = waiting is not None and last is not None and self.arrived()
        if wake:
            self.env.pool.submit(self)
        return waiting

    def give_up(self, error: WorkerGone) -> None:
        """Answer all that the worker runs with the same error, because it is abandoned."""
        running = self.activity.request
        if running is not None:
            running.settle(Refused(error))
        self.performer.abandon_coroutines(error)
        if self.main_thread is not None:
            self.main_thread.abandon(error)
