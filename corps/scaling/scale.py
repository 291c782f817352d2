"""What an author wants of a pool whose size follows its load: a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final

from corps.errors import ConfigError
from corps.exporting import exported

NEEDS: Final = frozenset({"cpu", "memory"})


@exported
@dataclass(frozen=True, slots=True)
class Scale:
    """How many instances stand behind one Name, and when that changes. A value.

    The pool counts the requests that callers have sent through its Name and that are not answered yet, those
    that wait and those that run. It grows by one instance when there were more than `target_queue` of them
    for each instance for `up_after` seconds. It shrinks by one when one instance fewer would have sufficed
    for `down_after` seconds.

    Attributes:
        min: Instances that there are at least, from 1. One that is lost is replaced at once.
        max: Instances that there are at most.
        target_queue: Unanswered requests for each instance that are not too many.
        up_after: Seconds that the load has to be too high before the pool grows.
        down_after: Seconds that it has to be low before the pool shrinks.
        cooldown: Seconds without another step after each step.
        key: The place or the name of an argument. Requests with the same value there reach the same instance
            while the instances stay. None: each goes to the one of two at random that has fewer.
        drain: Seconds that an instance which leaves has for the requests that it has got.
        needs: What must be free where an instance is placed: ``"cpu"`` in processors, ``"memory"`` in bytes;
            None for nothing.

    Raises:
        ConfigError: A value is out of range.
    """

    min: int = 1
    max: int = 8
    target_queue: float = 10
    up_after: float = 2.0
    down_after: float = 30.0
    cooldown: float = 5.0
    key: int | str | None = None
    drain: float = 60.0
    needs: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        """Check each value."""
        if type(self.min) is not int or self.min < 1:
            raise ConfigError(f"Scale(min={self.min!r:.80}): wants a number of instances, from 1")
        if type(self.max) is not int or self.max < self.min:
            raise ConfigError(f"Scale(max={self.max!r:.80}): wants a number of instances, from {self.min}")
        if not (_is_number(self.target_queue) and self.target_queue > 0):
            given = f"target_queue={self.target_queue!r:.80}"
            raise ConfigError(f"Scale({given}): wants a number of requests above 0")
        for name in ("up_after", "down_after", "cooldown", "drain"):
            value = getattr(self, name)
            if not (_is_number(value) and value >= 0):
                raise ConfigError(f"Scale({name}={value!r:.80}): wants a number of seconds, from 0")
        for what, least in (self.needs or {}).items():
            if what not in NEEDS or not (_is_number(least) and least >= 0):
                given = f"needs={{{what!r:.80}: {least!r:.80}}}"
                known = ", ".join(sorted(NEEDS))
                raise ConfigError(f"Scale({given}): wants one of {known}, and how much of it, from 0")


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and isfinite(value)  # type: ignore[arg-type]  # a number
