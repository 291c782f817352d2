"""The handler of `logging` that takes the records of an Env into a bounded queue."""

import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from threading import get_ident
from typing import Final

from corps.clock import wall_time
from corps.messages.requests import Request
from corps.runtime.cells.cell import Cell
from corps.runtime.context import current
from corps.runtime.env import Env
from corps.services.logs.entries import Work, Worker, pack, pack_drops
from corps.services.logs.last_records import LastRecords

_BATCH: Final = 1_000  # records at most that are sent at once
_BATCH_BYTES: Final = 1_048_576  # about so many


class OutletHandler(logging.Handler):
    """Takes the records of one Env. It never blocks, and never raises."""

    def __init__(self, env: Env, wake: Callable[[], object]) -> None:
        """Call `wake` when there is something to fetch."""
        super().__init__()
        self._env = env
        self._wake = wake
        self._most = env.options.log_queue
        self._requests = itertools.count(1)
        self._numbers = itertools.count(1)
        self.last: LastRecords | None = None  # what remains if this process is killed
        # `put` runs under the handler's own lock, which `logging` makes anew in the child of a fork.
        self.waiting: deque[bytes] = deque()
        self.taken = self.fetched = 0  # how many ever came in here, and went out
        self.dropped = 0
        self.is_awake = False  # `wake` was called, and nothing was fetched since
        self.is_forked = False  # this is the child of a fork, in which nothing fetches records
        self.is_shown = False  # a sink shows the records to people
        self.sending: int | None = None  # the thread that sends: what it logs meanwhile wakes nobody
        self.deaf: Set[int] = frozenset()  # the threads of sinks: what these log is no record for sinks

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        here = current.get()
        if (here is not None and here.env is not self._env) or get_ident() in self.deaf:
            return  # the first: it is of another Env in this process
        if not self.is_shown and not logging.root.handlers[1:]:
            _show_as_without(record)
        if self.is_forked:
            return
        try:
            if here is None or here.cell is None:
                body = pack(next(self._numbers), record, None, None)
            else:
                body = pack(next(self._numbers), record, *self._origin(here.cell, here.request))
            self.put(body)
        except Exception:
            self.handleError(record)

    def put(self, body: bytes) -> None:
        """Take a record that was packed already."""
        if self.last is not None:
            self.last.write(body)
        if len(self.waiting) >= self._most:
            self.dropped += 1
            return
        self.waiting.append(body)
        self.taken += 1
        if not self.is_awake and get_ident() != self.sending:
            try:
                self.is_awake = True
                self._wake()
            except BaseException:  # a signal of the main thread, perhaps: the next record tries again
                self.is_awake = False
                raise

    @contextmanager
    def _own_lock(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def drop(self, number: int) -> None:
        """Count records that were taken, and lost on their way."""
        with self._own_lock():
            self.dropped += number

    def keep_no_more(self) -> None:
        """Close the file of the last records, which stays."""
        with self._own_lock():
            last, self.last = self.last, None
            if last is not None:
                last.close()

    def _origin(self, cell: Cell, request: Request | None) -> tuple[Worker, Work | None]:
        worker = Worker(cell.addr.conc, cell.interface.short_name, cell.tag, cell.incarnation)
        if request is None:
            return worker, None
        try:
            mark = request.mark
        except AttributeError:  # the first record of this request
            mark = request.mark = f"{self._env.label}.{self._env.generation}-{next(self._requests)}"
        sender = request.sender
        return worker, Work(request.method, mark, None if sender is None else (sender.env, sender.conc))

    def fetch(self) -> list[bytes]:
        """Take out what is to be sent next. One thread at a time."""
        self.is_awake = False  # before it looks: what comes from now on wakes again
        batch: list[bytes] = []
        size = 0
        waiting = self.waiting
        while waiting and len(batch) < _BATCH and size < _BATCH_BYTES:
            batch.append(waiting.popleft())
            size += len(batch[-1])
        self.fetched += len(batch)
        if self.dropped and not waiting:
            with self._own_lock():
                dropped, self.dropped = self.dropped, 0
            batch.append(pack_drops(wall_time(), dropped, "they came faster than they could be sent"))
        return batch


def _show_as_without(record: logging.LogRecord) -> None:
    """Show a record as `logging` does where there is no handler, which the one of the Corps is for nobody."""
    last = logging.lastResort
    if last is not None and record.levelno >= last.level:
        last.handle(record)
