"""Looks after links that keep messages which may not have arrived."""

from collections.abc import Callable
from threading import Lock

from corps.clock import deadline_after, now
from corps.errors import BrokenError
from corps.transport.timetable import until
from corps.wire.resume import PAUSE

Round = Callable[[], bool]
"""Looks after one link, and returns whether to come again: a `ZmqLink.look_after`."""


class Patrol:
    """Goes on all rounds every `PAUSE`, while there are any: the thread that reads goes."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake  # the thread that reads, so that it sees when it is to go
        # Protects what follows. Nothing is called while it is held.
        self._lock = Lock()
        self._rounds: list[Round] = []
        self._due: float | None = None  # None: there is nothing to go for

    def add(self, go: Round) -> None:
        """Go on a round from now on, until it returns False. Thread-safe."""
        with self._lock:
            self._rounds.append(go)
            is_first = self._due is None
            if is_first:
                self._due = deadline_after(PAUSE)
        if is_first:
            self._wake()

    def within(self, timeout: float | None) -> float | None:
        """Return how long the thread that reads may wait, if it wants to wait `timeout` seconds."""
        return until(self._due, timeout)  # a time that is set after this look wakes the thread

    def go_if_due(self) -> None:
        """Go on all rounds, if it is time to. Thread that reads only."""
        due = self._due
        if due is None or now() < due:
            return
        with self._lock:
            rounds = list(self._rounds)
            self._due = deadline_after(PAUSE)
        # Nothing is taken from the list before it is done: an exception may break off anything here.
        done = [go for go in rounds if not _comes_again(go)]
        with self._lock:
            for go in done:
                self._rounds.remove(go)
            if not self._rounds:
                self._due = None

    def stop(self) -> None:
        """Look after nothing any more."""
        with self._lock:
            self._rounds.clear()
            self._due = None


def _comes_again(go: Round) -> bool:
    try:
        return go()
    except BrokenError:  # the membership will tell
        return False
