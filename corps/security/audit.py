"""Counts and logs what was refused, so that an attacker cannot fill the log."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from corps.clock import now
from corps.messages.callers import Caller
from corps.observing.log_limit import LogLimit

_log = logging.getLogger("corps.security")


class Details(NamedTuple):
    """What is known of a refusal beside its kind and its reason."""

    identity: str = ""  # the user whose key the peer has proved; empty where nothing was proved
    key: str = ""  # the fingerprint of a key that the peer has proved
    retry_after: float | None = None  # seconds after which the same may pass; None where it never will

    @classmethod
    def of(cls, caller: Caller | None, retry_after: float | None = None) -> "Details":
        """Return what is known of a peer; None for one of this Corps."""
        return (
            cls(retry_after=retry_after) if caller is None else cls(caller.identity, caller.key, retry_after)
        )


_NO_DETAILS: Final = Details()


class Audit:
    """What one Env admitted and refused. Only the thread that reads may use it."""

    def __init__(self, env: str) -> None:
        self._env = env
        self.counts: Counter[str] = Counter()  # how often, by kind
        # Called with the kind, the reason and the details of each refusal, in the thread that reads: quick,
        # and without raising. None for no call.
        self.watch: Callable[[str, str, Details], object] | None = None
        self._limit: LogLimit[str] = LogLimit()

    def admitted(self, reason: str) -> None:
        """Count and log that a peer may connect."""
        self.counts["admitted"] += 1
        _log.debug("%s admitted a peer: %s", self._env, reason)

    def refused(self, kind: str, reason: str, details: Details = _NO_DETAILS) -> None:
        """Count a refusal of this kind, a fixed word such as ``"key"``. Log one per second and kind."""
        self.counts[kind] += 1
        if self.watch is not None:
            self.watch(kind, reason, details)
        if self._limit.passes(kind, now()) is not None:
            _log.warning("%s refused (%s, %d so far): %s", self._env, kind, self.counts[kind], reason)
