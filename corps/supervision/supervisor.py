"""The decisions of one Mgr about its children. Pure: no thread, no clock, no worker."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from math import inf
from typing import Generic, TypeVar

from corps.messages.endings import Failure
from corps.supervision.restarts import Restart, Strategy, died_young, spread

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Plan(Generic[K]):
    """A failed child is to be started again. `Supervisor.steps` says how, when the delay is over."""

    child: K
    incarnation: int  # the one that has failed
    delay: float  # seconds to wait before anything else


@dataclass(frozen=True, slots=True)
class Steps(Generic[K]):
    """What to do now about children that are down, and those that are started again together with them."""

    end: tuple[K, ...]  # children to end for good, newest first: their policy does not bring them back
    halt: tuple[K, ...]  # children to end and to start again, newest first; not those that were down already
    # Children to start, oldest first, each with the number of the incarnation that begins.
    start: tuple[tuple[K, int], ...]
    is_ordered: bool  # each start waits for the one before it


@dataclass(frozen=True, slots=True)
class Dropped(Generic[K]):
    """The child is not started again, and nothing else is to be done."""

    child: K


@dataclass(frozen=True, slots=True)
class GivenUp(Generic[K]):
    """A child failed too often: its Mgr ends its children, and fails itself."""

    child: K
    failures: int  # how often it has failed
    seconds: float  # in how long
    failure: Failure


@dataclass(slots=True)
class _Child:
    restart: Restart | None
    incarnation: int
    is_down: bool = False
    is_due: bool = False  # it is down, and has waited for its own delay
    failed_at: list[float] = field(default_factory=list)
    started_at: float = -inf
    early: int = 0  # failures in a row of those that died young
    delay: float = 0.0  # before the last start


class Supervisor(Generic[K]):
    """The children of one Mgr, oldest first. `chance` gives numbers from 0 to 1. One thread."""

    def __init__(self, strategy: Strategy, chance: Callable[[], float]) -> None:
        self._strategy = strategy
        self._chance = chance
        self._children: dict[K, _Child] = {}
        self._has_given_up = False

    def add(self, child: K, restart: Restart | None, incarnation: int = 1) -> None:
        """Add a child that was created; `restart` None means that it is not restarted."""
        self._children[child] = _Child(restart, incarnation)

    def remove(self, child: K) -> None:
        """Remove a child that has ended for good. An unknown one makes no difference."""
        self._children.pop(child, None)

    def failed(
        self, child: K, incarnation: int, failure: Failure, at: float
    ) -> Plan[K] | Dropped[K] | GivenUp[K] | None:
        """Decide about a failure at a time in seconds; None: it was known, or all was given up."""
        known = self._children.get(child)
        if known is None or known.is_down or incarnation < known.incarnation or self._has_given_up:
            return None
        restart = known.restart
        known.incarnation = incarnation
        known.is_down, known.is_due = True, False
        if restart is None and failure.is_final:
            return self._give_up(child, [at], failure)
        if restart is None or not restart.brings_back(failure.reason):
            del self._children[child]
            return Dropped(child)
        known.failed_at = [*(then for then in known.failed_at if at - then < restart.within), at]
        if len(known.failed_at) > restart.max:
            return self._give_up(child, known.failed_at, failure)
        known.early = known.early + 1 if died_young(at - known.started_at, known.delay) else 1
        known.delay = restart.delay_before(known.early)
        return Plan(child, incarnation, spread(known.delay, self._chance))

    def steps(self, plan: Plan[K]) -> Steps[K] | None:
        """Decide about a plan of `failed` when its delay is over; None: another plan does it.

        Ask once about each plan, and carry the steps out before the next ones: what is to be halted counts as
        down now.
        """
        known = self._children.get(plan.child)
        is_valid = known is not None and known.is_down and known.incarnation == plan.incarnation
        if known is not None and is_valid:
            known.is_due = True
        if self._strategy == "one_for_one":
            return self._steps([plan.child]) if is_valid else None
        # Even if its child has gone meanwhile: others may have waited for this plan.
        down = [child for child, each in self._children.items() if each.is_down]
        due = [child for child in down if self._children[child].is_due]
        all_children = list(self._children)
        if not due:
            return None
        if self._strategy == "one_for_all":
            return self._steps(all_children)
        if down[0] != due[0]:
            return None  # no child is started before those that it depends on
        return self._steps(all_children[all_children.index(due[0]) :])

    def _steps(self, affected: list[K]) -> Steps[K]:
        known = self._children
        come_back = [
            each for each in affected if known[each].is_down or _is_brought_along(known[each].restart)
        ]
        halted = [each for each in reversed(come_back) if not known[each].is_down]
        for each in halted:
            known[each].is_down = known[each].is_due = True
        return Steps(
            tuple(each for each in reversed(affected) if each not in set(come_back)),
            tuple(halted),
            tuple((each, known[each].incarnation + 1) for each in come_back),
            is_ordered=self._strategy != "one_for_one",
        )

    def started(self, child: K, incarnation: int, at: float) -> bool:
        """Record a start at a time in seconds; False: it must not start, as it has ended or was started."""
        known = self._children.get(child)
        if known is None or not known.is_down or incarnation != known.incarnation + 1:
            return False
        known.incarnation = incarnation
        known.is_down = known.is_due = False
        known.started_at = at
        return True

    def incarnation_of(self, child: K) -> int:
        """Return the number of a child's incarnation; 0 if the child is unknown."""
        known = self._children.get(child)
        return 0 if known is None else known.incarnation

    def is_down(self, child: K) -> bool:
        """Return whether a child is to be started again, and has not been yet."""
        known = self._children.get(child)
        return known is not None and known.is_down

    def down(self) -> list[K]:
        """Return the children that are to be started again and have not been yet, oldest first."""
        return [child for child, known in self._children.items() if known.is_down]

    def _give_up(self, child: K, times: list[float], failure: Failure) -> GivenUp[K]:
        self._has_given_up = True
        return GivenUp(child, len(times), times[-1] - times[0], failure)


def _is_brought_along(restart: Restart | None) -> bool:
    """Return whether a child that did not fail is started again with one that did."""
    return restart is not None and restart.policy != "temporary"
