"""Finds workers that wait for each other in a circle.

A worker that runs one request at a time and waits in it for the answer of another one is *waiting for*
that worker. Whoever begins to wait follows these edges from worker to worker. If they lead back, the
answer can never come, and the wait fails at once with a DeadlockError that names the cycle.

Edges that lead to another Env are followed by messages ("probes": Chandy, Misra and Haas, Distributed
Deadlock Detection, ACM TOCS 1983), sent only after a wait has lasted a while, since most answers come
before that. The worker whose wait closes the circle is the last to send its probes, when every other one
already waits and every request has been delivered: so its probes get through, and no circle is missed.
At each hop the edge is looked at again: a request that has been answered meanwhile ends the search, so
that no circle is seen where there is none.
"""

import itertools
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeGuard

from corps.addresses import ConcAddr
from corps.errors import DeadlockError
from corps.messages.requests import BEGUN, Request, Route
from corps.runtime.context import acting

if TYPE_CHECKING:
    from corps.messages.interfaces import Interface
    from corps.runtime.calls.futures import Future


class Waiter(NamedTuple):
    """The cell that waits, and since which wait, for a probe that comes back."""

    addr: ConcAddr
    serial: int
    edge: int  # which of the awaited Futures the probe followed


class Probe(NamedTuple):
    """A question to another Env: does the holder of this request wait, in the end, for `waiter`?"""

    waiter: Waiter
    path: tuple[str, ...]


class Holder(Protocol):
    """What may stand still while it waits: a worker, or one request of a worker that interleaves."""

    wait: "Wait | None"


class Worker(Holder, Protocol):
    """A worker, as the search for circles sees it."""

    @property
    def addr(self) -> ConcAddr:
        """Its address."""

    @property
    def interface(self) -> "Interface":
        """What may be called."""


class Wait(NamedTuple):
    """One wait: its cell goes on when it has each of these answers.

    In a worker that interleaves, a wait of a coroutine is one of that request alone: `holder` is the request
    then. In every other case the whole worker stands still, and `holder` is the cell.
    """

    serial: int
    cell: Worker
    holder: Any
    futures: "tuple[Future[Any], ...]"


SendProbe = Callable[[Request, Probe], None]
_Edge = tuple[int, tuple[str, ...]]
_Frontier = list[tuple[int, tuple[str, ...], Request]]


class WaitGraph:
    """Who waits for whom, in one Env. Any thread may call."""

    def __init__(self, send_probe: SendProbe) -> None:
        """Make it.

        Args:
            send_probe: Sends a probe after a request that went to another Env.
        """
        # Protects the `wait` of every holder of the Env, and _waits, and makes the search see all of them
        # as they are at one moment. Nothing is settled and nothing is sent while it is held.
        self._lock = Lock()
        self._serials = itertools.count(1)
        self._waits: dict[int, Wait] = {}
        self._send_probe = send_probe

    def begin(self, cell: Worker, futures: "tuple[Future[Any], ...]") -> None:
        """A cell begins to wait; if that closes a circle in this Env, the Future in it fails now.

        Args:
            cell: The cell that waits. By its own thread or coroutine, as `probe` and `end`.
            futures: What it needs, each of them.
        """
        holder = _standing_still(cell)
        futures = _with_parts(futures)
        with self._lock:
            wait = Wait(next(self._serials), cell, holder, futures)
            holder.wait = self._waits[wait.serial] = wait
            # 1.3 µs of a call of 9: what is asked waits for nothing, as a rule, and then there is no circle.
            found = _search([wait], wait, (str(cell),))[0] if _may_close(futures, cell) else None
        if found is not None:
            edge, path = found
            _fail(futures[edge], path)

    def end(self, cell: Worker) -> None:
        """The wait is over.

        Args:
            cell: What waited.
        """
        holder = _standing_still(cell)
        if holder.wait is None:
            return
        with self._lock:
            wait, holder.wait = holder.wait, None
            if wait is not None:
                self._waits.pop(wait.serial, None)

    def probe(self, cell: Worker) -> None:
        """The wait has lasted a while: ask the other Envs that it depends on.

        Args:
            cell: What waits.
        """
        holder = _standing_still(cell)
        with self._lock:
            wait = holder.wait
            if wait is None:
                return
            found, frontier = _search([wait], wait, (str(wait.cell),))
        if found is not None:  # closed by a wait that could not see this one, of a coroutine
            _fail(wait.futures[found[0]], found[1])
        for edge, path, request in frontier:
            self._send_probe(request, Probe(Waiter(wait.cell.addr, wait.serial, edge), path))

    def follow(self, request: Request, probe: Probe) -> None:
        """A probe came in, after a request that was sent to this Env.

        Args:
            request: The request, not answered yet.
            probe: What to look for.
        """
        cell = request.route
        if not _is_worker(cell):
            return  # it never reached a worker
        waiter = probe.waiter
        victim: Future[Any] | None = None
        frontier: _Frontier = []
        if probe.path.count(str(cell)) > 1:
            return  # it goes round in a circle that the waiter is not in: who is in it looks for it, too
        with self._lock:
            goal = self._waits.get(waiter.serial)
            if goal is not None and goal.cell.addr != waiter.addr:
                goal = None  # a wait of another Env, which counts its own
            if goal is None and waiter.addr.env == cell.addr.env:
                return  # the wait it was sent for is over
            found: _Edge | None = None
            if goal is not None and _closes(request, goal):
                found = (0, probe.path)
            elif (behind := _behind(request)) is not None:
                found, frontier = _search([behind], goal, (*probe.path, str(cell)))
            if found is not None and goal is not None:
                victim = goal.futures[waiter.edge]
        if victim is not None and found is not None:
            _fail(victim, found[1])
        for _, further, sent in frontier:
            self._send_probe(sent, Probe(waiter, further))


def _is_worker(route: Route | Worker | None) -> TypeGuard[Worker]:
    """Whether a worker of this Env has the request; otherwise a peer has it, or nobody any more."""
    return hasattr(route, "wait")


def _standing_still(cell: Worker) -> Holder:
    """What stands still while the calling thread or coroutine waits: all of its cell, or one request."""
    if cell.interface.interleave != 1:
        here = acting()
        if here is not None and here.task is not None and here.request is not None:
            return here.request
    return cell


def _search(start: list[Wait], goal: Wait | None, path: tuple[str, ...]) -> tuple[_Edge | None, _Frontier]:
    """Follow the waits of this Env, depth first, until one needs what `goal` will do when it goes on.

    Returns:
        The edge of the first wait and the path that lead to the goal, or None; where the search left this
        Env, as (edge of the first wait, path, request).
    """
    frontier: _Frontier = []
    seen = {wait.serial for wait in start}
    asked: set[tuple[ConcAddr, str]] = set()
    todo: list[tuple[Wait, tuple[str, ...], int | None]] = [(wait, path, None) for wait in start]
    while todo:
        wait, trail, first = todo.pop()
        for index, future in enumerate(wait.futures):
            request = future.request
            if request is None or request.route is None:  # answered meanwhile, or not a request
                continue
            edge = index if first is None else first
            if not _is_worker(request.route):
                if (request.target, request.method) not in asked:
                    asked.add((request.target, request.method))
                    frontier.append((edge, trail, request))
            elif goal is not None and _closes(request, goal):
                return (edge, trail), []
            elif (behind := _behind(request)) is not None and behind.serial not in seen:
                seen.add(behind.serial)
                todo.append((behind, (*trail, str(request.route)), edge))
    return None, frontier


def _may_close(futures: "tuple[Future[Any], ...]", cell: Worker) -> bool:
    """Whether a wait for these Futures can be in a circle inside this Env; a cheap look before a search."""
    for future in futures:
        request = future.request
        if request is None or not _is_worker(route := request.route):  # answered, or not in this Env
            continue
        if route is cell or route.wait is not None or request.relayed is not None:
            return True
        if route.interface.interleave != 1:  # then each coroutine has a wait of its own
            return True
    return False


def _is_apart(request: Request) -> bool:
    """Whether a coroutine of its own runs the request, beside others of its worker."""
    route = request.route
    if not _is_worker(route) or route.interface.interleave == 1:
        return False
    return request.stage == BEGUN and request.method in route.interface.async_methods


def _behind(request: Request) -> Wait | None:
    """What must come to its end before the request can, as far as it is a wait."""
    if request.relayed is not None:  # its worker goes on, and does not count
        assert _is_worker(request.route)
        return Wait(-id(request), request.route, request, _with_parts((request.relayed,)))
    if _is_apart(request):
        wait: Wait | None = request.wait
        return wait
    return request.route.wait if _is_worker(request.route) else None


def _closes(request: Request, goal: Wait) -> bool:
    """Whether the request cannot be answered before the wait `goal` is over."""
    cell = goal.cell
    route: object = request.route
    if route is not cell or request.relayed is not None:
        return False
    if _is_apart(request):
        return request is goal.holder
    # Further coroutines may begin beside a coroutine that waits, but a plain method runs alone.
    return goal.holder is cell or request.method not in cell.interface.async_methods


def _with_parts(futures: "tuple[Future[Any], ...]") -> "tuple[Future[Any], ...]":
    """The Futures themselves in place of those that `gather` has joined."""
    for future in futures:
        if future.parts:
            return tuple(part for each in futures for part in _with_parts(each.parts) or (each,))
    return futures


def _fail(future: "Future[Any]", cycle: tuple[str, ...]) -> None:
    ring = " -> ".join((*cycle, cycle[0]))
    future.give_up(
        DeadlockError(
            f"this wait would never end: {ring}. Each waits for the answer of the next. Let one of them "
            "go on without waiting (keep the Future, use .send, or an async method of an interleaving class)",
            cycle=cycle,
            target=cycle[1 % len(cycle)],
        )
    )
