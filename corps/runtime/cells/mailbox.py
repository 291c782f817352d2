"""The requests that wait for one worker."""

import sys
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from corps.clock import deadline_after, earlier, remaining
from corps.core import Lock, native
from corps.errors import Overloaded
from corps.messages.outcomes import Refused
from corps.messages.requests import ASKING, BEGUN, WAITING, WITHDRAWN, Request
from corps.peers.room import ROOM_ON_A_LOOP, Turn
from corps.runtime.cells.life import OPEN, Door
from corps.runtime.context import acting
from corps.runtime.options import EnvOptions, WhenFull
from corps.runtime.threads.gates import Gate

if TYPE_CHECKING:
    from corps.runtime.cells.cell import Cell
    from corps.runtime.cells.records import Record


W = TypeVar("W", Gate, Turn)  # a thread or a coroutine that waits for room


@native
class Mailbox:
    """A bounded queue of requests, for one cell. Its `Door` says what it takes.

    Attributes:
        lock: Protects the mailbox, and what its cell decides together with it. Under it no author's code
            runs, nothing is settled, and no other lock is taken but that of a Gate.
        first: The request that is next; None if there is none. Other objects read it under the lock.
        is_full: As many wait as may, or more. For others to read.
        is_strict: Nobody waits for room: see `make_room`.
        replaces: Where there is none, what comes takes the place of the oldest.
    """

    __slots__ = (
        "_count",
        "_door",
        "_last",
        "_limit",
        "_turns",
        "_yielding",
        "first",
        "is_full",
        "is_strict",
        "lock",
        "replaces",
    )

    def __init__(self, limit: int, when_full: WhenFull = "wait", strict: int = sys.maxsize) -> None:
        """Make an empty mailbox, in which `limit` requests may wait; at most `strict`, if they yield."""
        self._yielding = min(limit, strict)
        self.is_strict = when_full != "wait"
        self.replaces = when_full == "drop_oldest"
        limit = self._yielding if self.is_strict else limit
        self.lock = Lock()
        self._limit = limit
        # The queue is a chain through the requests themselves. An empty deque takes 0.7 KiB, a quarter of an
        # idle worker, and one made under the lock might start a garbage collection there.
        self.first: Request | None = None
        self._last: Request | None = None
        self._count = 0
        self.is_full = False
        self._door: Door = OPEN
        # What wakes those that wait for room, in order; made for the first one.
        self._turns: deque[Callable[[], object]] | tuple[()] = ()

    # --- the caller holds the lock ---

    def put(self, request: Request, *, is_taken: bool = False) -> bool:
        """Add a request; False if the mailbox is not open, unless `is_taken` says that it is added anyway."""
        if not self._door.takes and not is_taken:
            return False
        if self._last is None:
            self.first = request
        else:
            self._last.behind = request
        self._last = request
        self._count += 1
        self.is_full = self._count >= self._limit
        return True

    def take(self) -> Request:
        """Take the next request out. From now on it has begun, unless it was withdrawn."""
        request = self.first
        assert request is not None
        self.first, request.behind = request.behind, None
        if self.first is None:
            self._last = None
        self._count -= 1
        self.is_full = self._count >= self._limit
        if request.stage == WAITING:
            request.stage = BEGUN
        if self._turns:
            self._turns.popleft()()
        return request

    def make_room(self, request: Request) -> Request | None:
        """Make room for a request, if that is needed and the mailbox is open.

        Return what has to go: the oldest one that it may replace, which is taken out; else `request` itself,
        which is not to be put in. None if there is room.
        """
        # What is no request of an author, such as the news of an end, always has a place.
        if self._count < self.room_of(request) or not self._door.takes or request.kind not in ASKING:
            return None
        return (self._take_oldest() if self.replaces or request.yields else None) or request

    def _take_oldest(self) -> Request | None:
        before: Request | None = None
        each = self.first
        while each is not None and not self.may_go(each):
            before, each = each, each.behind
        if each is None:
            return None
        if before is None:
            self.first = each.behind
        else:
            before.behind = each.behind
        if each is self._last:
            self._last = before
        each.behind = None
        each.stage = WITHDRAWN
        self._count -= 1
        return each

    def may_go(self, request: Request) -> bool:
        """Return whether a newer request may take the place of this one."""
        is_waiting = request.stage == WAITING and request.kind in ASKING
        return is_waiting and (self.replaces or request.yields)

    def put_first(self, request: Request, *, if_drained: bool = False) -> bool:
        """Add a request before all others, whatever room there is; False if the mailbox is closed."""
        if not (self._door.takes_first if if_drained else self._door.takes):
            return False
        self.put_back(request)
        return True

    def put_back(self, request: Request) -> None:
        """Add what belongs to a request that has begun before all others, whatever the door says."""
        request.behind, self.first = self.first, request
        if self._last is None:
            self._last = request
        self._count += 1

    def put_ahead(self, request: Request, behind: Request | None) -> bool:
        """Add a request before all others, or behind one that waits; False if the mailbox is not open."""
        if not self._door.takes:
            return False
        if behind is self._last:
            return self.put(request)
        if behind is None:
            self.put_back(request)
        else:
            request.behind, behind.behind = behind.behind, request
            self._count += 1
        self.is_full = self._count >= self._limit
        return True

    def close_behind(self, last: Request) -> bool:
        """Take nothing more; what waits is run before `last`. False if the worker ends already."""
        if self._door.drained is None:
            return False
        self._door = self._door.drained
        return self.put(last, is_taken=True)

    def close(self, last: Request | None) -> list[Request] | None:
        """Take nothing more; only `last` remains to be done. Return what waited; None if closed before."""
        return self._empty(self._door.closed, last)

    def still(self, last: Request | None) -> list[Request] | None:
        """Take nothing more but by `put_late`; otherwise as `close`."""
        return self._empty(self._door.stilled, last)

    def put_late(self, request: Request) -> bool:
        """Add a request of a worker that ends; False if the mailbox does not stand still."""
        return self._door.takes_late and self.put(request, is_taken=True)

    def _empty(self, door: Door | None, last: Request | None) -> list[Request] | None:
        if door is None:
            return None
        self._door = door
        waiting = []
        while (request := self.first) is not None:
            waiting.append(request)
            self.first, request.behind = request.behind, None
        self.first = self._last = last
        self._count = 0 if last is None else 1
        self.is_full = False
        while self._turns:
            self._turns.popleft()()
        return waiting

    # --- thread-safe, without the lock ---

    def __len__(self) -> int:
        return self._count

    def has_room_for(self, number: int) -> bool:
        """Return whether so many further requests have room."""
        return self._count + number <= self._limit

    def take_back(self, request: Request) -> bool:
        """Keep a request from ever beginning; False if it has begun. Thread-safe."""
        # It stays where it is and is passed over later: that costs the same however many wait.
        with self.lock:
            if request.stage != WAITING:
                return False
            request.stage = WITHDRAWN
            return True

    def wait_for_room(self, cell: "Cell", request: Request, patience: float | None) -> None:
        """Block while the mailbox is full, before `put`; raise Overloaded if that lasts for too long."""
        # Several senders may see the last free place at once, so the limit may be exceeded by their number.
        if not self.is_full or self._finds_room(request):
            return
        if not request.waits_for_room:
            raise self._no_room(cell)
        if not cell.env.may_wait_for_room():
            if request.kind in ASKING and cell.env.is_on_foreign_loop():
                raise self._overloaded(cell, f"is full with {self._limit} requests: {ROOM_ON_A_LOOP}; or")
            return  # a coroutine must not block its loop: it has to bound by itself what it sends
        self._refuse_itself(cell)
        until = earlier(request.deadline, deadline_after(patience))
        cell.env.enter_blocked()
        gate: Gate | None = None
        try:
            while (gate := self._queue(gate, Gate())) is not None:
                if not gate.sleep(remaining(until)):
                    raise self._too_late(cell)
        except BaseException:  # a signal in the main thread, too
            self._forget(gate)
            raise
        finally:
            cell.env.leave_blocked()

    async def await_room(self, cell: "Cell", request: Request, patience: float | None) -> None:
        """Wait for room as `wait_for_room`, in a coroutine and without blocking its event loop."""
        if not request.waits_for_room and self.is_full:
            raise self._no_room(cell)
        if self._finds_room(request):
            return
        until = earlier(request.deadline, deadline_after(patience))
        turn: Turn | None = None
        try:
            while (turn := self._queue(turn, Turn())) is not None:
                self._refuse_itself(cell)
                if not await turn.wait(remaining(until)):
                    raise self._too_late(cell)
        except BaseException:
            self._forget(turn)
            raise

    def _finds_room(self, request: Request) -> bool:
        """Return whether `make_room` decides about a request, so that its sender does not wait."""
        return request.yields or (self.is_strict and request.waits_for_room)

    def _queue(self, former: W | None, turn: W) -> W | None:
        """Have a sender woken when there is room; None if there is. One woken too late is the next one."""
        with self.lock:
            if self._has_room():
                return None
            if not isinstance(self._turns, deque):
                self._turns = deque()
            (self._turns.append if former is None else self._turns.appendleft)(turn.wake)
            return turn

    def _forget(self, turn: Gate | Turn | None) -> None:
        """Take out a sender that waits for room no more. If it was woken for that, wake the next one."""
        if turn is None:
            return
        with self.lock:
            if isinstance(self._turns, deque) and turn.wake in self._turns:
                self._turns.remove(turn.wake)
            elif self._turns:
                self._turns.popleft()()

    def crowded(self, cell: "Cell", out: Request, by: Request) -> Refused:
        """Return the outcome of a request that `make_room` has put out for another one, or refused."""
        why = "because a newer one has come" if out is not by else "and does not wait for room"
        text = f"{out.method!r} has no place in the mailbox of {cell}, which is full with {self.room_of(by)}"
        error = Overloaded(f"{text}, {why}", target=str(cell), incarnation=cell.incarnation)
        return Refused(error, "crowded")

    def room_of(self, request: Request) -> int:
        """Return how many may wait when this one comes."""
        return self._yielding if request.yields else self._limit

    def _refuse_itself(self, cell: "Cell") -> None:
        here = acting()
        if here is not None and here.cell is cell:
            raise Overloaded(
                f"{cell} fills its own mailbox of {self._limit}, and nobody else can empty it: do more "
                "in one request, or give it more room with options(mailbox=...)",
                target=str(cell),
                incarnation=cell.incarnation,
            )

    def _no_room(self, cell: "Cell") -> Overloaded:
        return self._overloaded(cell, f"is full with {self._limit} requests: wait for answers in between, or")

    def _too_late(self, cell: "Cell") -> Overloaded:
        stayed = (
            f"stayed full with {self._limit} requests until the time limit; send slower, wait for answers in"
        )
        return self._overloaded(cell, f"{stayed} between, or")

    @staticmethod
    def _overloaded(cell: "Cell", why: str) -> Overloaded:
        text = f"the mailbox of {cell} {why} give it more room with options(mailbox=...)"
        return Overloaded(text, target=str(cell), incarnation=cell.incarnation)

    def _has_room(self) -> bool:
        return not self.is_full or not self._door.takes


class Crowding:
    """What a mailbox says of requests that wait in front of it, because their senders share it. Thread-safe.

    For those of other Corps: a `corps.peers.local_side.Crowding`.
    """

    def __init__(self, cell: "Cell", request: Request) -> None:
        """Make it for a request that has come."""
        self._cell = cell
        self._request = request

    def is_full_with(self, more: int) -> bool:
        """Return whether there is no room, if so many wait in front of the mailbox."""
        mailbox = self._cell.mailbox
        return len(mailbox) + more >= mailbox.room_of(self._request)

    @property
    def replaces(self) -> bool:
        """Whether the request may take the place of another one."""
        return self._request.yields or self._cell.mailbox.replaces

    def may_go(self, other: Request) -> bool:
        """Return whether it may take the place of this one."""
        return self._cell.mailbox.may_go(other)

    def fail(self, out: Request) -> None:
        """Fail a request for which there is no room: one whose place was taken, or that has come itself."""
        self._cell.env.letters.settle(out, self._cell.mailbox.crowded(self._cell, out, self._request))


def crowding_of(cell: "Cell | None", request: Request) -> Crowding | None:
    """Return what decides about a request that waits for no room; None if it may wait for it."""
    if cell is None or request.kind not in ASKING or not (request.yields or cell.mailbox.is_strict):
        return None
    return Crowding(cell, request)


def mailbox_for(record: "Record", options: EnvOptions) -> Mailbox:
    """Make the mailbox of a worker, as its options, its class and the settings say."""
    wanted = record.options
    # Half of the window of each sender, so that what waits here never fills the way to here.
    strict = max(1, options.window_requests // 2)
    limit = options.mailbox if wanted.mailbox is None else wanted.mailbox
    declared: WhenFull = getattr(record.cls, "when_full", "wait")
    return Mailbox(limit, wanted.when_full or declared, strict)
