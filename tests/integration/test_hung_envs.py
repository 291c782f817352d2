"""Claims about Envs that hang: found by their silence, killed and replaced; and that no other is.

The times are short, and no test claims how long anything takes: only what comes, and what never does.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

import corps

LIMIT = 40.0

APP = """
import corps, ctypes, os, threading, time

class Child(corps.Conc):
    def pid(self):
        return os.getpid()

    def nap(self, seconds):
        time.sleep(seconds)
        return "slept"

    def compute(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            sum(range(1000))
        return "computed"

    def keep_the_gil(self):
        for _ in range(600):
            ctypes.PyDLL(None).usleep(900_000)  # in C, and does not give the GIL back

    def block_the_reading(self, other):
        def block_for_ever(_):
            threading.Event().wait()
        other.nap(0.01).add_done_callback(block_for_ever)
        threading.Event().wait()

    def block_the_main_thread(self, other):
        def block_for_ever(_):
            if threading.current_thread() is threading.main_thread():
                threading.Event().wait()
        other.nap(1000).add_done_callback(block_for_ever)
        return "ready"

class App(corps.Corps):
    def __init__(self):
        again = corps.Restart(max=100_000, within=1.0, backoff=(0.0, 0.0))
        self.child = corps.options(env=2, restart=again).create(Child)
        self.others = [corps.options(env=env, restart=again).create(Child) for env in (1, 2, 3)]

    def pid(self):
        return os.getpid()

    def nap(self, seconds):
        time.sleep(seconds)

    def supervised(self):
        return self.child

    def other(self, env):
        return self.others[env - 1]
"""

SHORT = {"every": 0.05, "suspect": 0.3, "dead": 0.8}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


@contextmanager
def booted(path: Path) -> Iterator[Any]:
    # Not a fixture: each phase of a test has another stderr, which the processes take over when they start.
    with corps.boot(path, envs=3, config={"beat": SHORT, "env_restart.max": 50}) as app:
        yield app


def said(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return any(text in record.getMessage() for record in caplog.records)


def wait_until_said(caplog: pytest.LogCaptureFixture, text: str) -> None:
    waiting = threading.Event()
    for _ in range(int(LIMIT / 0.01)):
        if said(caplog, text):
            return
        waiting.wait(0.01)
    pytest.fail(f"nobody said {text!r}, but {[record.getMessage() for record in caplog.records]}")


def assert_replaced(app: Any, pid: int) -> None:
    """The worker answers under the same Name, from another process, and the former one has gone."""
    worker = app.supervised().ret
    assert worker.pid().result(LIMIT) != pid
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def assert_hung(error: object) -> None:
    assert isinstance(error, corps.EnvLost), error
    assert error.reason == "hung"
    assert "hung, and was killed: no sign of life of its " in str(error)


# What hangs


def test_a_stopped_process_is_found_and_replaced(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with booted(path) as app:
        worker = app.supervised().ret
        pid = worker.pid().ret
        pending = [worker.nap(LIMIT), *(worker.pid() for _ in range(5))]
        os.kill(pid, signal.SIGSTOP)
        errors = [future.exception(LIMIT) for future in pending]
        for error in errors:
            assert_hung(error)
        assert [error.executed for error in errors[1:]] == ["no"] * 5
        with pytest.raises(ProcessLookupError):  # nothing of it can ever go on
            os.kill(pid, signal.SIGCONT)
        assert_replaced(app, pid)
        assert said(caplog, "env2 may hang: no sign of life of its main thread for ")
        assert said(caplog, "It is stopped, so it cannot write its stacks")
        assert said(caplog, "env2 is lost: its process")
        assert said(caplog, "hung, and was killed")


def test_a_call_into_c_that_keeps_the_gil_is_found(
    path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with booted(path) as app:
        worker = app.supervised().ret
        pid = worker.pid().ret
        assert_hung(worker.keep_the_gil().exception(LIMIT))
        assert_replaced(app, pid)
        assert said(caplog, "It writes its stacks, and is killed")
        written = capfd.readouterr().err
        assert 'app.py", line' in written
        assert "in keep_the_gil" in written
        assert "in _next_order" in written, "all threads are there"


def test_a_callback_that_blocks_the_reading_is_found(
    path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with booted(path) as app:
        worker = app.supervised().ret
        pid = worker.pid().ret
        assert_hung(worker.block_the_reading(app.other(3).ret).exception(LIMIT))
        assert_replaced(app, pid)
        assert said(caplog, "env2 hangs: no sign of life of its reading thread for ")
        assert "in block_for_ever" in capfd.readouterr().err


def test_a_blocked_main_thread_is_found(
    path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with booted(path) as app:
        worker = app.supervised().ret
        pid, other = worker.pid().ret, app.other(3).ret
        other_pid = other.pid().ret
        assert worker.block_the_main_thread(other).result(LIMIT) == "ready"
        waiting = worker.nap(LIMIT)
        os.kill(other_pid, signal.SIGKILL)  # which the main thread of the other Env is told
        assert_hung(waiting.exception(LIMIT))
        assert_replaced(app, pid)
        assert said(caplog, "env2 hangs: no sign of life of its main thread for ")
        assert "in block_for_ever" in capfd.readouterr().err


def test_the_others_do_not_notice(path: Path) -> None:
    with booted(path) as app:
        worker, other = app.supervised().ret, app.other(3).ret
        os.kill(worker.pid().ret, signal.SIGSTOP)
        lost = worker.nap(LIMIT)
        while not lost.done():
            assert isinstance(other.pid().result(LIMIT), int)
        assert_hung(lost.exception())


def test_the_end_of_a_corps_does_not_wait_for_a_hung_env(path: Path) -> None:
    config = {"beat": {"every": 0.05, "suspect": 0.3, "dead": None}, "grace": 0.3}
    with corps.boot(path, envs=3, config=config) as app:
        pid = app.supervised().ret.pid().ret
        os.kill(pid, signal.SIGSTOP)
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("stop", [True, False])
def test_an_env_that_hangs_again_and_again_is_a_failure_of_the_corps(path: Path, stop: bool) -> None:
    app = corps.boot(path, envs=3, config={"beat": SHORT, "env_restart.max": 1})
    worker = app.supervised().ret
    for _ in range(2):
        if stop:
            os.kill(worker.pid().result(LIMIT), signal.SIGSTOP)
            assert_hung(worker.nap(LIMIT).exception(LIMIT))
        else:
            assert_hung(worker.keep_the_gil().exception(LIMIT))
    with pytest.raises(corps.RestartLimit, match=r"env2 has died 2 times .* hung, and was killed"):
        app.exit().result(LIMIT)


def test_the_front_can_hang_too(path: Path) -> None:
    app = corps.boot(path, envs=3, config={"beat": SHORT})
    pid = app.pid().ret
    waiting = app.nap(LIMIT)
    os.kill(pid, signal.SIGSTOP)
    assert_hung(waiting.exception(LIMIT))
    running: Any = app._running
    assert running.is_over.wait(LIMIT)
    with pytest.raises(corps.CorpsLost, match="hung, and was killed"):
        app.exit().result(LIMIT)


# What does not


def test_a_process_that_is_stopped_for_a_moment_only_is_let_be(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = {"beat": {"every": 0.05, "suspect": 0.3, "dead": 1000.0}}
    with corps.boot(path, envs=3, config=config) as app:
        worker = app.supervised().ret
        pid = worker.pid().ret
        pending = [worker.pid() for _ in range(5)]
        os.kill(pid, signal.SIGSTOP)
        pending += [worker.pid() for _ in range(5)]
        wait_until_said(caplog, "env2 may hang")
        later = worker.pid()
        assert not later.done()
        os.kill(pid, signal.SIGCONT)
        assert [future.result(LIMIT) for future in (*pending, later)] == [pid] * 11
        wait_until_said(caplog, "env2 gives signs of life again")
    assert not said(caplog, "hangs")
    assert not said(caplog, "lost")


def test_a_stop_shorter_than_the_suspect_time_is_not_even_said(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with corps.boot(path, envs=3, config={"beat": {"every": 0.05, "suspect": 20.0, "dead": 40.0}}) as app:
        worker = app.supervised().ret
        pid = worker.pid().ret
        for _ in range(5):
            os.kill(pid, signal.SIGSTOP)
            pending = worker.pid()
            threading.Event().wait(0.2)
            os.kill(pid, signal.SIGCONT)
            assert pending.result(LIMIT) == pid
    assert caplog.records == []


def wait_through(app: Any, futures: list[Any], answer: str) -> None:
    assert [future.result(LIMIT) for future in futures] == [answer] * len(futures)


@pytest.mark.parametrize("transport", ["unix", "ipc", "tcp"])
def test_workers_that_compute_or_sleep_do_not_hang(
    path: Path, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    # Long enough for a process that shares two processors with others.
    config = {"beat": {"every": 0.05, "suspect": 1.0, "dead": 2.0}, "threads.max": 1, "transport": transport}
    with corps.boot(path, envs=3, config=config) as app:
        worker, other = app.supervised().ret, app.other(2).ret
        pid = worker.pid().ret
        busy, asleep = worker.compute(4.0), app.other(3).ret.nap(4.0)
        behind = other.pid()  # waits for the only thread
        wait_through(app, [busy], "computed")
        wait_through(app, [asleep], "slept")
        assert behind.result(LIMIT) == pid
        assert worker.pid().result(LIMIT) == pid
    assert not said(caplog, "hangs")
    assert not said(caplog, "lost")


def test_nobody_is_watched_without_a_dead_time(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = set(threading.enumerate())  # another Corps of the suite may live
    with corps.boot(path, envs=3, config={"beat.dead": None}) as app:
        new = set(threading.enumerate()) - before
        assert new
        assert "corps-vitals" not in [thread.name for thread in new]
        assert app.supervised().ret.pid().result(LIMIT)


def test_a_long_start_is_not_taken_for_a_hang(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "slow.py"
    path.write_text(
        "import ctypes\nctypes.PyDLL(None).usleep(900_000)\nctypes.PyDLL(None).usleep(900_000)\n" + APP
    )
    with corps.boot(path, envs=3, config={"beat": SHORT}) as app:
        worker = app.supervised().ret
        pid = worker.pid().result(LIMIT)
        os.kill(pid, signal.SIGKILL)  # the next one loads as slowly
        while isinstance(worker.pid().exception(LIMIT), corps.EnvLost):
            pass
        assert worker.pid().result(LIMIT) != pid
    assert not said(caplog, "hang")


def test_a_booting_process_that_was_stopped_finds_nobody_dead(path: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import corps, sys\n"
        f"with corps.boot({str(path)!r}, envs=3, config={{'beat': {SHORT!r}}}) as app:\n"
        f"    worker = app.supervised().ret\n"
        f"    pid = worker.pid().ret\n"
        f"    print('ready', flush=True)\n"
        f"    sys.stdin.readline()\n"
        f"    assert worker.pid().ret == pid\n"
    )
    root = Path(corps.__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGSTOP)
        threading.Event().wait(1.5)
        process.send_signal(signal.SIGCONT)
        _, errors = process.communicate("go on\n", timeout=LIMIT)
        assert process.returncode == 0, errors
        assert "hang" not in errors
        assert "lost" not in errors
    finally:
        process.kill()
        process.wait()


CROWDED = """
import corps, os, time

if os.path.exists({slow!r}):
    time.sleep(1.0)

class Child(corps.Conc):
    def pid(self):
        return os.getpid()

class Caller(corps.Conc):
    def call(self, other):
        while True:
            try:
                return other.pid().ret
            except corps.EnvLost:  # asked before this Env knew
                pass

class App(corps.Corps):
    def __init__(self):
        late = corps.Restart(max=50, within=1000.0, backoff=(2.0, 2.0))
        self.child = corps.options(env=2, restart=late).create(Child)
        self.callers = [corps.options(env=1).create(Caller) for _ in range(10)]

    def names(self):
        return self.child, self.callers
"""


def test_a_full_window_keeps_no_main_thread_from_its_beats(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What brings a worker back does not queue behind the requests that wait for it."""
    path, slow = tmp_path / "crowded.py", tmp_path / "slow"
    path.write_text(CROWDED.format(slow=str(slow)))
    config = {"beat": {"every": 0.1, "suspect": 1.0, "dead": 3.0}, "window.requests": 3}
    with corps.boot(path, envs=2, config=config) as app:
        child, callers = app.names().ret
        pid = child.pid().ret
        os.kill(pid, signal.SIGKILL)  # the first time it is started again at once, the second time later
        while isinstance(child.pid().exception(LIMIT), corps.EnvLost):
            pass
        pid = child.pid().result(LIMIT)
        slow.touch()
        os.kill(pid, signal.SIGKILL)
        wait_until_said(caplog, f"env2 is lost: its process (pid {pid}) was killed by SIGKILL")
        answers = [caller.call(child) for caller in callers]
        assert {answer.result(LIMIT) for answer in answers} == {child.pid().result(LIMIT)}
    assert not said(caplog, "hang")
