"""Sleeps that may take long, in parts. Any thread may call these functions.

A signal that comes while the main thread falls asleep in a lock does not wake it. CPython would run its
handler only when the sleep is over. So the main thread wakes after each part.
"""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import TIMEOUT_MAX, Thread
from typing import Final, TypeVar

PART: Final = 1.0  # seconds

T = TypeVar("T")


def sleep_in_parts(pause: Callable[[float], bool], timeout: float | None = None) -> bool:
    """Call `pause` with the seconds of each part until it is true; False if the time is over first."""
    left = TIMEOUT_MAX if timeout is None else max(0.0, timeout)
    while not pause(min(left, PART)):
        left -= PART
        if left <= 0:
            return False
    return True


def join(thread: Thread) -> None:
    """Wait for the end of a thread that was started."""

    def is_over(seconds: float) -> bool:
        thread.join(seconds)
        return not thread.is_alive()

    sleep_in_parts(is_over)


def result_of(future: "Future[T]") -> T:
    """Wait for a Future of `concurrent.futures`; return or raise what came of it."""
    sleep_in_parts(lambda seconds: bool(wait((future,), seconds).done))
    return future.result()
