"""Claims about what the main thread has others do for it. The tests run in it."""

import signal
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from corps.runtime.calls.errands import Errands
from corps.runtime.context import Activity, current
from corps.runtime.threads.pool import WorkerPool


class Env:
    label = "env9"

    def __init__(self, most: int = 4) -> None:
        self.pool = WorkerPool("env9-worker", least=0, most=most, idle=20.0)


class Cell:
    """Something that is ready, and says which thread has run it."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.ran_in = ""
        self.over = threading.Event()
        self.begun = threading.Event()
        self._gate = gate

    def run(self) -> None:
        self.ran_in = threading.current_thread().name
        self.begun.set()
        if self._gate is not None:
            self._gate.wait()
        self.over.set()


@pytest.fixture
def env() -> Iterator[Env]:
    env = Env()
    yield env
    assert env.pool.close(20) == []


def errands_of(env: Any) -> Errands:
    return Errands(env, Activity(env))


@pytest.fixture
def errands(env: Env) -> Iterator[Errands]:
    errands = errands_of(env)
    yield errands
    assert errands.close(20) == []


def test_what_was_posted_is_done_in_order_by_another_thread(errands: Errands) -> None:
    done: list[tuple[int, bool]] = []
    for number in range(1_000):
        errands.post(lambda number: done.append((number, threading.get_ident() == errands.main)), number)
    errands.do(lambda: None)
    assert done == [(number, False) for number in range(1_000)]


def test_only_an_attendant_that_runs_a_worker_is_left_behind_when_there_is_no_time(env: Env) -> None:
    errands, gate = errands_of(env), threading.Event()
    cell = Cell(gate)
    errands.post(errands.make_ready, cell)
    assert cell.begun.wait(20)
    assert errands.close(0.0) == [cell.ran_in]
    gate.set()
    assert errands.close(20) == []


def test_whoever_catches_up_finds_done_what_was_posted(errands: Errands) -> None:
    begun, gate, done = threading.Event(), threading.Event(), list[int]()
    seen: list[int] = []

    def look() -> None:
        errands.catch_up()
        seen.extend(done)

    errands.post(begun.set)
    errands.post(gate.wait)
    errands.post(done.append, 2)
    begun.wait()
    other = threading.Thread(target=look)
    other.start()
    gate.set()
    other.join()
    assert seen == [2]


def test_an_errand_gives_its_value_raises_its_error_and_has_the_context_of_the_main_thread(
    errands: Errands,
) -> None:
    activity = Activity(cast("Any", None))
    token = current.set(activity)
    try:
        assert errands.do(current.get) is activity
    finally:
        current.reset(token)
    assert errands.do(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        errands.do(divmod, 7, 0)


def test_what_fails_does_not_keep_what_comes_behind_it(
    errands: Errands, caplog: pytest.LogCaptureFixture
) -> None:
    errands.post(divmod, 7, 0)
    assert errands.do(lambda: 5) == 5
    assert "ZeroDivisionError" in caplog.text


def test_an_attendant_runs_what_is_ready_and_another_one_goes_on_to_attend(errands: Errands) -> None:
    gate = threading.Event()
    first, second = Cell(gate), Cell()
    errands.post(errands.make_ready, first)
    first.begun.wait()
    assert errands.do(lambda: 5) == 5
    errands.post(errands.make_ready, second)
    second.over.wait()
    gate.set()
    assert first.ran_in.startswith("env9-errands")
    assert second.ran_in.startswith("env9-worker")


def test_errands_are_done_however_many_others_are_under_way(errands: Errands) -> None:
    gate = threading.Event()
    cells = [Cell(gate) for _ in range(6)]
    for cell in cells[:4]:
        errands.post(errands.make_ready, cell)
        cell.begun.wait()
    assert errands.do(lambda: 5) == 5
    gate.set()


def test_no_more_threads_run_cells_than_there_may_be() -> None:
    env = Env(most=1)
    errands = errands_of(env)
    gate = threading.Event()
    first, second = Cell(gate), Cell()
    errands.post(errands.make_ready, first)
    first.begun.wait()
    errands.post(errands.make_ready, second)
    errands.do(lambda: None)
    assert not second.begun.is_set()
    threads = env.pool.statistics()
    assert threads["threads"] - threads["idle"] == 1
    gate.set()
    second.over.wait()
    assert errands.close(20) == env.pool.close(20) == []


def test_a_signal_in_the_middle_of_an_errand_ends_the_waiting_and_not_the_errand(errands: Errands) -> None:
    begun, gate, over, came = (threading.Event() for _ in range(4))

    def work() -> None:
        begun.set()
        gate.wait()
        over.set()

    def kick() -> None:
        begun.wait()
        while not came.wait(0.01):  # a lock that is just about to sleep does not notice a signal
            signal.pthread_kill(errands.main or 0, signal.SIGUSR1)

    def handle(number: int, frame: object) -> None:
        if not came.is_set():
            came.set()
            raise SystemExit(number)

    before = signal.signal(signal.SIGUSR1, handle)
    kicker = threading.Thread(target=kick)
    kicker.start()
    try:
        with pytest.raises(SystemExit):
            errands.do(work)
    finally:
        signal.signal(signal.SIGUSR1, before)
        kicker.join()
    assert not over.is_set()
    gate.set()
    over.wait()
    assert errands.do(lambda: 5) == 5
