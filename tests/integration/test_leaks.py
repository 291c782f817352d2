"""Claims about the leak check: each kind of leak is named, and what settles is none."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from corps.launchers.local.runtime_dir import make_runtime_dir, remove_runtime_dir
from corps.testing.leaks import Snapshot


@pytest.fixture
def before() -> Iterator[Snapshot]:
    before = Snapshot.take()
    yield before
    assert before.leaks() == []


def sleeper() -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(["sleep", "600"])
    while not psutil.Process(process.pid).cmdline():  # it is there a moment after exec has succeeded
        time.sleep(0.001)
    return process


def test_nothing_is_no_leak(before: Snapshot) -> None:
    assert before.leaks(0.0) == []


def test_a_process_is_named_with_its_command(before: Snapshot) -> None:
    with sleeper() as process:
        (line,) = before.leaks(0.0)
        process.kill()
    assert line.startswith(f"process {process.pid} ")
    assert line.endswith("sleep 600")


def test_processes_of_processes_count_whichever_thread_has_started_them(before: Snapshot) -> None:
    started, go = threading.Event(), threading.Event()

    def start() -> None:
        script = "sleep 600 & echo $!; wait"
        with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True) as shell:
            assert shell.stdout is not None
            pids.extend((shell.pid, int(shell.stdout.readline())))
            started.set()
            go.wait()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)

    pids: list[int] = []
    thread = threading.Thread(target=start)
    thread.start()
    started.wait()
    found = {int(line.split()[1]) for line in before.leaks(0.0) if line.startswith("process ")}
    go.set()
    thread.join()
    assert found == set(pids)


def test_a_thread_is_named(before: Snapshot) -> None:
    go = threading.Event()
    thread = threading.Thread(target=go.wait, name="left-behind")
    thread.start()
    assert before.leaks(0.0) == ["thread 'left-behind'"]
    go.set()
    thread.join()


def test_a_descriptor_is_named_with_what_it_points_at(before: Snapshot, tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("w") as file:
        assert before.leaks(0.0) == [f"fd {file.fileno()} -> {path}"]


def test_a_descriptor_that_took_the_number_of_another_is_found(tmp_path: Path) -> None:
    with tmp_path.joinpath("one").open("w"):
        inside = Snapshot.take()
    with tmp_path.joinpath("two").open("w"):
        assert len(inside.leaks(0.0)) == 1


def test_a_file_opened_again_is_no_leak(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w"):
        inside = Snapshot.take()
    with open(os.devnull), path.open("w"):
        assert not any(line.endswith(str(path)) for line in inside.leaks(0.0))


def test_a_runtime_directory_is_named(before: Snapshot) -> None:
    path = make_runtime_dir()
    assert before.leaks(0.0) == [f"path {path}"]
    remove_runtime_dir(path)


def test_a_runtime_directory_of_a_process_outside_of_the_family_is_no_leak(before: Snapshot) -> None:
    path = make_runtime_dir()
    foreign = path.replace(f"corps-{os.getpid()}-", f"corps-{os.getppid()}-")
    os.rename(path, foreign)
    try:
        assert before.leaks(0.0) == []
    finally:
        os.rmdir(foreign)


def test_shared_memory_is_named(before: Snapshot) -> None:
    path = f"/dev/shm/corps-{os.getpid()}-left-behind"
    with open(path, "wb"):
        pass
    try:
        assert before.leaks(0.0) == [f"path {path}"]
    finally:
        os.unlink(path)


@pytest.mark.parametrize("name", ["joblib_memmapping_folder_{}_1f_2e", "sem.loky-{}-1a2b", "psm_{}"])
def test_shared_memory_counts_for_the_process_that_it_names(before: Snapshot, name: str) -> None:
    # Those of processes that run beside us come and go while a test runs.
    mine, foreign = (Path("/dev/shm", name.format(pid)) for pid in (os.getpid(), os.getppid()))
    foreign.touch()
    mine.touch()
    try:
        assert before.leaks(0.0) == [f"path {mine}"]
    finally:
        mine.unlink()
        foreign.unlink()


def test_the_directory_of_a_user_is_no_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    inside = Snapshot.take()
    tmp_path.joinpath(f"corps-{os.getuid()}").mkdir()
    assert inside.leaks(0.0) == []
    tmp_path.joinpath(f"corps-{os.getpid()}-x").mkdir()
    assert len(inside.leaks(0.0)) == 1


# It starts another process and ends, so that this one is not of our family.
OUTSIDE = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]])
"""
HOLDER = """
import sys
with open(sys.argv[1], "w"):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_shared_memory_that_another_process_holds_open_is_no_leak(before: Snapshot) -> None:
    path = Path("/dev/shm/psm_of_another")
    command = [sys.executable, "-c", OUTSIDE, HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as outside:
        assert outside.stdin is not None
        assert outside.stdout is not None
        try:
            assert outside.stdout.readline() == "open\n"
            outside.wait()
            assert not [line for line in before.leaks(0.0) if line.startswith("path")]
        finally:
            path.unlink(missing_ok=True)  # as long as it is held: other tests look at the directory, too
            outside.stdin.close()
            outside.stdout.read()


def test_what_ends_while_it_is_waited_for_is_no_leak(before: Snapshot) -> None:
    thread = threading.Timer(0.1, lambda: None)
    thread.start()
    assert before.leaks() == []


PLUGIN_TESTS = """
import pytest, threading
import corps.testing.leaks

corps.testing.leaks.deadline_after = lambda settle: 0.0

@pytest.fixture(scope="module")
def shared():
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    yield
    go.set()
    thread.join()

def test_clean(shared):
    pass

def test_dirty():
    test_dirty.file = open(__file__)

@pytest.mark.leaks_allowed
def test_excused():
    test_excused.file = open(__file__)

def test_clean_again():
    pass
"""


def test_the_plugin_fails_the_test_that_leaks_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "test_inner.py"
    path.write_text(PLUGIN_TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "corps.testing.plugin", "-p", "no:cacheprovider", "-rA"]
    run = subprocess.run(
        [*command, "--strict-markers", str(path)],
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "4 passed, 1 error" in run.stdout, run.stdout
    assert f"-> {path}" in run.stdout
    assert "ERROR test_inner.py::test_dirty" in run.stdout
