"""Claims about what runs natively: the tools of Python still see the author's code, and signals are heard."""

import inspect
import os
import pydoc
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
import typing
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import corps
from corps import core
from corps.core import pure_function, pure_of
from corps.wire.frames import request_frame


class Worker(corps.Conc):
    def add(self, a: int, b: int) -> int:
        return a + b

    def fails(self) -> None:
        raise ValueError("wrong")

    def sleeps(self, seconds: float) -> str:
        time.sleep(seconds)
        return "awake"

    def stops(self) -> str:
        local = "here"
        breakpoint()
        return local


class Asker(corps.Conc):
    def ask(self, worker: "corps.Name[Worker]") -> Any:
        return worker.add(1, 2).ret

    def asks_for_failure(self, worker: "corps.Name[Worker]") -> None:
        worker.fails().ret  # noqa: B018


@pytest.fixture
def env() -> Iterator[Any]:
    with corps.env() as env:
        yield env


def test_a_tracer_sees_each_line_of_a_method_that_a_waiting_worker_runs() -> None:
    lines: set[str] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != __file__:
            return None
        if event == "line":
            lines.add(frame.f_code.co_name)
        return trace

    threading.settrace(trace)
    try:
        with corps.env() as env:
            worker, asker = env.create(Worker), env.create(Asker)
            assert asker.ask(worker).result(20) == 3
    finally:
        threading.settrace(None)
    assert {"ask", "add"} <= lines


def test_a_breakpoint_of_a_method_stops_in_its_frame(env: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(sys, "breakpointhook", lambda: seen.append(sys._getframe(1).f_locals))
    assert env.create(Worker).stops().result(20) == "here"
    assert seen[0]["local"] == "here"


def test_a_traceback_shows_the_authors_lines_and_none_of_the_core(env: Any) -> None:
    worker, asker = env.create(Worker), env.create(Asker)
    with pytest.raises(ValueError, match="wrong") as caught:
        asker.asks_for_failure(worker).result(20)
    notes = "\n".join(caught.value.__notes__)
    assert "worker.fails().ret" in notes
    assert 'raise ValueError("wrong")' in notes
    assert "corps._core" not in notes
    own = "".join(traceback.format_exception(caught.value, limit=1))
    assert "asker.asks_for_failure(worker).result(20)" in own


def test_what_the_handler_of_a_signal_raises_ends_a_wait_and_nothing_else(env: Any) -> None:
    worker = env.create(Worker)

    def raises(*_: object) -> None:
        raise TimeoutError("enough")

    before = signal.signal(signal.SIGALRM, raises)
    try:
        waits: list[Callable[[Any], object]] = [lambda f: f.ret, lambda f: f.result(), lambda f: f.result(20)]
        for wait in waits:
            future = worker.sleeps(0.2)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(TimeoutError, match="enough"):
                wait(future)
            assert future.result(20) == "awake"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_signal_while_the_main_thread_asks_tears_nothing(env: Any) -> None:
    worker = env.create(Worker)

    class Stop(Exception):
        pass

    def raises(*_: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGALRM, raises)
    stopped = answered = 0
    try:
        for _ in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0004)
                while True:
                    assert worker.add(1, 2).ret == 3
                    answered += 1
            except Stop:
                stopped += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (stopped, answered > 0) == (300, True)
    assert worker.add(2, 2).result(20) == 4
    assert env.statistics()["threads"]["ready"] == 0


def test_a_child_of_a_fork_answers_for_no_worker(env: Any) -> None:
    worker = env.create(Worker)
    assert worker.add(1, 1).result(20) == 2
    child = os.fork()
    if not child:
        try:
            worker.add(1, 1).result(5)
        except corps.ClosedError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert worker.add(2, 2).result(20) == 4


def test_futures_are_weakly_referenced_and_subclassed_as_before(env: Any) -> None:
    future: Any = env.create(Worker).add(1, 2)
    weak = weakref.ref(future)
    assert future.result(20) == 3
    assert weak() is not None
    assert issubclass(corps.Promise, corps.Future)
    del future
    assert weak() is None


def test_both_cores_run_the_same_program() -> None:
    program = (
        "import corps\n"
        "class Adder(corps.Conc):\n"
        "    def add(self, a, b): return a + b\n"
        "with corps.env() as env:\n"
        "    from corps import core\n"
        "    print(core.name, env.create(Adder).add(1, 2).ret)\n"
    )
    for wanted, name in ("0", core.name), ("1", "pure"):
        environ = {**os.environ, "CORPS_PURE": wanted}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
        )
        assert done.stdout == f"{name} 3\n" or os.environ.get("CORPS_PURE")


def test_native_methods_show_the_names_and_annotations_of_the_python_ones() -> None:
    pure = pure_of(corps.Future)
    for name in ("result", "settle", "when_settled", "remove_callback", "done"):
        method, its = getattr(corps.Future, name), getattr(pure, name)
        assert inspect.signature(method) == inspect.signature(its)
        assert typing.get_type_hints(method) == typing.get_type_hints(its)
        assert inspect.getdoc(method) == inspect.getdoc(its)
    assert inspect.signature(request_frame) == inspect.signature(pure_function(request_frame))
    text = pydoc.plain(pydoc.render_doc(corps.Future.result))
    assert "result(self, timeout: float | None = None)" in text


IN_ANOTHER_INTERPRETER = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
program = f'''
import sys
sys.path[:] = {sys.path!r}
try:
    from corps import Conc
except ImportError as error:
    print(error, flush=True)
'''
failure = interpreters.run_string(interpreters.create(), program)
assert failure is None, failure
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before 3.12 none knows in which interpreter it runs")
def test_another_interpreter_of_the_process_is_refused() -> None:
    program = [sys.executable, "-c", IN_ANOTHER_INTERPRETER]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("corps cannot run in a sub-interpreter")


SPIED = """
import sys
import corps

class Sleeper(corps.Conc):
    def an_authors_method(self):
        print("asleep", flush=True)
        sys.stdin.read()

class Asker(corps.Conc):
    def another_method(self, sleeper):
        return sleeper.an_authors_method().ret

with corps.env() as env:
    env.create(Asker).another_method(env.create(Sleeper)).result()
"""


@pytest.mark.parametrize("more", [[], ["--native"]], ids=["python", "native"])
def test_py_spy_shows_the_authors_frames(more: list[str]) -> None:
    py_spy = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if py_spy is None:
        pytest.skip("py-spy is not installed")
    command = [sys.executable, "-c", SPIED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "asleep\n"
        dump = [py_spy, "dump", *more, "--pid", str(process.pid)]
        seen = subprocess.run(dump, capture_output=True, text=True, timeout=100)
        process.stdin.close()
    if "Permission Denied" in seen.stderr or "Operation not permitted" in seen.stderr:
        pytest.skip("the system lets no process look into another one")
    if "Failed to find a python interpreter" in seen.stderr or "Unsupported version" in seen.stderr:
        pytest.skip("py-spy does not know this interpreter")
    assert seen.returncode == 0, seen.stderr
    assert "an_authors_method" in seen.stdout
    assert "another_method" in seen.stdout
