"""Claims about many boots: whatever came and went, nothing is left."""

import gc
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil
import pytest

import corps
from corps.testing.leaks import Snapshot

ROOT = Path(__file__).parents[2]
BOOTS = 50
INTERRUPTS = 12
AT_ONCE = 5

APP = """
import corps

class Half(corps.Conc):
    def half(self, n):
        return n / 2

    async def later(self, n):
        return n

class App(corps.Corps):
    def __init__(self):
        self.halves = corps.options().create_per_env(1, Half)

    def quarter(self, n):
        return self.halves[1].half(self.halves[0].half(n).ret).ret + self.halves[1].later(0).ret
"""


@pytest.fixture
def app_file(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


@pytest.mark.stress
def test_fifty_boots_and_ends_leave_nothing_behind(app_file: Path) -> None:
    with corps.boot(app_file, envs=2):  # what is made once and kept is made now
        pass
    gc.collect()
    before = Snapshot.take()
    for number in range(BOOTS):
        with corps.boot(app_file, envs=2) as app:
            assert app.quarter(4 * number).ret == number
    assert before.leaks() == []


@pytest.mark.stress
def test_boots_in_five_threads_at_once_leave_nothing_behind(app_file: Path) -> None:
    start, got = threading.Barrier(AT_ONCE), []

    def work(number: int) -> None:
        start.wait()
        for _ in range(2):
            with corps.boot(app_file, envs=2) as app:
                got.append(app.quarter(4 * number).ret)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(2 * list(range(AT_ONCE)))


@pytest.mark.stress
def test_boots_that_fail_leave_nothing_behind(app_file: Path) -> None:
    broken = app_file.with_name("broken.py")
    broken.write_text(APP + "\n    def cleanup(self):\n        pass\n\n1 / 0\n")
    for _ in range(10):
        with pytest.raises(corps.LoadError):
            corps.boot(broken, envs=2)


SCRIPT = """
import corps
print("begins", flush=True)
with corps.boot({path!r}, envs=2) as app:
    app.quarter(4).ret
"""


@pytest.mark.stress
def test_ctrl_c_at_any_moment_leaves_nothing_behind(app_file: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    script = app_file.with_name("script.py")
    script.write_text(SCRIPT.format(path=str(app_file)))
    for _ in range(INTERRUPTS):
        process = subprocess.Popen(
            [sys.executable, str(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        # Not to wait for something: the moment of the fault is what is varied.
        threading.Event().wait(moments.uniform(0.0, 0.4))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode in (-signal.SIGINT, 0, 1), errors
        assert "InternalError" not in errors
        parent = f'"parent_pid": {process.pid},'
        left = [
            each
            for each in psutil.process_iter(["cmdline"])
            if parent in " ".join(each.info["cmdline"] or ())
        ]
        assert psutil.wait_procs(left, timeout=10)[1] == []
        assert list(Path(tempfile.gettempdir()).glob(f"corps-{process.pid}-*")) == []
