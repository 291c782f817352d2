"""What a process does whose purpose is one Corps: it waits for the end, and takes signals for Ctrl-C."""

import contextlib
import logging
import signal
from collections.abc import Callable, Iterator
from threading import current_thread, main_thread

from corps.launch.running import RunningCorps
from corps.runtime.threads.sleeping import sleep_in_parts


class Stopped(KeyboardInterrupt):
    """A signal asks for the end, as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def stopping_signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP act like Ctrl-C: the first one ends in order, a second one at once."""

    def stop(number: int, _: object) -> None:
        raise Stopped(number)

    replaced = {}
    if current_thread() is main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:  # else it is ignored, as SIGHUP under nohup
                replaced[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, before in replaced.items():
            signal.signal(number, before)


def log_to_stderr(level: str) -> None:
    """Have the log of this process on stderr, from this level on."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def serve(running: RunningCorps, announce: Callable[[], object]) -> None:
    """Announce a Corps that is up; wait until it is over, or a signal comes, which ends it in order."""
    try:
        announce()
        sleep_in_parts(running.is_over.wait)
    except KeyboardInterrupt:
        running.end(interrupted=True)
