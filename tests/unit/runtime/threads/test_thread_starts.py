"""Claims about a moment in which the system gives no threads: what waits for one gets it later."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import corps
from corps.runtime.threads.alarms import Alarms
from corps.runtime.threads.loop_thread import LoopThread
from corps.runtime.threads.pool import WorkerPool
from corps.runtime.threads.thread_starts import start_thread

Scarcity = Callable[[str, int], list[str]]


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Scarcity:
    """Has the system refuse so many threads whose names begin so."""
    real = threading.Thread.start
    caplog.set_level(logging.CRITICAL)

    def make_scarce(prefix: str, times: int) -> list[str]:
        refused: list[str] = []

        def start(thread: threading.Thread) -> None:
            if thread.name.startswith(prefix) and len(refused) < times:
                refused.append(thread.name)
                raise RuntimeError("can't start new thread")
            real(thread)

        monkeypatch.setattr(threading.Thread, "start", start)
        return refused

    return make_scarce


@pytest.fixture
def alarms() -> Iterator[Alarms]:
    alarms = Alarms("test-alarms", lambda: None)
    alarms.start()
    alarms.start()
    yield alarms
    alarms.close()


def test_a_thread_is_tried_again_until_it_starts(alarms: Alarms, scarce: Scarcity) -> None:
    refused, runs = scarce("wanted", 2), threading.Event()
    made: list[threading.Thread] = []

    def make() -> threading.Thread:
        made.append(threading.Thread(target=runs.set, name="wanted"))
        return made[-1]

    start_thread("wanted", make, alarms)
    assert runs.wait(20)
    assert refused == ["wanted"] * 2
    assert len(set(made)) == 3  # CPython 3.13.0 starts none whose first start has failed


def test_work_of_a_pool_without_any_thread_runs_when_there_is_one(alarms: Alarms, scarce: Scarcity) -> None:
    refused, runs = scarce("test-pool", 3), threading.Event()
    pool = WorkerPool("test-pool", least=1, most=2, idle=10.0)
    pauses: list[float] = []

    def later(seconds: float, function: Callable[[], object]) -> None:
        pauses.append(seconds)
        alarms.at(0.0, function)

    class Task:
        def run(self) -> None:
            runs.set()

    pool.later = later
    pool.submit(Task())
    assert runs.wait(20)
    assert len(refused) == 3
    assert pauses == [0.05, 0.1, 0.2]
    assert pool.close(20.0) == []


def test_what_is_to_run_on_the_event_loop_waits_for_its_thread_in_order(
    alarms: Alarms, scarce: Scarcity
) -> None:
    refused, over = scarce("test-loop", 2), threading.Event()
    loop = LoopThread("test-loop", alarms)
    called: list[int] = []
    for number in range(5):
        assert loop.call(called.append, number)
    assert loop.call(over.set)
    assert over.wait(20)
    assert (called, len(refused)) == ([0, 1, 2, 3, 4], 2)
    assert loop.close(20.0) == []


def test_a_loop_that_has_no_descriptors_is_tried_again(
    alarms: Alarms, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    real, over = asyncio.new_event_loop, threading.Event()
    tries: list[object] = []

    def new_event_loop() -> asyncio.AbstractEventLoop:
        tries.append(None)
        if len(tries) == 1:
            raise OSError(24, "planted")
        return real()

    monkeypatch.setattr("corps.runtime.threads.loop_thread.new_event_loop", new_event_loop)
    loop = LoopThread("test-loop", alarms)
    assert loop.call(over.set)
    assert over.wait(20)
    assert loop.close(20.0) == []


class Main(corps.Conc):
    def main(self) -> None:
        while (request := self.receive()) is not None:
            self.handle(request)

    def double(self, n: int) -> int:
        return 2 * n


class Plain(corps.Conc):
    def double(self, n: int) -> int:
        return 2 * n

    async def softly(self, n: int) -> int:
        return 2 * n


@pytest.mark.parametrize(
    ("prefix", "cls", "method"),
    [("env0-main", Main, "double"), ("env0-worker", Plain, "double"), ("env0-loop", Plain, "softly")],
)
def test_a_worker_answers_when_there_are_threads_again(
    scarce: Scarcity, prefix: str, cls: type[Any], method: str
) -> None:
    """Was a defect: one moment without threads, and a worker with a `main` had none for good."""
    refused = scarce(prefix, 2)  # from the beginning: on CPython 3.12 a worker thread is started with the Env
    with corps.env() as env:
        worker: Any = env.create(cls)
        with ThreadPoolExecutor(1) as other:  # which no attendant stands by, as by the main thread
            answer = other.submit(lambda: getattr(worker, method)(4).result(timeout=20))
            assert answer.result() == 8
        assert len(refused) == 2


def test_an_env_that_gets_no_thread_at_all_is_not_started(scarce: Scarcity) -> None:
    scarce("env0-alarms", 1)
    with pytest.raises(corps.EnvStartError, match="can't start new thread"):
        corps.env()
