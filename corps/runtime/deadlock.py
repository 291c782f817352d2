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
from typing import TYPE_CHECKING, Any, NamedTuple

from corps.addresses import ConcAddr
from corps.errors import DeadlockError
from corps.messages.requests import Request

if TYPE_CHECKING:
    from corps.runtime.futures import Future


class Waiter(NamedTuple):
    """The cell that waits, and since which wait, for a probe that comes back."""

    addr: ConcAddr
    serial: int
    edge: int  # which of the awaited Futures the probe followed


class Probe(NamedTuple):
    """A question to another Env: does the holder of this request wait, in the end, for `waiter`?"""

    waiter: Waiter
    path: tuple[str, ...]


class Wait(NamedTuple):
    """One wait of one cell: it needs each of these answers."""

    serial: int
    futures: "tuple[Future[Any], ...]"


SendProbe = Callable[[Request, Probe], None]


class WaitGraph:
    """Who waits for whom, in one Env. Any thread may call."""

    def __init__(self, send_probe: SendProbe) -> None:
        """Make it.

        Args:
            send_probe: Sends a probe after a request that went to another Env.
        """
        # Protects the `wait` of every cell of the Env and makes the search see all of them as they are
        # at one moment. Nothing is settled and nothing is sent while it is held.
        self._lock = Lock()
        self._serials = itertools.count(1)
        self._send_probe = send_probe

    def begin(self, cell: Any, futures: "tuple[Future[Any], ...]") -> None:
        """A cell begins to wait; if that closes a circle in this Env, the Future in it fails now.

        Args:
            cell: The cell that waits.
            futures: What it needs, each of them.
        """
        with self._lock:
            cell.wait = Wait(next(self._serials), futures)
            found, _ = self._search(cell, cell.addr, (str(cell),))
        if found is not None:
            edge, path = found
            _fail(futures[edge], path)

    def end(self, cell: Any) -> None:
        """The cell waits no more.

        Args:
            cell: The cell that waited.
        """
        with self._lock:
            cell.wait = None

    def probe(self, cell: Any) -> None:
        """The wait has lasted a while: ask the other Envs that it depends on.

        Args:
            cell: The cell that waits.
        """
        with self._lock:
            wait = cell.wait
            if wait is None:
                return
            _, frontier = self._search(cell, cell.addr, (str(cell),))
        for edge, path, request in frontier:
            self._send_probe(request, Probe(Waiter(cell.addr, wait.serial, edge), path))

    def follow(self, request: Request, probe: Probe) -> None:
        """A probe came in, after a request that was sent to this Env.

        Args:
            request: The request, not answered yet.
            probe: What to look for.
        """
        cell: Any = request.route
        waiter = probe.waiter
        victim: Future[Any] | None = None
        frontier: list[tuple[int, tuple[str, ...], Request]] = []
        with self._lock:
            path = (*probe.path, str(cell))
            if getattr(cell, "addr", None) == waiter.addr:
                found: tuple[int, tuple[str, ...]] | None = (0, probe.path)
                home = cell
            else:
                found, frontier, home = self._search_from(cell, waiter.addr, path)
            if found is not None:
                wait = getattr(home, "wait", None)
                if wait is not None and wait.serial == waiter.serial:
                    victim = wait.futures[waiter.edge]
                path = found[1]
        if victim is not None:
            _fail(victim, path)
        for _, further, sent in frontier:
            self._send_probe(sent, Probe(waiter, further))

    def _search(self, start: Any, goal: ConcAddr, path: tuple[str, ...]) -> Any:
        found, frontier, _ = self._search_from(start, goal, path)
        return found, frontier

    def _search_from(
        self, start: Any, goal: ConcAddr, path: tuple[str, ...]
    ) -> tuple[tuple[int, tuple[str, ...]] | None, list[tuple[int, tuple[str, ...], Request]], Any]:
        """Follow the waits of this Env, depth first, from one cell until `goal`.

        Returns:
            The edge of `start` and the path that lead to the goal, or None; where the search left this
            Env, as (edge of `start`, path, request); the cell of the goal.
        """
        frontier: list[tuple[int, tuple[str, ...], Request]] = []
        seen = {id(start)}
        asked: set[ConcAddr] = set()
        todo: list[tuple[Any, tuple[str, ...], int | None]] = [(start, path, None)]
        while todo:
            cell, trail, first = todo.pop()
            wait: Wait | None = getattr(cell, "wait", None)
            for index, future in enumerate(wait.futures if wait is not None else ()):
                request = future.request
                if request is None or request.route is None:  # answered meanwhile, or not a request
                    continue
                edge = index if first is None else first
                route: Any = request.route
                if not hasattr(route, "wait"):
                    if request.target not in asked:
                        asked.add(request.target)
                        frontier.append((edge, trail, request))
                elif route.addr == goal:
                    return (edge, trail), [], route
                elif id(route) not in seen:
                    seen.add(id(route))
                    todo.append((route, (*trail, str(route)), edge))
        return None, frontier, None


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
