"""Where the outcome of a request goes.

Each request has exactly one promise, and it is settled exactly once, by whoever holds the request last.
Inside an Env the promise is the caller's Future itself. When a request leaves its Env, the link keeps
that Future under a number, and the receiving side makes a promise that knows the way back.
"""

import logging
from typing import Protocol

from corps.messages.outcomes import Outcome, Raised, Refused

_log = logging.getLogger("corps.requests")


class Promise(Protocol):
    """What a request needs of it. Any thread may call both methods."""

    def settle(self, outcome: Outcome) -> bool:
        """Give the outcome; the first one counts.

        Args:
            outcome: How the request ended.

        Returns:
            True if this call settled it, False if it had been settled before.
        """
        ...

    def done(self) -> bool:
        """Whether nobody waits for an outcome any more: settled, cancelled, or too late."""
        ...


class NoAnswer:
    """The promise of a request that wants no answer: its failure goes to the log instead."""

    __slots__ = ("_open", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._open = [True]  # emptied by the first to settle: list.pop is atomic, and cheaper than a lock

    def settle(self, outcome: Outcome) -> bool:
        """See `Promise.settle`."""
        try:
            self._open.pop()
        except IndexError:
            return False
        if isinstance(outcome, Raised | Refused):
            _log.error("%s, sent without wanting an answer, failed: %s", self._what, outcome.error)
            if isinstance(outcome, Raised):
                _log.error("%s", outcome.traceback)
        return True

    def done(self) -> bool:
        """See `Promise.done`."""
        return not self._open
