"""Log records for one reader who takes them when it is ready for them."""

import asyncio
from collections.abc import Callable, Sequence
from threading import Condition, Lock
from typing import Any, Final, NamedTuple

from corps.clock import now
from corps.messages.outcomes import Value
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import shield
from corps.runtime.threads.alarms import Alarms
from corps.services.logs.entries import LOGGER, LogEntry, as_dict, drops_of
from corps.services.logs.sinks import Sink

_LEFT: Final = None  # what the reader gets after the last records
_POLL: Final = 1.0  # seconds that a request of a reader waits for records
_PATIENCE: Final = 60.0  # seconds without a request after which a reader counts as gone


class Selection(NamedTuple):
    """Which records a reader wants. What is empty, or None, stands for all. It travels."""

    logger: str = ""  # and those below it
    env: int | None = None
    class_name: str = ""  # ``module:qualname``, or the name alone; records have no more than that
    tag: str = ""

    def fits(self, entry: LogEntry) -> bool:
        """Return whether a record is wanted. What says how many were dropped is for every reader."""
        worker = entry.worker
        if entry.logger == LOGGER:
            return True
        short = self.class_name.rpartition(":")[2].rpartition(".")[2]
        return (
            (not self.logger or f"{entry.logger}.".startswith(f"{self.logger}."))
            and (self.env is None or entry.source.env == self.env)
            and (not short or (worker is not None and worker.class_name == short))
            and (not self.tag or (worker is not None and worker.tag == self.tag))
        )


class FollowedSink(Sink):
    """Hands records to a reader, one batch for each that it asks for. Thread-safe."""

    def __init__(self, selection: Selection, most: int, threads: set[int]) -> None:
        """Have room for `most` records that the reader has not taken."""
        super().__init__("follow", most, threads)
        self._selection = selection
        self._asked = Condition(Lock())  # its lock protects what follows
        self._wish: Future[list[dict[str, Any]] | None] | None = None
        self._has_left = False

    def next(self) -> "Future[list[dict[str, Any]] | None]":
        """Return a Future of the next records, as `as_dict` makes them; of None after the last ones."""
        wish: Future[list[dict[str, Any]] | None] = Future()
        with self._asked:
            if not self._has_left:
                self._wish = wish
                self._asked.notify()
                return wish
        wish.settle(Value(_LEFT))
        return wish

    def _write(self, entries: Sequence[LogEntry]) -> int:
        """See `Sink._write`. It waits for the reader."""
        found = [entry for entry in entries if self._selection.fits(entry)]
        if not found:
            return 0
        with self._asked:
            while self._wish is None and not self._has_left:
                self._asked.wait()
            wish, self._wish = self._wish, None
        if wish is None:
            return sum(map(drops_of, found))
        wish.settle(Value([as_dict(entry) for entry in found]))
        return 0

    def leave(self) -> None:
        """Wait for the reader no more, because it is gone."""
        with self._asked:
            self._has_left = True
            self._asked.notify()

    def end_soon(self) -> None:
        """See `Sink.end_soon`."""
        super().end_soon()
        with self._asked:
            is_idle = self._wish is None
        if is_idle:  # it takes too long for what comes last
            self.leave()

    def _close(self) -> None:
        """See `Sink._close`."""
        self.leave()
        with self._asked:
            wish, self._wish = self._wish, None
        if wish is not None:
            wish.settle(Value(_LEFT))


class Reader:
    """One reader of the log, which asks again and again. Event loop only."""

    def __init__(self, sink: FollowedSink, end: Callable[[], object], alarms: Alarms) -> None:
        """Keep records for it. `end` is called when it has not asked for a while, by any thread."""
        self.sink = sink
        self._end = end
        self._alarms = alarms
        self._wish: Future[list[dict[str, Any]] | None] | None = None
        self._away = alarms.at(now() + _PATIENCE, end)

    async def next(self) -> list[dict[str, Any]] | None:
        """Return the next records; none if there were none for a moment, and None after the last ones."""
        self._away.cancel()
        wish = self._wish = self._wish or self.sink.next()
        try:
            records = await asyncio.wait_for(shield(wish), _POLL)
        except TimeoutError:
            records = []  # what comes meanwhile is for the next time
        else:
            self._wish = None
        finally:
            self._away.cancel()
            self._away = self._alarms.at(now() + _PATIENCE, self._end)
        return records
