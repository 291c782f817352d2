"""`corps.Executor`: what `concurrent.futures` promises of executors, and what Envs add to it."""

import asyncio
import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import pytest

import corps

R = TypeVar("R")


class App(corps.Corps):
    """It has Envs, and submits inside a worker."""

    def squares(self, n: int) -> list[int]:
        with corps.Executor() as executor:
            return [executor.submit(square, each).result() for each in range(n)]


def square(n: int) -> int:
    return n * n


def wait_for(path: str) -> str:
    while not os.path.exists(path):
        time.sleep(0.01)
    return path


def begun(future: concurrent.futures.Future[R]) -> concurrent.futures.Future[R]:
    while not future.running():
        time.sleep(0.01)
    return future


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def nested(n: int) -> int:
    with corps.Executor(1) as executor:
        return executor.submit(square, n).result() + 1


def value_of_initializer() -> int:
    return _initialized[0]


def initialize(value: int) -> None:
    _initialized.append(value)


def fail() -> None:
    raise LookupError("no start")


def fail_after(path: str) -> None:
    wait_for(path)
    fail()


_initialized: list[int] = []


@pytest.fixture(params=["one Env", "two Envs", "its own"])
def executor(request: pytest.FixtureRequest) -> Iterator[corps.Executor]:
    if request.param == "its own":
        with corps.Executor(envs=2) as executor:
            yield executor
        return
    place: Any = corps.env() if request.param == "one Env" else corps.boot(App, envs=2)
    with place, corps.Executor() as executor:
        yield executor


def test_it_is_an_executor_of_the_standard_library(executor: corps.Executor, tmp_path: Path) -> None:
    assert isinstance(executor, concurrent.futures.Executor)
    future = executor.submit(square, 3)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result() == 9
    assert list(executor.map(square, range(50))) == [n * n for n in range(50)]
    assert executor.submit(lambda n: n + 1, 3).result() == 4
    assert isinstance(executor.submit(square, "x").exception(), TypeError)  # type: ignore[arg-type]
    done = [*concurrent.futures.as_completed([executor.submit(square, n) for n in range(5)])]
    assert sorted(future.result() for future in done) == [0, 1, 4, 9, 16]
    assert corps.gather([executor.submit(square, n) for n in range(3)]).ret == [0, 1, 4]


def test_what_waits_can_be_cancelled_and_what_runs_cannot(tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    with corps.env(), corps.Executor(1) as executor:
        running = begun(executor.submit(wait_for, gate))
        waiting = executor.submit(square, 3)
        assert not waiting.running()
        assert not running.cancel()
        assert waiting.cancel()
        Path(gate).touch()
        assert running.result() == gate
        with pytest.raises(concurrent.futures.CancelledError):
            waiting.result()


def test_shutdown_cancels_what_waits_if_it_is_asked_to(tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    with corps.env():
        executor = corps.Executor(1)
        running = begun(executor.submit(wait_for, gate))
        waiting = executor.submit(square, 3)
        executor.shutdown(wait=False, cancel_futures=True)
        assert waiting.cancelled()
        with pytest.raises(RuntimeError, match="after shutdown"):
            executor.submit(square, 3)
        Path(gate).touch()
        assert running.result() == gate
        executor.shutdown()


def test_an_argument_that_cannot_be_packed_fails_its_future() -> None:
    with corps.Executor(envs=1) as executor:
        assert isinstance(executor.submit(id, threading.Lock()).exception(), corps.PackError)
        assert executor.submit(square, 2).result() == 4


def test_tasks_that_wait_for_tasks_end(executor: corps.Executor) -> None:
    assert list(executor.map(nested, range(4))) == [1, 2, 5, 10]


def test_a_worker_uses_the_envs_of_its_corps() -> None:
    with corps.boot(App, envs=2) as app:
        assert app.squares(4).ret == [0, 1, 4, 9]


def test_the_initializer_runs_in_each_worker_before_its_tasks() -> None:
    with corps.Executor(envs=2, initializer=initialize, initargs=(7,)) as executor:
        assert [executor.submit(value_of_initializer).result() for _ in range(4)] == [7] * 4


@pytest.mark.parametrize("envs", [None, 1])
def test_an_initializer_that_raises_breaks_the_executor(
    envs: int | None, tmp_path: Path, caplog: Any
) -> None:
    gate = tmp_path / "gate"
    with corps.env() if envs is None else nullcontext():
        executor = corps.Executor(2, envs=envs, initializer=fail_after, initargs=(str(gate),))
        waiting = executor.submit(square, 1)
        gate.touch()
        error = waiting.exception()
        assert isinstance(error, concurrent.futures.BrokenExecutor)
        assert "no start" in str(error)
        assert "no start" in caplog.text
        with pytest.raises(concurrent.futures.BrokenExecutor, match="no start"):
            executor.submit(square, 1)
        executor.shutdown()


def test_workers_that_cannot_be_created_break_the_executor() -> None:
    with corps.boot(App, envs=2), corps.Executor(initializer=id, initargs=(threading.Lock(),)) as executor:
        with pytest.raises(concurrent.futures.BrokenExecutor, match="no worker could be created") as caught:
            executor.submit(square, 1).result()
        assert isinstance(caught.value.__cause__, corps.PackError)


@pytest.mark.parametrize("envs", [None, 2])
def test_submit_waits_for_no_initializer_and_shutdown_for_all(envs: int | None, tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    with corps.boot(App, envs=2) if envs is not None else corps.env():
        executor = corps.Executor(2, initializer=wait_for, initargs=(gate,))
        future = executor.submit(square, 3)
        assert not future.running()
        assert future.cancel()
        tasks: Any = executor._tasks
        executor.shutdown(wait=False)
        Path(gate).touch()
        executor.shutdown()
        assert (tasks._coming, tasks._late) == (0, [])


def test_a_callback_may_block_on_a_lock_that_a_caller_holds(executor: corps.Executor, tmp_path: Path) -> None:
    """Was a defect: the thread that reads called it, and brought no answer any more."""
    gate = tmp_path / "gate"
    called: list[str] = []
    lock = threading.Lock()
    began = threading.Event()

    def block(_: object) -> None:
        began.set()
        with lock:
            called.append(threading.current_thread().name)

    first = executor.submit(wait_for, str(gate))
    first.add_done_callback(block)
    with lock:
        gate.touch()
        assert first.result() == str(gate)
        began.wait()
        with corps.Executor(1) as other:
            assert other.submit(square, 3).result() == 9
        assert [executor.submit(square, n).result() for n in range(4)] == [0, 1, 4, 9]
        assert called == []
    executor.shutdown()
    assert [name.split("-")[-1] for name in called] == ["callbacks"]


def test_callbacks_are_called_in_their_order_and_before_shutdown_returns(
    executor: corps.Executor, tmp_path: Path
) -> None:
    called: list[int] = []
    gate = threading.Event()

    def first(_: object) -> None:
        gate.wait()
        called.append(1)

    future = executor.submit(wait_for, str(tmp_path / "gate"))
    future.add_done_callback(first)
    future.add_done_callback(lambda _: called.append(2))
    (tmp_path / "gate").touch()
    future.result()
    future.add_done_callback(lambda _: called.append(0))
    assert called == [0]
    gate.set()
    executor.shutdown()
    assert called == [0, 1, 2]


def test_a_callback_may_submit_wait_and_shut_the_executor_down(executor: corps.Executor) -> None:
    results: list[int] = []

    def go_on(done: concurrent.futures.Future[int]) -> None:
        results.append(executor.submit(square, done.result()).result())
        results.append(corps.wait_all([executor.submit(square, 5)])[0].result())
        executor.shutdown()

    executor.submit(square, 2).add_done_callback(go_on)
    while len(results) < 2:
        time.sleep(0.01)
    executor.shutdown()
    assert results == [16, 25]


def test_what_a_callback_raises_is_logged_and_ends_nothing(
    executor: corps.Executor, tmp_path: Path, caplog: Any
) -> None:
    future = executor.submit(wait_for, str(tmp_path / "gate"))
    future.add_done_callback(lambda _: fail())
    called: list[object] = []
    future.add_done_callback(called.append)
    (tmp_path / "gate").touch()
    executor.shutdown()
    assert called == [future]
    assert "exception calling callback" in caplog.text


class Slow:
    """Its packing waits for a lock."""

    lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        with self.lock:
            return square, (7,)


def test_an_argument_may_block_while_it_is_packed() -> None:
    with corps.boot(App, envs=2), corps.Executor(1) as executor:
        with Slow.lock:
            future = executor.submit(square, Slow())  # type: ignore[arg-type]
            with corps.Executor(1) as other:
                assert other.submit(square, 3).result() == 9
        assert future.result() == 49 * 49


def test_a_value_can_be_read_after_the_executor_has_ended() -> None:
    with corps.Executor(envs=2) as executor:
        small, large = executor.submit(square, 3), executor.submit(bytes, 5_000_000)
    assert small.result() == 9
    assert large.result() is large.result()
    assert large.result() == bytes(5_000_000)


def test_asyncio_takes_it(executor: corps.Executor) -> None:
    async def ask() -> int:
        return await asyncio.get_running_loop().run_in_executor(executor, square, 3)

    assert asyncio.run(ask()) == 9


def test_a_task_whose_env_dies_fails_and_the_executor_goes_on() -> None:
    with corps.Executor(envs=2) as executor:
        assert isinstance(executor.submit(die).exception(), corps.EnvLost)
        assert list(executor.map(square, range(20))) == [n * n for n in range(20)]


def test_bad_numbers_are_refused() -> None:
    for bad in (0, -1, 2.5):
        with pytest.raises(ValueError, match="max_workers must be greater than 0"):
            corps.Executor(bad)  # type: ignore[arg-type]
    with pytest.raises(corps.ConfigError, match="envs"):
        corps.Executor(envs=0)


def test_what_was_submitted_runs_before_the_interpreter_ends() -> None:
    script = (
        "import corps, time\n"
        "def say(): time.sleep(0.2); print('apple', flush=True)\n"
        "def tell(done): time.sleep(0.2); print('pear', flush=True)\n"
        "executor = corps.Executor(2)\n"
        "executor.submit(say).add_done_callback(tell)\n"
    )
    for more in ("", "del executor\n", "executor.shutdown(wait=False)\n"):
        run = [sys.executable, "-c", script + more]
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.splitlines()[-2:], done.stderr) == (0, ["apple", "pear"], "")


def test_an_executor_that_is_dropped_runs_what_it_has() -> None:
    with corps.env():
        executor: Any = corps.Executor(2)
        futures = [executor.submit(square, n) for n in range(20)]
        del executor
        assert [future.result() for future in futures] == [n * n for n in range(20)]


def test_the_workers_of_an_executor_end_for_good_whichever_task_is_the_last(tmp_path: Path) -> None:
    gate = str(tmp_path / "gate")
    with corps.env():
        executor = corps.Executor(2)
        last = begun(executor.submit(wait_for, gate))
        tasks: Any = executor._tasks
        names = tasks._names
        ends = [corps.watch(name) for name in names]
        executor.shutdown(wait=False)
        Path(gate).touch()
        assert last.result() == gate
        corps.wait_all(ends)
        for name in names:
            with pytest.raises(corps.WorkerGone):
                name.my_tag().result()
