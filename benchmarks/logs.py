"""What a log record costs the worker that logs, beside the handlers of the standard library.

    python -m benchmarks.logs

All are measured in turns inside a worker of another process: the whole call of `logging`, some records at a
time, with a pause in which what they have handed on is worked off.
"""

import logging
import logging.handlers
import queue
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

import corps

ROUNDS: Final = 300
AT_ONCE: Final = 50  # records; fewer than any queue has room for
PAUSE: Final = 0.01

QUEUE: Final = "QueueHandler, with a QueueListener"
CORPS: Final = "corps"
DISABLED: Final = "corps, a level that is disabled"
PLAIN_DISABLED: Final = "logging alone, a level that is disabled"

log = logging.getLogger("benchmarks.logs")


class Logger(corps.Conc):
    """Logs in its own process, whose root logger has the handler of corps."""

    def measure(self) -> dict[str, list[float]]:
        """Seconds per record, by what takes it."""
        log.setLevel(logging.INFO)
        (ours,) = [each for each in logging.root.handlers if type(each).__module__.startswith("corps.")]
        others = [each for each in logging.root.handlers if each is not ours]
        for other in others:
            logging.root.removeHandler(other)
        samples: dict[str, list[float]] = {name: [] for name in (QUEUE, CORPS, DISABLED, PLAIN_DISABLED)}
        records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        listener = logging.handlers.QueueListener(records, logging.NullHandler())
        listener.start()
        try:
            for _ in range(ROUNDS):
                with only(logging.handlers.QueueHandler(records)):
                    samples[QUEUE].append(seconds(logging.INFO))
                    samples[PLAIN_DISABLED].append(seconds(logging.DEBUG))
                with only(ours):
                    samples[CORPS].append(seconds(logging.INFO))
                    samples[DISABLED].append(seconds(logging.DEBUG))
                time.sleep(PAUSE)
        finally:
            listener.stop()
        return samples


@contextmanager
def only(handler: logging.Handler) -> Iterator[None]:
    """Have this handler alone, for a while."""
    before = logging.root.handlers[:]
    logging.root.handlers[:] = [handler]
    try:
        yield
    finally:
        logging.root.handlers[:] = before


def seconds(level: int) -> float:
    """The time of one record, of several in a row."""
    begin = perf_counter()
    for number in range(AT_ONCE):
        log.log(level, "working on %d of %s", number, "the articles")
    return (perf_counter() - begin) / AT_ONCE


class App(corps.Corps):
    """The Corps around the worker."""

    def measure(self) -> dict[str, list[float]]:
        """See `Logger.measure`."""
        found: dict[str, list[float]] = corps.create(Logger).measure().ret
        return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        settings = {"log": {"json_lines": str(Path(folder, "log"))}}
        with corps.boot(App, envs=1, config=settings) as app:
            found = app.measure().ret
    middle = {name: statistics.median(samples) for name, samples in found.items()}
    for name, value in middle.items():
        print(f"{name:42} {value * 1e6:6.2f} µs")
    print(f"a record: {middle[CORPS] / middle[QUEUE]:.2f} times QueueHandler (to reach: less than 2)")
    print(f"a disabled level: {middle[DISABLED] / middle[PLAIN_DISABLED]:.2f} times logging (to reach: 1)")
