"""Claims about the pool: as many threads as are needed, no more, and none that is lost."""

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from corps.runtime.threads.pool import WorkerPool
from tests.contract.broken_lines import wait_until


class Task:
    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do

    def run(self) -> None:
        self._do()


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool("test-pool", least=1, most=2, idle=10.0)
    yield pool
    assert pool.close(20.0) == []


def test_without_work_there_is_no_thread(pool: WorkerPool) -> None:
    assert pool.statistics() == {"threads": 0, "blocked": 0, "idle": 0, "ready": 0, "stalled": 0.0}


def test_a_pool_that_shall_have_a_thread_has_one_that_is_idle(pool: WorkerPool) -> None:
    pool.have_a_thread()
    pool.have_a_thread()
    wait_until(lambda: pool.statistics()["idle"] == 1)
    assert pool.statistics()["threads"] == 1


def test_everything_that_is_submitted_runs(pool: WorkerPool) -> None:
    done = threading.Semaphore(0)
    for _ in range(1_000):
        pool.submit(Task(done.release))
    for _ in range(1_000):
        assert done.acquire(timeout=20)
    assert pool.statistics()["threads"] <= 2


def test_no_more_run_than_may(pool: WorkerPool) -> None:
    gate, begun = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        begun.release()
        gate.wait()

    for _ in range(5):
        pool.submit(Task(hang))
    assert begun.acquire(timeout=20)
    assert begun.acquire(timeout=20)
    assert not begun.acquire(blocking=False)
    assert pool.statistics()["ready"] == 3
    gate.set()
    for _ in range(3):
        assert begun.acquire(timeout=20)


def test_threads_that_wait_for_each_other_make_room_for_more(pool: WorkerPool) -> None:
    everybody = threading.Barrier(20)
    done = threading.Semaphore(0)

    def meet() -> None:
        pool.enter_blocked()
        try:
            everybody.wait(20)
        finally:
            pool.leave_blocked()
        done.release()

    for _ in range(20):
        pool.submit(Task(meet))
    for _ in range(20):
        assert done.acquire(timeout=20)


def test_threads_above_the_least_end_when_they_are_idle() -> None:
    pool = WorkerPool("test-pool", least=1, most=8, idle=0.001)
    everybody = threading.Barrier(8)
    for _ in range(8):
        pool.submit(Task(everybody.wait))
    with pool._all_gone:
        assert pool._all_gone.wait_for(lambda: pool._total == 1, timeout=20)
    over = threading.Event()
    pool.submit(Task(over.set))
    assert over.wait(20)
    assert pool.close(20.0) == []


def test_a_thread_lives_on_whatever_it_ran(caplog: pytest.LogCaptureFixture) -> None:
    pool = WorkerPool("test-pool", least=1, most=1, idle=10.0)

    def fail() -> None:
        raise SystemExit(1)

    over = threading.Event()
    with caplog.at_level(logging.CRITICAL, "corps.pool"):
        pool.submit(Task(fail))
        pool.submit(Task(over.set))
        assert over.wait(20)
        assert pool.close(20.0) == []  # the thread that failed has written its line
    assert "please report it" in caplog.text
    assert pool.close(20.0) == []


def test_closing_finishes_what_is_ready_and_names_what_hangs() -> None:
    pool = WorkerPool("test-pool", least=1, most=1, idle=10.0)
    gate, begun, done = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        gate.wait()

    pool.submit(Task(hang))
    pool.submit(Task(done.set))
    assert begun.wait(20)
    assert pool.close(0.0) == ["test-pool-1"]
    gate.set()
    assert done.wait(20)
    assert pool.close(20.0) == []


def test_a_pool_that_only_has_much_to_do_is_not_stalled(pool: WorkerPool) -> None:
    gate, begun = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        begun.release()
        gate.wait()

    for _ in range(5):
        pool.submit(Task(hang))
    for _ in range(2):
        assert begun.acquire(timeout=20)
    assert [pool.stalled(at) for at in (100.0, 200.0, 300.0)] == [0.0] * 3
    assert pool.statistics()["ready"] == 3
    gate.set()


def test_work_that_nobody_takes_though_somebody_may_is_a_stall(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        pool.submit(Task(done.set))
    assert "could not be started" in caplog.text
    assert [pool.stalled(at) for at in (100.0, 104.0, 110.0)] == [0.0, 4.0, 10.0]
    assert pool.statistics()["stalled"] == 10.0
    pool.submit(Task(lambda: None))
    assert done.wait(20)
    while pool.statistics()["ready"]:
        threading.Event().wait(0.001)
    assert pool.stalled(111.0) == 0.0


def test_where_no_thread_can_be_started_any_more_one_that_waits_runs_what_is_ready(pool: WorkerPool) -> None:
    """On Python 3.12 no thread starts while the interpreter ends, and children end before their Mgr."""
    child, grandchild = threading.Event(), threading.Event()

    def end_and_wait_for(cell: Task, ended: threading.Event) -> None:
        pool.submit(cell)
        pool.enter_blocked()
        assert ended.wait(20)
        pool.leave_blocked()

    def end_child() -> None:
        end_and_wait_for(Task(grandchild.set), grandchild)
        child.set()

    pool.start_no_more()
    pool.run_here(Task(lambda: end_and_wait_for(Task(end_child), child)))
    assert child.is_set()
    assert pool.statistics()["threads"] == 0
