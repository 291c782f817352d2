"""The engine of one worker: its mailbox, and whose turn it is to run it.

A cell is idle, ready (in the pool's queue), running (a thread has it) or held (its next request may not
begin before a coroutine under way has ended). Whoever adds the first request makes it ready; whoever
claims it drains the mailbox, one request at a time. An idle cell costs no thread.

Here is the order of things; what a request does to the author's object is in `runtime.performing`, and
how a worker ends in `runtime.ending`.
"""

from collections import deque
from threading import Condition, Lock
from typing import Any

from corps.addresses import ConcAddr
from corps.clock import deadline_after, earlier, now, remaining
from corps.errors import ContextError, DeadlineExceeded, Overloaded, WorkerGone
from corps.messages.interfaces import Interface
from corps.messages.outcomes import Refused
from corps.messages.requests import BEGUN, CREATE, EXIT, WAITING, WITHDRAWN, Request
from corps.runtime.context import Activity, current
from corps.runtime.deadlock import Wait
from corps.runtime.ending import Ending
from corps.runtime.family import Family
from corps.runtime.futures import Future
from corps.runtime.main_thread import MainThread
from corps.runtime.performing import Performer

_IDLE, _READY, _RUNNING, _HELD = "idle", "ready", "running", "held"

# A thread lets the next cell have a turn after so many requests of one, so that a flooded cell does not
# keep the others waiting.
_TURN = 64


class Cell:
    """One worker inside its Env. Any thread may call, unless a method says otherwise."""

    __slots__ = (
        "_closing",
        "_inflight",
        "_lock",
        "_mailbox",
        "_room",
        "_state",
        "activity",
        "addr",
        "corps_name",
        "ending",
        "env",
        "family",
        "interface",
        "limit",
        "main_thread",
        "mgr",
        "mgr_addr",
        "name",
        "performer",
        "tag",
        "wait",
    )

    def __init__(
        self,
        env: Any,
        addr: ConcAddr,
        interface: Interface,
        *,
        tag: str = "",
        mailbox: int,
        mgr: Any = None,
        mgr_addr: ConcAddr | None = None,
        corps_name: Any = None,
    ) -> None:
        """Make a cell without a worker in it; its first request must be CREATE.

        Args:
            env: The Env it lives in.
            addr: Its address.
            interface: What may be called.
            tag: The author's own mark.
            mailbox: How many requests may wait.
            mgr: Name of the worker that creates this one.
            mgr_addr: Address of that worker.
            corps_name: Name of the Corps it belongs to.
        """
        self.env = env
        self.addr = addr
        self.interface = interface
        self.tag = tag
        self.limit = mailbox
        self.mgr = mgr
        self.mgr_addr = mgr_addr
        self.corps_name = corps_name
        self.name: Any = None
        self.activity = Activity(env, self, pooled=True)
        self.performer = Performer(self)
        self.ending = Ending(self)
        self.family = Family()
        self.main_thread: MainThread | None = None  # of a class with a loop of its own
        self.wait: Wait | None = None  # what it waits for; protected by the lock of the Env's WaitGraph
        # Protects everything below. No author's code, no settling, no other lock under it.
        self._lock = Lock()
        self._mailbox: deque[Request] = deque()
        self._state = _IDLE
        self._inflight = 0  # coroutines under way
        self._closing = False
        self._room: Condition | None = None  # made by the first sender that finds the mailbox full

    def __str__(self) -> str:
        return f"{self.interface.short_name} {self.addr}"

    # --- arriving ---

    def deliver(self, request: Request) -> None:
        """Take a request into the mailbox, or refuse it.

        Args:
            request: For this worker; the cell owns it from now on and will settle it.
        """
        request.route = self
        if request.kind == EXIT:
            self.ending.begin(request)
            return
        with self._lock:
            refused = self._closing
            if not refused:
                self._mailbox.append(request)
            wake = not refused and self._arrived()
        if refused:
            request.settle(Refused(self.gone("no")))
        elif wake:
            self.env.pool.submit(self)

    def wait_for_room(self, deadline: float | None, patience: float | None) -> None:
        """Block the calling thread while the mailbox is full. Called before `deliver`.

        Several senders may see the last free place at once, so the limit may be passed by their number.

        Args:
            deadline: Of the request that is to be sent.
            patience: Seconds to wait at most; None for as long as it takes.

        Raises:
            Overloaded: There was no room in time.
        """
        if len(self._mailbox) < self.limit:
            return
        here = current.get()
        if here is not None and here.task is not None:
            return  # a coroutine must not block its loop: what it sends beyond the limit is its own to bound
        if here is not None and here.cell is self:
            raise Overloaded(f"{self} fills its own mailbox of {self.limit}: nobody else can empty it")
        pooled = here is not None and here.pooled
        until = earlier(deadline, deadline_after(patience))
        if pooled:
            self.env.pool.enter_blocked()
        try:
            with self._lock:
                if self._room is None:
                    self._room = Condition(self._lock)
                roomy = self._room.wait_for(self._has_room, remaining(until))
        finally:
            if pooled:
                self.env.pool.leave_blocked()
        if not roomy:
            raise Overloaded(
                f"the mailbox of {self} stayed full with {self.limit} requests until the time limit; send "
                "slower, wait for answers in between, or give it more room with options(mailbox=...)",
                target=str(self),
            )

    def _has_room(self) -> bool:
        return len(self._mailbox) < self.limit or self._closing

    def _arrived(self) -> bool:
        """Under the lock, after something was added: whether the cell must be given to the pool now."""
        if self.main_thread is not None:
            self.main_thread.arrival.notify()
        elif self._state is _IDLE:
            self._state = _READY if self._may_begin(self._mailbox[0]) else _HELD
            return self._state is _READY
        return False

    def _may_begin(self, request: Request) -> bool:
        """Under the lock: coroutines under way let only further coroutines begin, up to the class's limit."""
        if not self._inflight:
            return True
        return self._inflight < self.interface.interleave and request.method in self.interface.async_methods

    def take_back(self, request: Request) -> bool:
        """Keep a request from ever beginning.

        Args:
            request: One that was delivered here.

        Returns:
            False if it has begun.
        """
        with self._lock:
            if request.stage != WAITING:
                return False
            request.stage = (
                WITHDRAWN  # it stays in the mailbox and is passed over: O(1), however long that is
            )
            return True

    def withdraw(self, request: Request) -> None:
        """Nobody wants the outcome of a request any more: its coroutine, if one runs it, is cancelled.

        Args:
            request: One that was delivered here.
        """
        cancel = request.cancel_run
        if cancel is not None:
            cancel()

    # --- running ---

    def run(self) -> None:
        """Drain the mailbox for a while. Called by a worker thread of the pool."""
        with self._lock:
            if self._state is not _READY:
                return
            self._state = _RUNNING
        for _ in range(_TURN):
            request = self._next()
            if request is None or not self._handle(request):
                return
        self.release()

    def run_first(self, request: Request) -> None:
        """Construct the worker in the calling thread, which is creating it.

        Args:
            request: The CREATE request; the cell must be new.
        """
        request.route = self
        here = current.get()
        with self._lock:
            self._state = _RUNNING
        self.activity = Activity(self.env, self, pooled=here is not None and here.pooled)
        self.activity.task = here.task if here is not None else None
        goes_on = self._handle(request)
        self.activity = Activity(self.env, self, pooled=True)
        if goes_on:
            self.release()

    def release(self) -> None:
        """The thread that has the cell gives it up. More work makes it ready again."""
        with self._lock:
            self._state = _IDLE
            ready = bool(self._mailbox) and self._arrived()
        if ready:
            self.env.pool.submit(self)

    def _next(self) -> Request | None:
        """The next request; None if there is none that may begin: then the thread has the cell no more."""
        with self._lock:
            if not self._mailbox:
                self._state = _IDLE
                return None
            if not self._may_begin(self._mailbox[0]):
                self._state = _HELD
                return None
            return self.take()

    @property
    def lock(self) -> Lock:
        """The cell's lock, for the Condition on which a MainThread waits."""
        return self._lock

    @property
    def has_mail(self) -> bool:
        """Under the lock: whether a request waits."""
        return bool(self._mailbox)

    def receive(self, timeout: float | None) -> Request | None:
        """The next request, for a worker whose class has a loop of its own; see MainThread.

        Raises:
            ContextError: Its class has none.
        """
        if self.main_thread is None:
            raise ContextError(f"{self} has no main() of its own, so its requests are received for it")
        return self.main_thread.receive(timeout)

    def take(self) -> Request:
        """Under the lock: the first request of the mailbox, taken out."""
        request = self._mailbox.popleft()
        if request.stage == WAITING:
            request.stage = BEGUN
        if self._room is not None:
            self._room.notify()
        return request

    def _handle(self, request: Request) -> bool:
        """Run one request; False if the worker is no more to be run by this thread."""
        if request.kind == EXIT:
            self.ending.finish()
            return False
        if not self.is_wanted(request):
            return True
        activity = self.activity
        activity.request = request
        activity.deadline = request.deadline
        token = current.set(activity)
        try:
            self.performer.perform(request)
        finally:
            current.reset(token)
            if not self._inflight:
                activity.request = None  # else its arguments would live until the next request
        return request.kind != CREATE or self._constructed()

    def is_wanted(self, request: Request) -> bool:
        """Whether a request may still begin: not if it was cancelled, and not after its deadline.

        Args:
            request: Just taken out of the mailbox. It is settled if it may not.
        """
        if request.stage == WITHDRAWN or request.promise.done():
            return False
        if request.deadline is not None and now() >= request.deadline:
            late = f"the deadline of {request.method!r} passed while it waited in the mailbox of {self}"
            request.settle(Refused(DeadlineExceeded(late, executed="no", target=str(self))))
            return False
        return True

    def _constructed(self) -> bool:
        if not self.performer.has_worker:
            self.ending.vanish()
            return False
        if self.interface.has_main:
            self.performer.start_main()
            return False
        return True

    def coroutine_started(self) -> None:
        """A coroutine of this worker begins. By the thread that has the cell."""
        with self._lock:
            self._inflight += 1

    def coroutine_ended(self) -> None:
        """A coroutine of this worker is done: what was held back by it may begin. On the loop's thread."""
        with self._lock:
            self._inflight -= 1
            ready = self._state is _HELD and self._may_begin(self._mailbox[0])
            if ready:
                self._state = _READY
            if not self._inflight and self._state is not _RUNNING:
                self.activity.request = None
        if ready:
            self.env.pool.submit(self)

    @property
    def has_coroutines(self) -> bool:
        """Whether a coroutine of this worker is under way."""
        return self._inflight > 0

    # --- waiting for others ---

    def begin_wait(self, futures: tuple[Future[Any], ...]) -> None:
        """This worker begins to wait for all these answers. By its own thread or coroutine."""
        if self.interface.interleave == 1:  # an interleaving worker can be called while it waits
            self.env.waits.begin(self, futures)

    def probe_wait(self) -> None:
        """The wait has lasted a while. By the worker's own thread."""
        self.env.waits.probe(self)

    def end_wait(self) -> None:
        """This worker waits no more. By its own thread or coroutine."""
        if self.wait is not None:
            self.env.waits.end(self)

    # --- ending ---

    def close_mailbox(self, last: Request | None) -> list[Request] | None:
        """Take nothing more; `last` is all that remains to be done.

        Args:
            last: The EXIT request that will be the worker's last; None to leave the mailbox empty.

        Returns:
            The requests that were waiting, for the caller to settle; None if it was closed before.
        """
        with self._lock:
            if self._closing:
                return None
            self._closing = True
            waiting = list(self._mailbox)
            self._mailbox.clear()
            if self._room is not None:
                self._room.notify_all()
            ready = False
            if last is not None:
                self._mailbox.append(last)
                ready = self._arrived()
        if ready:
            self.env.pool.submit(self)
        return waiting

    def gone(self, executed: str) -> WorkerGone:
        """The error for a request that this ended worker cannot run, or cannot finish."""
        return WorkerGone(f"{self} has ended", executed=executed, target=str(self))

    def statistics(self) -> dict[str, Any]:
        """What it is doing: state, requests waiting, coroutines under way, children."""
        children = len(self.family.children())
        with self._lock:
            return {
                "state": self._state,
                "waiting": len(self._mailbox),
                "coroutines": self._inflight,
                "children": children,
            }
