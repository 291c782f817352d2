"""The decisions of one Mgr about its children. Pure: no thread, no clock, no worker."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from corps.messages.endings import Failure
from corps.supervision.restarts import Restart, Strategy

K = TypeVar("K", bound=Hashable)

_SPREAD: Final = 0.2  # of a delay


@dataclass(frozen=True, slots=True)
class Plan(Generic[K]):
    """What to do about a failed child.

    Attributes:
        delay: Seconds to wait before anything else.
        end: Children to end for good, newest first: their policy does not bring them back.
        halt: Children to end and to start again, newest first; not those that are down already.
        start: Children to start, oldest first, with the number of the incarnation that each of them begins.
        is_ordered: Each start waits for the one before it.
    """

    delay: float
    end: tuple[K, ...]
    halt: tuple[K, ...]
    start: tuple[tuple[K, int], ...]
    is_ordered: bool


@dataclass(frozen=True, slots=True)
class Dropped(Generic[K]):
    """The child is not started again, and nothing else is to be done."""

    child: K


@dataclass(frozen=True, slots=True)
class GivenUp(Generic[K]):
    """A child failed too often: its Mgr ends its children, and fails itself.

    Attributes:
        child: Which.
        failures: How often it has failed.
        seconds: In how long.
        failure: The last one.
    """

    child: K
    failures: int
    seconds: float
    failure: Failure


@dataclass(slots=True)
class _Child:
    restart: Restart | None
    incarnation: int
    is_down: bool = False
    failed_at: list[float] = field(default_factory=list)


class Supervisor(Generic[K]):
    """The children of one Mgr, in the order of their creation. One thread at a time."""

    def __init__(self, strategy: Strategy, chance: Callable[[], float]) -> None:
        """Nobody is there yet.

        Args:
            strategy: Who is started again together.
            chance: Gives random numbers from 0 to 1.
        """
        self._strategy = strategy
        self._chance = chance
        self._children: dict[K, _Child] = {}

    def add(self, child: K, restart: Restart | None, incarnation: int = 1) -> None:
        """A child was created.

        Args:
            child: Not known yet.
            restart: What was declared about it; None for nothing, which means that it is not restarted.
            incarnation: The number it begins with.
        """
        self._children[child] = _Child(restart, incarnation)

    def remove(self, child: K) -> None:
        """A child has ended for good. One that is not known makes no difference."""
        self._children.pop(child, None)

    def failed(
        self, child: K, incarnation: int, failure: Failure, at: float
    ) -> Plan[K] | Dropped[K] | GivenUp[K] | None:
        """An incarnation of a child has failed.

        Args:
            child: Which.
            incarnation: Of it.
            failure: How.
            at: The time, in seconds.

        Returns:
            What to do. None: nothing, since it is known already, or is about a former incarnation.
        """
        known = self._children.get(child)
        if known is None or known.is_down or incarnation < known.incarnation:
            return None
        restart = known.restart
        known.incarnation = incarnation
        known.is_down = True
        if restart is None and failure.is_final:
            return self._give_up(child, [at], failure)
        if restart is None or not restart.brings_back(failure.reason):
            del self._children[child]
            return Dropped(child)
        known.failed_at = [*(then for then in known.failed_at if at - then < restart.within), at]
        if len(known.failed_at) > restart.max:
            return self._give_up(child, known.failed_at, failure)
        return self._plan(child, restart.delay_before(len(known.failed_at)))

    def started(self, child: K, incarnation: int) -> bool:
        """A child is about to be started.

        Returns:
            False if it is not to be any more: it has ended for good, or was started in the meantime.
        """
        known = self._children.get(child)
        if known is None or not known.is_down or incarnation != known.incarnation + 1:
            return False
        known.incarnation = incarnation
        known.is_down = False
        return True

    def halted(self, child: K) -> bool:
        """A child was ended to be started again.

        Returns:
            False if it has gone.
        """
        known = self._children.get(child)
        if known is None:
            return False
        known.is_down = True
        return True

    def incarnation_of(self, child: K) -> int:
        """The number of a child's incarnation; 0 if it is not known."""
        known = self._children.get(child)
        return 0 if known is None else known.incarnation

    def down(self) -> list[K]:
        """The children that are to be started again and have not been yet, oldest first."""
        return [child for child, known in self._children.items() if known.is_down]

    def _plan(self, child: K, delay: float) -> Plan[K]:
        known = self._children
        affected = [child]
        if self._strategy != "one_for_one":
            everybody = list(known)
            first = 0 if self._strategy == "one_for_all" else everybody.index(child)
            affected = everybody[first:]
        stays_away = {each for each in affected if not _is_brought_along(known[each].restart)}
        newest_first = list(reversed(affected))
        return Plan(
            delay * (1 + _SPREAD * (2 * self._chance() - 1)),
            tuple(each for each in newest_first if each in stays_away),
            tuple(each for each in newest_first if each not in stays_away and not known[each].is_down),
            tuple((each, known[each].incarnation + 1) for each in affected if each not in stays_away),
            is_ordered=self._strategy != "one_for_one",
        )

    def _give_up(self, child: K, times: list[float], failure: Failure) -> GivenUp[K]:
        return GivenUp(child, len(times), times[-1] - times[0], failure)


def _is_brought_along(restart: Restart | None) -> bool:
    """Whether a child that did not fail is started again with one that did."""
    return restart is not None and restart.policy != "temporary"
