"""Restart: what an author declares about a worker that fails."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from corps.errors import ConfigError
from corps.exporting import exported
from corps.messages.endings import ORDERLY, Reason

_YOUNG: Final = 1.0  # seconds
_SPREAD: Final = 0.2  # of a delay

Policy = Literal["permanent", "transient", "temporary"]
"""``permanent``: always started again. ``transient``: only after a failure. ``temporary``: never."""

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
"""Which children are started again with one that failed: none, all, or those created after it."""

POLICIES: Final = get_args(Policy)
STRATEGIES: Final = frozenset(get_args(Strategy))


@exported
@dataclass(frozen=True, slots=True)
class Restart:
    """When a worker is started again, and how often.

    The idea, the words and the limit are those of supervisors in Erlang/OTP, the growing delay is Pekko's.

    The first restart comes at once. If what was started fails young, the next ones come after `backoff[0]`
    seconds, twice that, and so on, up to `backoff[1]`. Each delay is changed by up to a fifth, so that many
    workers do not come back at once. A worker that lives for a second, and as long as it was waited for, is
    not young: the restart after it comes at once again.

    Attributes:
        policy: ``"permanent"``, ``"transient"`` or ``"temporary"``.
        max: Restarts within `within` seconds; the next failure is one too many.
        within: Seconds.
        backoff: Seconds of the shortest and the longest delay.

    Raises:
        ConfigError: A value is out of range.
    """

    policy: Policy = "permanent"
    max: int = 5
    within: float = 30.0
    backoff: tuple[float, float] = (0.1, 10.0)

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            known = ", ".join(sorted(POLICIES))
            raise ConfigError(f"Restart(policy={self.policy!r}): wants one of {known}")
        if type(self.max) is not int or self.max < 0:
            raise ConfigError(f"Restart(max={self.max!r}): wants a number of restarts, 0 or more")
        if not _is_number(self.within) or not self.within > 0:
            raise ConfigError(f"Restart(within={self.within!r}): wants a number of seconds above 0")
        if not _are_delays(self.backoff):
            raise ConfigError(
                f"Restart(backoff={self.backoff!r}): wants the shortest and the longest delay in seconds, as "
                "(0.1, 10.0)"
            )

    def brings_back(self, reason: Reason) -> bool:
        """Return whether a worker that was not ordered to end is started again.

        Args:
            reason: Why it ended.
        """
        if self.policy == "permanent":
            return True
        return self.policy == "transient" and reason not in ORDERLY

    def delay_before(self, nth: int) -> float:
        """Return the delay before a restart, without the random part.

        Args:
            nth: Which restart it is of those that follow on young deaths; the first is 1.

        Returns:
            Seconds.
        """
        if nth <= 1:
            return 0.0
        shortest, longest = self.backoff
        return min(longest, shortest * 2.0 ** min(nth - 2, 64))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_delays(value: object) -> bool:
    if not isinstance(value, tuple | list) or len(value) != 2 or not all(map(_is_number, value)):
        return False
    return bool(0 <= value[0] <= value[1])


def spread(delay: float, chance: Callable[[], float]) -> float:
    """Return a delay changed by up to a fifth, so that those that failed together come back apart."""
    return delay * (1 + _SPREAD * (2 * chance() - 1))


def died_young(lived: float, waited: float) -> bool:
    """Return whether a worker has failed so soon that the next delay has to be longer. All in seconds."""
    return lived < max(_YOUNG, waited)
