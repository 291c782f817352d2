"""Claims about the ways in which programs are really started: each boots once, or is told what to do."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.quiet import said_by

ROOT = Path(__file__).parents[2]
MOST = 12
"""Processes that a program here may have at once; one that boots again and again has more very soon."""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str, name: str = "script.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return to_file


def run(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a program that is ended, with all that it has started, when it multiplies."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        program = psutil.Process(process.pid)
        for _ in range(1000):
            try:
                out, err = process.communicate(timeout=0.03)
                break
            except subprocess.TimeoutExpired:
                there = program.children(recursive=True)
                if len(there) > MOST:
                    break
        else:
            there = program.children(recursive=True)
        if process.poll() is None:
            for each in [program, *there]:
                each.kill()
            out, err = process.communicate()
            pytest.fail(f"{len(there)} processes, and no end: {out}\n{err}")
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def printed(directory: Path, *arguments: str) -> str:
    done = run(directory, *arguments)
    assert (done.returncode, said_by(done.stderr)) == (0, "")
    return done.stdout


POINTS = """
import corps
class Point:
    def __init__(self, x): self.x = x
class App(corps.Corps):
    def moved(self, point): return Point(point.x + 1)
with corps.boot(App, envs=1) as app:
    point = app.moved(Point(1)).ret
    print(point.x, type(point) is Point)
"""


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("tool", ()),
        ("script.ipy", ("-c", "import sys; exec(open(sys.argv[1]).read().replace('%', '#'))")),
    ],
)
def test_a_script_is_booted_whatever_its_name_is_and_whoever_runs_it(
    write: Write, tmp_path: Path, name: str, before: tuple[str, ...]
) -> None:
    write(POINTS if not name.endswith("ipy") else f"%matplotlib\n{POINTS}", name)
    assert printed(tmp_path, *before, name) == "2 True\n"


def test_a_script_is_booted_under_a_profiler(write: Write, tmp_path: Path) -> None:
    write(POINTS)
    assert printed(tmp_path, "-m", "cProfile", "script.py").startswith("2 True\n")


PACKAGE = """
import corps
print("executed as", __name__, flush=True)
class Ref: pass
class App(corps.Corps):
    def same(self):
        import package
        return package.Ref is Ref, package.App is type(self), isinstance(package.Ref(), Ref)
    def ref(self): return Ref()
"""


def test_a_module_that_its_package_imports_is_executed_once(write: Write, tmp_path: Path) -> None:
    write("from .core import App, Ref", "package/__init__.py")
    write(
        PACKAGE + 'if __name__ == "__main__":\n    with corps.boot(App, envs=1) as app:\n'
        "        print(app.same().ret, type(app.ref().ret) is Ref)\n",
        "package/core.py",
    )
    write("import corps, package\nwith corps.boot(package.App, envs=1) as app: print(app.same().ret)")
    done = run(tmp_path, "script.py")
    assert done.stdout == "executed as package.core\n(True, True, True)\n", done.stderr
    # In each of two processes, before it has started.
    assert said_by(done.stderr) == "executed as package.core\n" * 2
    done = run(tmp_path, "-W", "ignore", "-m", "package.core")
    assert done.stdout.endswith("executed as __main__\n(True, True, True) True\n")
    assert said_by(done.stderr) == "executed as package.core\n" * 2


def test_the_running_script_is_what_others_import_by_its_name(write: Write, tmp_path: Path) -> None:
    write("def ask():\n    import script\n    return script.VALUE, script.executed", "beside.py")
    write(
        """
        import corps, sys, beside
        VALUE, executed = 5, []
        executed.append(__name__)
        class App(corps.Corps):
            def ask(self): return beside.ask()
        with corps.boot(App, envs=1) as app:
            print(app.ask().ret, beside.ask())
            with corps.boot("script", envs=1) as again: print(again.ask().ret)
        """
    )
    assert printed(tmp_path, "script.py") == "(5, ['script']) (5, ['__main__'])\n(5, ['script'])\n"


def test_what_is_missing_below_the_first_boot_is_told_with_its_line(write: Write, tmp_path: Path) -> None:
    write(
        """
        import corps
        class A(corps.Corps): pass
        with corps.boot(A, envs=1): pass
        class B(corps.Corps): pass
        corps.boot(B, envs=1)
        """
    )
    done = run(tmp_path, "script.py")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "script.py has no class 'B' above" in last
    assert "script.py, line 4, where it calls corps.boot" in last
    assert 'if __name__ == "__main__":' in last


IN_A_THREAD = """
import corps, sys, threading
class App(corps.Corps):
    def hi(self): return "hi"
def go():
    try:
        with corps.boot(App, envs=1) as app: print(app.hi().ret, flush=True)
    except corps.LoadError as error:
        print(error, flush=True)
"""


def test_a_script_that_boots_in_a_thread_is_refused_with_the_line_and_the_remedy(
    write: Write, tmp_path: Path
) -> None:
    write(IN_A_THREAD + "thread = threading.Thread(target=go); thread.start(); thread.join()")
    out = run(tmp_path, "script.py").stdout
    assert "script.py, line 7: corps.boot was called while" in out
    assert 'if __name__ == "__main__":' in out
    pool = "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor().submit(go).result()"
    write(IN_A_THREAD + pool)
    assert printed(tmp_path, "script.py") == "hi\n"


def test_a_thread_that_boots_after_the_application_was_loaded_is_refused_in_an_env(
    write: Write, tmp_path: Path
) -> None:
    write(
        """
        import corps, threading
        refused = []
        class App(corps.Corps):
            def begin(self):
                begin.set(); thread.join()
                return str(refused[0])
        begin = threading.Event()
        def go():
            begin.wait()
            try: corps.boot(App, envs=1)
            except corps.BootError as error: refused.append(error)
        thread = threading.Thread(target=go, daemon=True); thread.start()
        with corps.boot(App, envs=1) as app:
            print(app.begin().ret)
        """
    )
    assert "script.py, line 11: a worker, or a thread in its process" in printed(tmp_path, "script.py")


def test_a_server_that_catches_the_end_of_loading_is_told_with_the_line(write: Write, tmp_path: Path) -> None:
    write(
        """
        import asyncio, corps, sys
        class App(corps.Corps): pass
        async def lifespan():
            try:
                async with corps.boot(App, envs=1): pass
            except BaseException as error:  # as uvicorn does
                print(error)
                sys.exit(3)
        asyncio.run(lifespan())
        """
    )
    done = run(tmp_path, "script.py")
    assert done.returncode == 3
    assert "script.py, line 6: corps.boot was called while" in done.stdout
    assert "went on to SystemExit: 3" in done.stdout


POOLS = """
import corps, concurrent.futures, multiprocessing, subprocess, sys
def square(x): return x * x
class App(corps.Corps):
    def squares(self, how):
        with multiprocessing.get_context(how).Pool(2) as pool:
            return pool.map(square, range(3))
    def script(self):
        return subprocess.run([sys.executable, "other.py"], capture_output=True, text=True, check=True).stdout
    def imports(self):
        done = subprocess.run([sys.executable, "-c", "import script"], capture_output=True, text=True)
        return done.stderr.splitlines()[-1]
"""


def test_workers_of_a_script_without_a_guard_use_pools_and_run_other_scripts(
    write: Write, tmp_path: Path
) -> None:
    write(POINTS, "other.py")
    write(
        POOLS + "with corps.boot(App, envs=1) as app:\n"
        "    print(app.squares('spawn').ret, app.squares('forkserver').ret)\n"
        "    print(app.script().ret, app.imports().ret)\n"
    )
    squares, points, refused = printed(tmp_path, "script.py").splitlines()
    assert squares == "[0, 1, 4] [0, 1, 4]"
    assert points == "2 True"
    assert "script.py, line 13: corps.boot was called while" in refused
    assert "again and again" in refused


def test_a_child_of_multiprocessing_boots_but_not_while_it_imports_the_script(
    write: Write, tmp_path: Path
) -> None:
    write(
        POINTS.replace("with corps.boot", "def main():\n  with corps.boot").replace("    p", "      p")
        + """
if __name__ == "__main__":
    import multiprocessing
    child = multiprocessing.get_context("spawn").Process(target=main)
    child.start(); child.join()
""",
    )
    # The class of the main function above is there a second time, under another name.
    assert printed(tmp_path, "script.py").split()[0] == "2"
    write(
        f"{POINTS}    import multiprocessing\n"
        "    multiprocessing.get_context('spawn').Process(target=print).start()"
    )
    done = run(tmp_path, "script.py")
    assert done.stdout == "2 True\n"
    assert "is being imported in a child process of its own program" in done.stderr


FROZEN = """
import os, sys
sys.frozen, sys.executable = True, os.path.abspath("frozen")
import corps, multiprocessing
class Point: pass
class App(corps.Corps):
    def look(self, point): return isinstance(point, Point)
    def again(self):
        import subprocess
        done = subprocess.run([sys.executable], capture_output=True, text=True)
        return done.stderr.splitlines()[-1]
"""
BOOTS = """
with corps.boot(App, envs=2) as app:
    print(app.look(Point()).ret, sys.argv[1:], app.again().ret)
"""


THREAD = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"


def test_a_frozen_program_becomes_its_own_processes(write: Write, tmp_path: Path) -> None:
    write(FROZEN + THREAD + BOOTS)  # with a thread none of them is a fork
    write(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/script.py "$@"\n', "frozen").chmod(0o755)
    out = printed(tmp_path, "script.py", "word")
    assert out.startswith("True ['word'] corps.BootError: ")
    assert "was started again by one of its own workers" in out


def test_a_frozen_program_that_does_not_come_to_its_boot_is_told_what_to_do(
    write: Write, tmp_path: Path
) -> None:
    write(FROZEN + "if 'go' in sys.argv: sys.argv.remove('go')\nelse: sys.exit(5)" + BOOTS)
    write(f'#!/bin/sh\nexec {sys.executable} {tmp_path}/script.py "$@"\n', "frozen").chmod(0o755)
    done = run(tmp_path, "script.py", "go")
    assert done.returncode == 1
    assert "ended with status 5" in done.stderr
    assert "call corps.freeze_support() as the first thing" in done.stderr


def test_an_agent_with_a_thread_in_every_python_changes_nothing(write: Write, tmp_path: Path) -> None:
    write(THREAD, "agent/sitecustomize.py")
    write("import os\nos.environ['PYTHONPATH'] += ':agent'\n" + POINTS)
    assert printed(tmp_path, "script.py") == "2 True\n"


def test_the_interpreter_of_the_processes_can_be_named(write: Write, tmp_path: Path) -> None:
    write("import corps, sys\nclass App(corps.Corps):\n    def run(self): return sys.executable", "app.py")
    write("import corps\nwith corps.boot('app.py', envs=1) as app: print(app.run().ret)")
    named = tmp_path / "other-python"
    named.symlink_to(sys.executable)
    (tmp_path / "corps.toml").write_text(f'executable = "{named}"')
    assert printed(tmp_path, "script.py") == f"{named}\n"
    (tmp_path / "corps.toml").write_text('executable = "false"')
    assert (
        "started as false, did not start: it ended with status 1. If that is no Python"
        in run(tmp_path, "script.py").stderr
    )
