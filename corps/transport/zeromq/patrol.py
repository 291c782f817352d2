"""Looks after links that keep messages which may not have arrived."""

from collections.abc import Callable
from threading import Lock
from typing import Protocol

from corps.clock import deadline_after, now
from corps.errors import BrokenError
from corps.transport.timetable import until
from corps.wire.resume import PAUSE


class Tended(Protocol):
    """A link: a `corps.transport.zeromq.link.ZmqLink`."""

    def look_after(self) -> bool:
        """Ask the peer if it is time to; return whether to come again.

        Raises:
            BrokenError: There is no use in coming again.
        """
        ...


class Patrol:
    """Comes by every `PAUSE` while there are links to look after.

    It has no thread: the thread that reads goes.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """Begin without links.

        Args:
            wake: Makes the thread that reads come soon, to see when it is to go.
        """
        self._wake = wake
        # Protects what follows. Nothing is called while it is held.
        self._lock = Lock()
        self._links: list[Tended] = []
        self._due: float | None = None  # None: there is nothing to go for

    def add(self, link: Tended) -> None:
        """Look after a link from now on, until it says that there is no need. Thread-safe.

        One that is looked after already is looked after twice as often.
        """
        with self._lock:
            self._links.append(link)
            is_first = self._due is None
            if is_first:
                self._due = deadline_after(PAUSE)
        if is_first:
            self._wake()

    def within(self, timeout: float | None) -> float | None:
        """Return how long the thread that reads may wait, if it wants to wait `timeout` seconds."""
        return until(self._due, timeout)  # a time that is set after this look wakes the thread

    def go_if_due(self) -> None:
        """Look after all links, if it is time to. Thread that reads only."""
        due = self._due
        if due is None or now() < due:
            return
        with self._lock:
            links = list(self._links)
            self._due = deadline_after(PAUSE)
        # Nothing is taken from the list before it is done: an exception may break off anything here.
        done = [link for link in links if not _has_to_be_seen_again(link)]
        with self._lock:
            for link in done:
                self._links.remove(link)
            if not self._links:
                self._due = None

    def stop(self) -> None:
        """Look after nothing any more."""
        with self._lock:
            self._links.clear()
            self._due = None


def _has_to_be_seen_again(link: Tended) -> bool:
    try:
        return link.look_after()
    except BrokenError:  # the membership will tell
        return False
