"""`corps.Executor`: what `concurrent.futures` promises of executors, and what Envs add to it."""

import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import corps


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
        running, waiting = executor.submit(wait_for, gate), executor.submit(square, 3)
        assert running.running()
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
        running, waiting = executor.submit(wait_for, gate), executor.submit(square, 3)
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


def test_an_initializer_that_raises_breaks_the_executor() -> None:
    with corps.Executor(envs=1, initializer=fail) as executor:
        for _ in range(2):
            with pytest.raises(concurrent.futures.BrokenExecutor, match="no start"):
                executor.submit(square, 1)


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
        "executor = corps.Executor(2)\n"
        "executor.submit(say)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:], done.stderr) == (0, ["apple"], "")


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
        last = executor.submit(wait_for, gate)
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
