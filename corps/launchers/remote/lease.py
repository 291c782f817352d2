"""The lease of a host: how long its Envs may live without a word of the booting process. Pure.

The parent asks again and again, and the booting process grants. A lease lasts from the moment at which the
parent has asked. The booting process heard that later, so its own count ends later than the parent's, however
long a grant was on its way: when it counts the Envs of a host as lost, they have ended themselves.
"""

from collections import deque
from typing import Final

SHARE: Final = 0.8
"""The part of the time until a host is lost that its lease lasts. The rest is for the end of processes."""


def lease_of(lost_after: float) -> float:
    """Return the seconds of a lease, for a host that is lost after so many seconds of silence."""
    return lost_after * SHARE


class HeldLease:
    """What the parent knows. One lock around it."""

    def __init__(self, seconds: float, at: float) -> None:
        """Begin with a lease from now on."""
        self._seconds = seconds
        self._asked: deque[tuple[int, float]] = deque()
        self._from = at
        self._next = 1

    def ask(self, at: float) -> int:
        """Return the number of one more request, which is sent now."""
        number, self._next = self._next, self._next + 1
        self._asked.append((number, at))
        return number

    def granted(self, number: int) -> None:
        """Take the grant of a request. One that was never made counts for nothing."""
        while self._asked and self._asked[0][0] <= number:
            each, at = self._asked.popleft()
            if each == number:
                self._from = max(self._from, at)

    def is_over(self, at: float) -> bool:
        """Return whether the Envs have to end now."""
        return at >= self._from + self._seconds


class HostSilence:
    """What the booting process knows. One lock around it."""

    def __init__(self, suspect_after: float, lost_after: float, at: float) -> None:
        """Begin when the parent has begun. A host is suspect, and later lost, after these seconds."""
        self._suspect_after = suspect_after
        self._lost_after = lost_after
        self._heard_at = at
        self._is_suspect = False

    def heard(self, at: float) -> bool:
        """Note that the parent has asked, which is granted; return whether the host was suspect."""
        self._heard_at = at
        was_suspect, self._is_suspect = self._is_suspect, False
        return was_suspect

    def is_newly_suspect(self, at: float) -> bool:
        """Return whether the host has become suspect."""
        if self._is_suspect or at < self._heard_at + self._suspect_after:
            return False
        self._is_suspect = True
        return True

    @property
    def is_suspect(self) -> bool:
        """Whether the host is silent for a while."""
        return self._is_suspect

    def left(self, at: float) -> float:
        """Return the seconds until the host is lost, if nothing is heard."""
        return self._heard_at + self._lost_after - at
