"""What is counted about failures and recoveries: of workers, or of Envs."""

from collections import Counter
from typing import Any, Final

_NAMED: Final = 1000  # those that failed and are counted one by one


class Durations:
    """How many there were, how long together, and how long the longest. One thread at a time."""

    __slots__ = ("count", "longest", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Add one; less than nothing counts as nothing."""
        seconds = max(0.0, seconds)
        self.count += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)

    def as_dict(self) -> dict[str, float]:
        """``count``, and ``total`` and ``max`` in seconds."""
        return {"count": self.count, "total": self.total, "max": self.longest}


class Tally:
    """Ends, failures and restarts. One thread at a time. Nothing of it ever goes down."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self._ends: Counter[str] = Counter()
        self._failures = 0
        self._restarts = 0
        self._detection = Durations()
        self._recovery = Durations()
        self._by_name: dict[str, dict[str, int]] = {}  # the last ones that failed or were restarted

    def ended(self, reason: str) -> None:
        """One has ended.

        Args:
            reason: As in `corps.Ended`.
        """
        self._ends[reason] += 1

    def failed(self, name: str) -> None:
        """One has failed.

        Args:
            name: Which.
        """
        self._failures += 1
        self._named(name)["failures"] += 1

    def restarted(self, name: str) -> None:
        """One has come back."""
        self._restarts += 1
        self._named(name)["restarts"] += 1

    def detected(self, seconds: float) -> None:
        """A failure is known to who has to heal it, so long after it happened."""
        self._detection.add(seconds)

    def recovered(self, seconds: float) -> None:
        """What had failed works again, so long after it failed."""
        self._recovery.add(seconds)

    def _named(self, name: str) -> dict[str, int]:
        counts = self._by_name.pop(name, None) or {"failures": 0, "restarts": 0}
        self._by_name[name] = counts  # at the end: the others go first
        if len(self._by_name) > _NAMED:
            del self._by_name[next(iter(self._by_name))]
        return counts

    def as_dict(self) -> dict[str, Any]:
        """Everything, as plain data of its own."""
        return {
            "ends": dict(self._ends),
            "failures": self._failures,
            "restarts": self._restarts,
            "detection": self._detection.as_dict(),
            "recovery": self._recovery.as_dict(),
            "by_name": {name: dict(counts) for name, counts in self._by_name.items()},
        }
