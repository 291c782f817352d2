"""What a log record costs the worker that logs, beside the handlers of the standard library.

All are measured inside a worker of another process: the whole call of `logging`, some records at a time, with
a pause in which what they have handed on is worked off.
"""

import logging
import logging.handlers
import queue
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import corps
from benchmarks.cases import LOG_DISABLED, LOG_RECORD, LOGS, Subject
from benchmarks.timing import Effort, Works

AT_ONCE: Final = 50  # records; fewer than any queue has room for
PAUSE: Final = 0.01

QUEUE: Final = "QueueHandler, with a QueueListener"

_log = logging.getLogger("benchmarks.logs")
_log.setLevel(logging.INFO)


class Logger(corps.Conc):
    """Logs in its own process."""

    def take_queue(self) -> None:
        """Hand all records to a QueueHandler in place of any other handler."""
        records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        self._listener = logging.handlers.QueueListener(records, logging.NullHandler())
        self._listener.start()
        logging.root.handlers[:] = [logging.handlers.QueueHandler(records)]

    def take_corps(self) -> None:
        """Leave the handler of the log of the Corps alone."""
        ours = [each for each in logging.root.handlers if type(each).__module__.startswith("corps.")]
        assert len(ours) == 1
        logging.root.handlers[:] = ours

    def records(self, level: int, effort: Effort) -> list[float]:
        """Measure records of a level."""
        samples: list[float] = []
        until = perf_counter() + effort.seconds
        while not samples or (len(samples) * AT_ONCE < effort.operations and perf_counter() < until):
            begin = perf_counter()
            for number in range(AT_ONCE):
                _log.log(level, "working on %d of %s", number, "the articles")
            samples.append((perf_counter() - begin) / AT_ONCE)
            time.sleep(PAUSE)
        return samples


class App(corps.Corps):
    """The Corps around the worker."""


@contextmanager
def _logger(settings: Mapping[str, Any]) -> Iterator[corps.Name[Logger]]:
    with corps.boot(App, envs=1, config=settings):
        yield corps.options(env=1).create(Logger)


def _works(name: corps.Name[Logger]) -> Works:
    return {
        LOG_RECORD: lambda effort: name.records(logging.INFO, effort).ret,
        LOG_DISABLED: lambda effort: name.records(logging.DEBUG, effort).ret,
    }


@contextmanager
def of_the_library(share: float) -> Iterator[Works]:
    """A worker whose process has a QueueHandler."""
    with _logger({}) as name:
        name.take_queue().result()
        yield _works(name)


@contextmanager
def ours(share: float) -> Iterator[Works]:
    """A worker of a Corps whose log goes to a file."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _logger({"log.json_lines": str(Path(folder, "log"))}) as name,
    ):
        name.take_corps().result()
        yield _works(name)


SUBJECTS: Final = (
    Subject(LOGS, QUEUE, "floor", of_the_library),
    Subject(LOGS, "corps", "corps", ours),
)
