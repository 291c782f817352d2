"""What an Env counts about the failures and recoveries of its workers, or of the Envs that it has started."""

from threading import Lock
from typing import Any

from corps.observing.tally import Tally


class Counters:
    """A `Tally` for many threads. Any thread may call."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self._lock = Lock()  # protects _tally
        self._tally = Tally()

    def ended(self, name: str, reason: str, *, has_failed: bool) -> None:
        """One has ended.

        Args:
            name: Which.
            reason: Why, as in `corps.Ended`.
            has_failed: Whether that was a failure.
        """
        with self._lock:
            self._tally.ended(reason)
            if has_failed:
                self._tally.failed(name)

    def restarted(self, name: str) -> None:
        """One has come back.

        Args:
            name: Which.
        """
        with self._lock:
            self._tally.restarted(name)

    def detected(self, seconds: float) -> None:
        """A failure is known to who has to heal it, so many seconds after it happened."""
        with self._lock:
            self._tally.detected(seconds)

    def recovered(self, seconds: float) -> None:
        """What had failed works again, so many seconds after it failed."""
        with self._lock:
            self._tally.recovered(seconds)

    def as_dict(self) -> dict[str, Any]:
        """Everything, as plain data."""
        with self._lock:
            return self._tally.as_dict()
