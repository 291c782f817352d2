"""Finds workers that wait for each other in a circle.

A worker that begins to wait follows these edges from worker to worker. If they lead back, the answer can
never come, and the wait fails at once with a DeadlockError that names the cycle. Edges that lead to another
Env are followed by messages ("probes"), sent only after a wait has lasted a while. `docs/design/deadlock.md`
says why no circle is missed, and why none is seen where there is none.
"""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from corps.addresses import ConcAddr
from corps.core import Lock, native, native_function
from corps.errors import DeadlockError
from corps.messages.manners import goes_beside, manner_of
from corps.messages.requests import AWAY, BEGUN, Awaited, Request, Route
from corps.messages.waits import Wait, WaitingWorker
from corps.runtime.calls.starving import may_starve, starved
from corps.runtime.context import acting

if TYPE_CHECKING:
    from corps.messages.interfaces import Interface


class Waiter(NamedTuple):
    """The cell that waits, and since which wait, for a probe that comes back."""

    addr: ConcAddr
    serial: int
    edge: int  # which of the awaited Futures the probe followed


class Probe(NamedTuple):
    """A question to another Env: does the holder of this request wait, in the end, for `waiter`?"""

    waiter: Waiter
    path: tuple[str, ...]


SendProbe = Callable[[Request, Probe], None]
_Edge = tuple[int, tuple[str, ...]]
_Frontier = list[tuple[int, tuple[str, ...], Request]]


@native
class WaitGraph:
    """Who waits for whom, in one Env. Thread-safe."""

    def __init__(self, send_probe: SendProbe) -> None:
        """Make it. `send_probe` sends a probe after a request that went to another Env."""
        # Protects the `wait` of every holder of the Env, and _waits, and makes the search see all of them
        # as they are at one moment. Nothing is settled and nothing is sent while it is held.
        self._lock = Lock()
        self._serials = itertools.count(1)
        self._waits: dict[int, Wait] = {}
        self._send_probe = send_probe

    def begin(self, cell: WaitingWorker, futures: tuple[Awaited, ...]) -> None:
        """Record that a cell waits for all of these; if that closes a circle in this Env, one fails now."""
        holder: WaitingWorker | Request = cell
        if cell.away or cell.interface.overlaps:  # the same look as in `_standing_still`, without a call
            holder = _standing_still(cell)
        futures = _with_parts(futures)
        with self._lock:
            # The constructor of a NamedTuple is Python: 0.27 µs against 0.13 µs for what it calls.
            wait = tuple.__new__(Wait, (next(self._serials), cell, holder, futures))
            holder.wait = self._waits[wait.serial] = wait
            # 1.3 µs of a call of 9: what is asked waits for nothing, as a rule, and then there is no circle.
            closes = may_close(futures, cell)
            found = _search([wait], wait, (str(cell),))[0] if closes else None
            full = starved(wait, _surely_behind) if closes and found is None else None
        if found is not None:
            edge, path = found
            _fail(futures[edge], path)
        elif full is not None:
            _fail(futures[full[0]], full[1], is_full=True)

    def end(self, cell: WaitingWorker) -> None:
        """Record that the wait of a cell is over."""
        holder: WaitingWorker | Request = cell
        if cell.away or cell.interface.overlaps:  # as in `begin`
            holder = _standing_still(cell)
        if holder.wait is None:
            return
        with self._lock:
            wait, holder.wait = holder.wait, None
            if wait is not None:
                self._waits.pop(wait.serial, None)

    def probe(self, cell: WaitingWorker) -> None:
        """Ask the other Envs that the wait of a cell depends on, because it has lasted a while."""
        holder = _standing_still(cell)
        with self._lock:
            wait = _wait_of(holder)
            if wait is None:
                return
            found, frontier = _search([wait], wait, (str(wait.cell),))
            full = starved(wait, _surely_behind) if found is None else None
        if found is not None:  # closed by a wait that could not see this one, of a coroutine
            _fail(wait.futures[found[0]], found[1])
        if full is not None:
            _fail(wait.futures[full[0]], full[1], is_full=True)
        for edge, path, request in frontier:
            self._send_probe(request, Probe(Waiter(wait.cell.addr, wait.serial, edge), path))

    def follow(self, request: Request, probe: Probe) -> None:
        """Follow a probe that came in after a request, not answered yet, that was sent to this Env."""
        cell = request.route
        if not _is_worker(cell):
            return  # it never reached a worker
        waiter = probe.waiter
        victim: Awaited | None = None
        frontier: _Frontier = []
        if probe.path.count(str(cell)) > 1:
            return  # it goes round in a circle that the waiter is not in; those inside look for that, too
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


def _is_worker(route: Route | WaitingWorker | None) -> TypeGuard[WaitingWorker]:
    """Return whether a worker of this Env has the request; otherwise a peer has it, or nobody any more."""
    return hasattr(route, "wait")


def _standing_still(cell: WaitingWorker) -> WaitingWorker | Request:
    """Return what stands still while the caller waits: all of its cell, or one request of a coroutine."""
    if cell.away or cell.interface.overlaps:
        here = acting()
        request = here.request if here is not None and here is not cell.activity else None
        if request is not None and _is_apart(request):
            return request
    return cell


def _wait_of(holder: WaitingWorker | Request) -> Wait | None:
    wait = holder.wait
    return wait if isinstance(wait, Wait) else None


def _search(start: list[Wait], goal: Wait | None, path: tuple[str, ...]) -> tuple[_Edge | None, _Frontier]:
    """Follow the waits of this Env, depth first, until one needs what `goal` will do when it goes on."""
    # The result: the edge of the first wait and the path that lead to the goal, or None; and where the search
    # left this Env, as (edge of the first wait, path, request).
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
            awaited = request.relayed
            if awaited is not None and not _is_worker(request.route):  # not sent: it waits for its arguments
                if -id(request) not in seen:
                    seen.add(-id(request))
                    on = Wait(-id(request), wait.cell, request, _with_parts((awaited,)))
                    todo.append((on, trail, edge))
                continue
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


@native_function
def may_close(futures: tuple[Awaited, ...], cell: WaitingWorker) -> bool:
    """Return whether a wait for these can be in a circle inside this Env; a cheap look before a search."""
    for future in futures:
        request = future.request
        if request is None:  # answered
            continue
        if request.relayed is not None:
            return True
        if not _is_worker(route := request.route):  # not in this Env
            if may_starve(request):
                return True
            continue
        # What is under way in a worker that overlaps has waits of its own.
        if route is cell or route.wait is not None or route.away or route.interface.overlaps:
            return True
    return False


def _is_apart(request: Request) -> bool:
    """Return whether a coroutine of its own runs the request, beside others of its worker."""
    route = request.route
    if not _is_worker(route):
        return False
    return request.stage == AWAY or (request.stage == BEGUN and route.interface.runs_apart(request.method))


def _behind(request: Request) -> Wait | None:
    """Return the wait that must come to its end before the request can."""
    if request.relayed is not None:  # its worker goes on, and does not count
        assert _is_worker(request.route)
        return Wait(-id(request), request.route, request, _with_parts((request.relayed,)))
    if _is_apart(request):
        return _wait_of(request)
    return request.route.wait if _is_worker(request.route) else None


def _surely_behind(request: Request) -> Wait | None:
    """Return the same, but of a request that was not sent yet None."""
    return _behind(request) if request.relayed is None or _is_worker(request.route) else None


def _closes(request: Request, goal: Wait) -> bool:
    """Return whether the request cannot be answered before the wait `goal` is over."""
    cell = goal.cell
    route: object = request.route
    if route is not cell or request.relayed is not None:
        return False
    if _is_apart(request):
        return request is goal.holder
    return goal.holder is cell or not _may_begin_beside(request, goal.holder, cell.interface)


def _may_begin_beside(request: Request, other: WaitingWorker | Request, interface: "Interface") -> bool:
    """Return whether a request need not wait for the end of another one of the same worker."""
    assert isinstance(other, Request)
    if other.stage == AWAY:
        return True
    manner = manner_of(interface, request.kind, request.method)
    return goes_beside(manner, (manner_of(interface, other.kind, other.method),))


def _with_parts(futures: tuple[Awaited, ...]) -> tuple[Awaited, ...]:
    """Put the parts of joined Futures in their place."""
    for future in futures:
        if future.parts:
            return tuple(part for each in futures for part in _with_parts(each.parts) or (each,))
    return futures


def _fail(future: Awaited, cycle: tuple[str, ...], *, is_full: bool = False) -> None:
    ring = " -> ".join((*cycle, cycle[0]))
    why = (
        "Each waits for the answer of the next. Let one of them go on without waiting (keep the Future, use "
        ".send, or an async method of an interleaving class)"
    )
    if is_full:
        why = (
            "All places are taken, by requests that wait for one more place. Have more places (at_once, or "
            "the workers of the pool), or let one go on without waiting (keep the Future, or use .send)"
        )
    future.give_up(
        DeadlockError(
            f"this wait would never end: {ring}. {why}",
            cycle=cycle,
            target=cycle[1 % len(cycle)],
        )
    )
