"""Waits that never end because all places are taken, by requests that wait in the end for such a place.

A request that waits for a place of a Funcs worker, or for a worker of a Pool, needs any one of those that are
under way there to end. So a circle is not enough here: it can never begin if each of them is stuck. A wait is
stuck if one of the requests that it needs is. What is not known counts as going on: it is no circle then.

Pure. The lock of the WaitGraph is held.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from corps.messages.requests import WAITING, Request

if TYPE_CHECKING:
    from corps.messages.waits import Wait

Behind = Callable[[Request], "Wait | None"]
"""Gives the wait that must come to its end before a request can; None if it goes on, or that is not known."""

Starved = tuple[int, tuple[str, ...]]
"""Which of the Futures of a wait never comes, and the workers of the circle."""


def may_starve(request: Request) -> bool:
    """Return whether a request that no worker has waits for a place in a Pool."""
    return request.route is None and getattr(request.promise, "occupants", None) is not None


def starved(goal: "Wait", behind: Behind) -> Starved | None:
    """Return why a wait never ends, if that is because of places that are all taken; otherwise None."""
    needs: dict[int, list[list[Wait] | None]] = {}
    todo, is_full = [goal], False
    while todo:
        wait = todo.pop()
        if wait.serial in needs:
            continue
        needs[wait.serial] = found = []
        for future in wait.futures:
            request = future.request
            before = None if request is None else _before(request, behind)
            found.append(before)
            todo.extend(before or ())
            if before is not None and request is not None and not is_full:
                is_full = behind(request) is None
    if not is_full:
        return None  # the search for plain circles has seen it all
    stuck = _stuck(needs)
    return _path(goal, needs, stuck) if goal.serial in stuck else None


def _before(request: Request, behind: Behind) -> "list[Wait] | None":
    """Return the waits of which one must end before a request can; None if it goes on."""
    wait = behind(request)
    if wait is not None:
        return [wait]
    occupants = _occupants(request)
    if occupants is None:
        return None
    waits = []
    for occupant in occupants:
        wait = behind(occupant)
        if wait is None:
            return None
        waits.append(wait)
    return waits


def _occupants(request: Request) -> Sequence[Request] | None:
    """Return what has all the places for which a request waits; None if it does not, or that is not known."""
    holder = request.promise if request.route is None else request.route
    if request.route is not None and request.stage != WAITING:
        return None
    occupants: Callable[[], Sequence[Request] | None] | None = getattr(holder, "occupants", None)
    return None if occupants is None else occupants() or None


def _stuck(needs: "dict[int, list[list[Wait] | None]]") -> set[int]:
    """Return the waits that cannot end: begin with all, and take out what can, until nothing changes."""
    stuck = set(needs)
    while True:
        going_on = {serial for serial in stuck if not any(_is_stuck(each, stuck) for each in needs[serial])}
        if not going_on:
            return stuck
        stuck -= going_on


def _is_stuck(before: "list[Wait] | None", stuck: set[int]) -> bool:
    return before is not None and all(wait.serial in stuck for wait in before)


def _path(goal: "Wait", needs: "dict[int, list[list[Wait] | None]]", stuck: set[int]) -> Starved:
    """Follow what is stuck until it comes back to where it was."""
    edge = next(at for at, before in enumerate(needs[goal.serial]) if _is_stuck(before, stuck))
    seen: dict[int, str] = {}
    wait = goal
    while wait.serial not in seen:
        seen[wait.serial] = str(wait.cell)
        before = next(each for each in needs[wait.serial] if _is_stuck(each, stuck)) or [goal]
        fresh = next((one for one in before if one.serial not in seen), before[0])
        wait = goal if any(one.serial == goal.serial for one in before) else fresh
    ring = list(seen.values())[list(seen).index(wait.serial) :]
    return edge, tuple(dict.fromkeys(ring))
