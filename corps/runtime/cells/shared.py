"""The cell of a worker whose methods, or some of them, may run beside each other on threads.

Such a request leaves the worker's turn when it begins: the thread that has taken it gives the cell up, so
that the next one may begin beside it, and runs it with an Activity and a context of its own. When it is over,
the same thread goes on with what waits, if no other thread has the cell. `messages.manners` says what may
begin beside what.
"""

from collections.abc import Callable
from threading import get_ident
from typing import Any

from corps.errors import WorkerGone
from corps.messages.manners import ANY_NUMBER, ON_ITS_OWN, Manner, goes_beside, manner_of
from corps.messages.outcomes import Refused
from corps.messages.promises import Promise
from corps.messages.requests import BACK, CALL, GET, PINNED, WAITING, Helper, Request
from corps.runtime.cells.cell import Cell
from corps.runtime.context import Activity, current


class SharedCell(Cell):
    """One worker whose interface is shared. Thread-safe, unless a method says otherwise."""

    is_shared = True

    __slots__ = ("_beside", "_counts", "_last_ahead", "_on_threads")

    def __init__(self, *parts: Any) -> None:
        """Make a cell as `Cell` does."""
        self._counts: dict[Manner, int] = {}  # of what is under way and not away
        self._last_ahead: Request | None = None  # of those that overtake others
        self._on_threads: dict[Request, None] = {}  # what of it threads run
        self._beside: dict[Request, None] = {}  # what of it coroutines run
        super().__init__(*parts)

    def deliver(self, request: Request, submit: Callable[["Cell"], object] | None = None) -> None:
        """See `Cell.deliver`. What interleaves overtakes the others, which may wait for just that."""
        if request.kind not in (CALL, PINNED) or request.method not in self.interface.interleaving:
            super().deliver(request, submit)
            return
        request.route = self
        out, taken, wake = None, False, False
        with self._lock:
            if request.yields or (self.mailbox.is_full and self.mailbox.is_strict):
                out = self.mailbox.make_room(request)
            if out is not request:
                last = self._last_ahead
                taken = self.mailbox.put_ahead(request, last if last and last.stage == WAITING else None)
                self._last_ahead = request
                wake = taken and self.arrived()
        if out is not None:
            self.env.letters.settle(out, self.mailbox.crowded(self, out, request))
        if wake:
            (submit or self.env.pool.submit)(self)
        elif not taken and out is not request:
            self.env.lives.pass_on(self, request)

    # --- what may begin; the caller holds the lock ---

    def _goes_beside(self, request: Request) -> bool:
        manner = manner_of(self.interface, request.kind, request.method)
        if request.kind is GET and manner == "reading" and self.interface.interleave > 1:
            return True
        return goes_beside(manner, self._counts) and self._inflight - self.away < self._limit_of(manner)

    def _limit_of(self, manner: Manner) -> float:
        interleave = self.interface.interleave
        if manner == "free":
            return interleave if interleave != ANY_NUMBER else self.env.options.threads_max
        if manner == "reading":
            return self.env.options.threads_max
        return interleave if interleave > 1 else ANY_NUMBER

    def counted(self, request: Request, change: int) -> None:
        """See `Cell.counted`."""
        if change > 0:
            self._beside[request] = None
        else:
            self._beside.pop(request, None)
        self._count(manner_of(self.interface, request.kind, request.method), change)

    def _count(self, manner: Manner, change: int) -> None:
        count = self._counts.get(manner, 0) + change
        if count:
            self._counts[manner] = count
        else:
            del self._counts[manner]

    # --- running ---

    def help(self, promise: Promise, here: Helper) -> None:
        """Do as `Cell.help`, if the very request that the caller waits for is the next one."""
        with self._lock:
            first = self.mailbox.first
            if first is None or not _answers(first.promise, promise) or not self._may_begin():
                return  # others run the ones before it at the same time
        super().help(promise, here)

    def _handle(self, request: Request) -> bool:
        manner = manner_of(self.interface, request.kind, request.method)
        if manner not in ON_ITS_OWN or request.kind is GET or request.kind is BACK:
            return super()._handle(request)
        if not self.is_wanted(request):
            return True
        turn = self.activity
        pooled, depth = turn.pooled, turn.depth
        activity = Activity(self.env, self, pooled=pooled)
        activity.depth, activity.request, activity.deadline = depth, request, request.deadline
        context = self.context.copy()
        with self._lock:
            self._inflight += 1
            self._count(manner, 1)
            self._on_threads[request] = None
            self._turn = self._turn.released.to
            wake = self.mailbox.first is not None and self.arrived()
        # From here on another thread may have the cell, so nothing may come out of this.
        try:
            if wake:
                self.env.pool.submit(self)
            context.run(self._perform_apart, activity, request)
        except BaseException as error:
            self._note_defect(request, error)
        return self._goes_on(request, manner, pooled, depth)

    def _perform_apart(self, activity: Activity, request: Request) -> None:
        current.set(activity)
        try:
            self.performer.perform(request)
        finally:
            activity.end_request()  # what it has started may go on, with a copy of the context

    def _goes_on(self, request: Request, manner: Manner, pooled: bool, depth: int) -> bool:
        """Note that a request is over; return whether this thread has the cell again, and goes on."""
        with self._lock:
            self._inflight -= 1
            self._count(manner, -1)
            del self._on_threads[request]
            if self.mailbox.first is None or not self._may_begin():
                return False
            move = self._turn.resumed
            self._turn = move.to
        if move.claims:
            self.activity.pooled, self.activity.depth = pooled, depth
            self.activity.thread = get_ident()
        return move.claims

    # --- for others ---

    @property
    def has_coroutines(self) -> bool:
        """See `Cell.has_coroutines`."""
        return self._inflight > len(self._on_threads)

    def occupants(self) -> list[Request] | None:
        """Return the functions that have all places of a worker; None if there is room. Thread-safe."""
        if not self.interface.is_free:
            return None
        there = [*list(self._on_threads), *list(self._beside)]
        return there if len(there) >= self._limit_of("free") else None

    @property
    def running(self) -> Request | None:
        """See `Cell.running`."""
        return next(iter(list(self._on_threads)), None) or super().running

    def give_up(self, error: WorkerGone) -> None:
        """See `Cell.give_up`."""
        super().give_up(error)
        for request in list(self._on_threads):
            request.settle(Refused(error))


def _answers(promise: Promise, future: Promise) -> bool:
    """Return whether a caller that waits for `future` waits for the request with this promise."""
    return promise is future or getattr(promise, "answers", None) is future
