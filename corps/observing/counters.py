"""What is counted about failures and recoveries: of workers, or of Envs."""

from collections import Counter
from contextlib import AbstractContextManager
from typing import Any, Final

_NAMED: Final = 1000  # those that failed and are counted one by one


class Durations:
    """How many there were, how long together, and how long the longest. One thread."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Add one. A negative duration counts as 0."""
        seconds = max(0.0, seconds)
        self.count += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)

    def as_dict(self) -> dict[str, float]:
        """Return ``count``, and ``total`` and ``max`` in seconds."""
        return {"count": self.count, "total": self.total, "max": self.longest}


class Counters:
    """Count ends, failures and restarts. No count ever goes down. `lock` protects the counts. Thread-safe."""

    def __init__(self, lock: AbstractContextManager[Any]) -> None:
        self._lock = lock
        self._ends: Counter[str] = Counter()
        self._failures = 0
        self._restarts = 0
        self._detection = Durations()
        self._recovery = Durations()
        self._by_name: dict[str, dict[str, int]] = {}  # the last ones that failed or were restarted

    def ended(self, name: str, reason: str, *, has_failed: bool) -> None:
        """Record that a worker or an Env has ended; `reason` is as in `corps.Ended`."""
        with self._lock:
            self._ends[reason] += 1
            if has_failed:
                self._failures += 1
                self._of(name)["failures"] += 1

    def restarted(self, name: str) -> None:
        """Record that a worker or an Env has come back."""
        with self._lock:
            self._restarts += 1
            self._of(name)["restarts"] += 1

    def detected(self, seconds: float) -> None:
        """Record how long after a failure the Mgr has heard of it."""
        with self._lock:
            self._detection.add(seconds)

    def recovered(self, seconds: float) -> None:
        """Record how long after a failure the failed one works again."""
        with self._lock:
            self._recovery.add(seconds)

    def _of(self, name: str) -> dict[str, int]:
        counts = self._by_name.pop(name, None) or {"failures": 0, "restarts": 0}
        self._by_name[name] = counts  # at the end: the others go first
        if len(self._by_name) > _NAMED:
            del self._by_name[next(iter(self._by_name))]
        return counts

    def as_dict(self) -> dict[str, Any]:
        """Return all counts as plain data, which does not change afterwards."""
        with self._lock:
            return {
                "ends": dict(self._ends),
                "failures": self._failures,
                "restarts": self._restarts,
                "detection": self._detection.as_dict(),
                "recovery": self._recovery.as_dict(),
                "by_name": {name: dict(counts) for name, counts in self._by_name.items()},
            }
