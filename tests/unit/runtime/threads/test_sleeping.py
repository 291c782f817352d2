"""Claims about long sleeps: they end as plain ones do, and a signal that wakes nothing is handled."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest

from corps.runtime.threads.gates import Gate
from corps.runtime.threads.sleeping import PART, join, result_of, sleep_in_parts


@contextmanager
def signal_that_wakes_another_thread(handler: Callable[[], object]) -> Iterator[None]:
    """Send the process a signal in a moment. The main thread, which has to handle it, sleeps on."""
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    before = signal.signal(signal.SIGUSR1, lambda *_: handler())
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    sender = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        sender.start()
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGUSR1, before)
        over.set()
        sender.join()
        other.join()


def test_a_gate_is_opened_by_a_signal_that_has_not_woken_the_main_thread() -> None:
    gate = Gate()
    with signal_that_wakes_another_thread(gate.open):
        assert gate.sleep(30.0)


def test_a_thread_that_is_waited_for_is_ended_by_such_a_signal() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    with signal_that_wakes_another_thread(over.set):
        join(thread)
    assert not thread.is_alive()


def test_a_future_that_is_waited_for_is_settled_by_such_a_signal() -> None:
    future: Future[int] = Future()
    with signal_that_wakes_another_thread(lambda: future.set_result(5)):
        assert result_of(future) == 5


def test_what_is_waited_for_raises_what_it_failed_with() -> None:
    future: Future[int] = Future()
    future.set_exception(KeyError("gone"))
    with pytest.raises(KeyError, match="gone"):
        result_of(future)


@pytest.mark.parametrize(
    ("timeout", "parts"),
    [(-1.0, [0.0]), (0.5, [0.5]), (2.25, [PART, PART, 0.25]), (2 * PART, [PART, PART])],
)
def test_the_parts_of_a_sleep_last_as_long_as_it_may(timeout: float, parts: list[float]) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> bool:
        slept.append(seconds)
        return False

    assert not sleep_in_parts(sleep, timeout)
    assert slept == parts


def test_a_sleep_without_a_limit_ends_with_what_it_waits_for() -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> bool:
        slept.append(seconds)
        return len(slept) == 3

    assert sleep_in_parts(sleep)
    assert slept == [PART] * 3
