"""Claims about the end of a Corps: in order where it is asked for, typed errors where something dies."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import corps
from corps.launchers.local.runtime_dir import PREFIX
from tests.quiet import said_by

ROOT = Path(__file__).parents[2]
LIMIT = 20.0

APP = """
import corps, os, signal, threading

class Child(corps.Conc):
    def __init__(self, log, name):
        self.log, self.name = log, name

    def cleanup(self):
        note(self.log, self.name)

    def pid(self):
        return os.getpid()

    def wait(self):
        threading.Event().wait()

    def note_and_wait(self):
        note(self.log, self.name + " waits")
        threading.Event().wait()

    def ask(self, other):
        try:
            return other.wait().ret
        except corps.CorpsError as error:
            return type(error).__name__, error.executed

    def ask_to_leave(self, app):
        app.leave()

    def end_and_wait(self, app):
        app.exit().result(20)

def note(log, text):
    with open(log, "a") as file:
        file.write(text + "\\n")

class App(corps.Corps):
    def __init__(self, log, cleanup="app"):
        self.log, self.text = log, cleanup
        self.children = [corps.options(env=env).create(Child, log, f"child{env}") for env in self.envs()]

    def envs(self):
        return [1, 2]

    def pid(self):
        return os.getpid()

    def leave(self):
        self.my_name().exit()

    def wait(self):
        threading.Event().wait()

    def child(self, number):
        return self.children[number]

    def cleanup(self):
        note(self.log, self.text)
        if self.text == "raises":
            raise ValueError("cleanup went wrong")
        if self.text == "hangs":
            threading.Event().wait()
        if self.text == "waits":
            while not os.path.exists(self.log.replace("log", "go on")):
                threading.Event().wait(0.01)
            note(self.log, "went on")
        if self.text == "dies":
            os._exit(9)
"""


class Case:
    """An application in a file, and the file in which its workers note their ends."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "app.py"
        self.path.write_text(APP)
        self.log = directory / "log"
        self.log.write_text("")

    def boot(self, *args: Any, **config: Any) -> Any:
        return corps.boot(self.path, str(self.log), *args, envs=2, config=config or None)

    def noted(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


IN_ORDER = ["child1", "child2", "app"]


def ended_in(case: Case) -> list[str]:
    """Who has ended, those sorted that end at the same time."""
    *children, app = case.noted()
    return [*sorted(children), app]


# Ends that are asked for


def test_children_end_before_their_mgr(case: Case) -> None:
    with case.boot():
        pass
    assert ended_in(case) == IN_ORDER


def test_exit_is_done_when_nothing_is_left(case: Case) -> None:
    app = case.boot()
    pids = [app.pid().ret, app.child(1).ret.pid().ret]
    app.exit().result(LIMIT)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert ended_in(case) == IN_ORDER
    app.exit().result(LIMIT)
    with pytest.raises(corps.ClosedError):
        app.pid().result(LIMIT)


def test_many_exits_and_the_with_block_are_one_end(case: Case) -> None:
    with case.boot() as app:
        ends = [app.exit() for _ in range(5)]
        threads = [threading.Thread(target=lambda: ends.append(app.exit())) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [end.result(LIMIT) for end in ends] == [None] * 10
    assert ended_in(case) == IN_ORDER


def test_a_worker_cannot_end_its_corps(case: Case) -> None:
    with case.boot() as app:
        with pytest.raises(
            corps.NotPermitted, match=r"can be ended by its Mgr, by itself and by the operator"
        ):
            app.child(1).ret.end_and_wait(app).result(LIMIT)
        assert app.envs().ret == [1, 2]


def test_a_worker_can_ask_its_corps_to_end(case: Case) -> None:
    app = case.boot(exit_timeout=0.3)
    app.child(1).ret.ask_to_leave.send(app)
    wait_for_the_end(app)
    assert case.noted()[-1] == "app"


def test_the_corps_can_end_itself(case: Case) -> None:
    app = case.boot()
    app.leave().result(LIMIT)
    wait_for_the_end(app)
    assert ended_in(case) == IN_ORDER


def test_a_constructor_can_end_the_corps(case: Case) -> None:
    case.path.write_text(
        "import corps\nclass App(corps.Corps):\n    def __init__(self, log):\n        self.my_name().exit()\n"
    )
    for _ in range(5):
        wait_for_the_end(case.boot())


def test_a_callback_can_end_the_corps(case: Case) -> None:
    app, ends = case.boot(), []
    asked = threading.Event()

    def end(_: object) -> None:
        ends.append(app.exit())
        asked.set()

    app.pid().add_done_callback(end)
    assert asked.wait(LIMIT)
    assert ends[0].result(LIMIT) is None
    assert ended_in(case) == IN_ORDER


def wait_for_the_end(app: Any) -> None:
    """Without asking for it."""
    assert app._running.is_over.wait(LIMIT)
    assert app.exit().result(LIMIT) is None


def test_workers_of_the_script_end_before_the_application(case: Case, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import corps, os
            class Mine(corps.Conc):
                def __init__(self, app):
                    self.app = app
                def cleanup(self):
                    line = f"mine {{self.my_env()}} {{self.app.envs().ret}}\\n"
                    os.write(1, line.encode())  # two processes at the same time
            with corps.boot({str(case.path)!r}, {str(case.log)!r}, envs=2) as app:
                corps.options(env="here").create(Mine, app)
                corps.options(env=2).create(Mine, app)
            """
        )
    )
    done = run_script(script)
    assert sorted(done.stdout.splitlines()) == ["mine 0 [1, 2]", "mine 2 [1, 2]"]
    assert said_by(done.stderr) == ""
    assert ended_in(case) == IN_ORDER


def test_a_cleanup_that_raises_is_told_and_ends_nothing_early(case: Case) -> None:
    app = case.boot("raises")
    with pytest.raises(corps.RemoteError, match="cleanup went wrong"):
        app.exit().ret  # noqa: B018  # waits
    assert ended_in(case) == ["child1", "child2", "raises"]
    app.exit().result(LIMIT)
    with pytest.raises(ValueError, match="cleanup went wrong"), case.boot("raises"):
        pass


def test_a_cleanup_that_hangs_is_given_up(case: Case) -> None:
    with case.boot("hangs", exit_timeout=0.2, grace=0.5):
        pass
    assert ended_in(case) == ["child1", "child2", "hangs"]


def test_a_process_that_dies_in_a_cleanup_does_not_hold_up_the_end(case: Case) -> None:
    with pytest.raises(corps.CorpsLost, match=r"while the Corps ended: .* exit status 9"), case.boot("dies"):
        pass
    assert ended_in(case) == ["child1", "child2", "dies"]


def test_a_script_that_forgets_the_end_ends_in_order(case: Case, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import corps\n"
        f"app = corps.boot({str(case.path)!r}, {str(case.log)!r}, envs=2)\n"
        f"print(app.envs().ret)\n"
    )
    done = run_script(script)
    assert (done.stdout, said_by(done.stderr)) == ("[1, 2]\n", "")
    assert ended_in(case) == IN_ORDER


def test_an_env_that_is_never_left_ends_with_the_interpreter(tmp_path: Path) -> None:
    """Was a defect: no `cleanup()` was called."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import corps, os
            class Child(corps.Conc):
                def cleanup(self):
                    os.write(1, b"child\\n")  # three at the same time
            class Mine(corps.Conc):
                def __init__(self):
                    corps.options().create_many(3, Child)
                def cleanup(self):
                    os.write(1, b"mine\\n")
            corps.env().create(Mine)
            """
        )
    )
    done = run_script(script)
    assert done.stdout == "child\n" * 3 + "mine\n"
    assert said_by(done.stderr) == ""


def test_a_forked_child_of_the_script_ends_nothing(case: Case, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import corps, os, sys
            with corps.boot({str(case.path)!r}, {str(case.log)!r}, envs=2) as app:
                pid = os.fork()
                if pid == 0:
                    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
                    import atexit
                    atexit._run_exitfuncs()
                    os._exit(0)
                os.waitpid(pid, 0)
                print(app.envs().ret)
            """
        )
    )
    assert run_script(script).stdout == "[1, 2]\n"
    assert ended_in(case) == IN_ORDER


# Deaths


@pytest.mark.parametrize("stop", [False, True])
def test_a_killed_process_ends_every_wait_for_it(case: Case, stop: bool) -> None:
    with case.boot() as app:
        near, far = app.child(0).ret, app.child(1).ret
        pid = far.pid().ret
        waiting = [far.wait() for _ in range(20)]
        elsewhere = near.ask(far)
        if stop:
            os.kill(pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        executed = []
        for future in waiting:
            error = future.exception(LIMIT)
            assert isinstance(error, corps.EnvLost)
            assert error.reason == "killed"
            executed.append(error.executed)
        assert executed[1:] == ["no"] * 19, "they waited behind the first one"
        # It may have asked before the death or after it.
        assert elsewhere.result(LIMIT) in [("EnvLost", "no"), ("WorkerGone", "no")]
        later = far.pid().exception(LIMIT)
        assert isinstance(later, corps.WorkerGone), "its Env has another process, without it"
        assert later.executed == "no"
        assert near.ask(far).result(LIMIT) == ("WorkerGone", "no")
        assert app.envs().ret == [1, 2]
    assert case.noted() == ["child1", "app"]


def test_the_death_of_the_front_ends_the_corps_and_is_raised(case: Case) -> None:
    app = case.boot()
    pid = app.pid().ret
    waiting = app.wait()
    os.kill(pid, signal.SIGKILL)
    assert isinstance(waiting.exception(LIMIT), corps.EnvLost)
    assert app._running.is_over.wait(LIMIT)
    with pytest.raises(corps.CorpsLost, match=r"the front: .* SIGKILL; .* restart = corps\.Restart\(\)"), app:
        pass
    assert sorted(case.noted()) == ["child1", "child2"], "orphans end in order"


def test_the_death_of_the_template_is_that_of_all_its_processes(case: Case) -> None:
    app = case.boot()
    waiting = [app.child(0).ret.wait(), app.child(1).ret.wait()]
    template = psutil.Process(app.pid().ret).parent()
    assert template is not None
    template.kill()
    for future in waiting:
        assert isinstance(future.exception(LIMIT), corps.EnvLost)
    with pytest.raises(corps.SupervisionError, match="template died"):
        app.exit().result(LIMIT)


def test_a_template_that_is_stopped_does_not_hold_up_the_end(case: Case) -> None:
    """Was a defect: nobody could be killed any more, and the end never came."""
    with case.boot(grace=0.3, shutdown_timeout=2.0) as app:
        front, pids = app.pid().ret, [app.child(which).ret.pid().ret for which in (0, 1)]
        template = psutil.Process(front).parent()
        assert template is not None
        template.suspend()
        for pid in (front, *pids):
            os.kill(pid, signal.SIGSTOP)
    assert not any(psutil.pid_exists(pid) for pid in (template.pid, front, *pids))


def test_what_did_not_end_in_time_is_killed_and_named(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    with case.boot(exit_timeout=LIMIT, shutdown_timeout=2.0) as app:
        hanging = app.child(0).ret.note_and_wait()
        wait_until_noted(case, "child1 waits")
    assert isinstance(hanging.exception(0), corps.EnvLost)
    told = [record.getMessage() for record in caplog.records if record.name == "corps.launch"]
    assert any(
        re.search(r"the end waits for Child \S+ in note_and_wait\(\) .* another Ctrl-C", text)
        for text in told
    )
    assert any(re.search(r"shutdown_timeout = 2 s.* Child \S+ in note_and_wait\(\)", text) for text in told)


@pytest.mark.parametrize("which", [0, 1])
def test_a_stopped_process_does_not_hold_up_the_end(case: Case, which: int) -> None:
    with case.boot(grace=0.3) as app:
        pid = app.child(which).ret.pid().ret
        os.kill(pid, signal.SIGSTOP)
    assert not psutil.pid_exists(pid)


def test_a_callback_that_blocks_on_a_lost_env_holds_up_no_other(case: Case) -> None:
    with case.boot() as app:
        far = app.child(1).ret
        entered, go_on = threading.Event(), threading.Event()
        pid = far.pid().ret

        def block(_: object) -> None:
            entered.set()
            go_on.wait(LIMIT)

        far.wait().add_done_callback(block)
        os.kill(pid, signal.SIGKILL)
        assert entered.wait(LIMIT)
        assert app.envs().result(LIMIT) == [1, 2]
        go_on.set()


# The booting script dies, or is interrupted


SCRIPT = """
import corps, os, signal, sys, threading
with corps.boot({path!r}, {log!r}, {cleanup!r}, envs=2, config={{"exit_timeout": 60.0}}) as app:
    print(*[app.child(0).ret.pid().ret, app.child(1).ret.pid().ret], flush=True)
    {then}
"""


@pytest.fixture
def start(case: Case, tmp_path: Path) -> Iterator[Callable[..., tuple["subprocess.Popen[str]", list[int]]]]:
    """Starts a script that boots the application and says when it is there, in a process group of its own."""
    started: list[subprocess.Popen[str]] = []

    def begin(then: str, cleanup: str = "app") -> tuple["subprocess.Popen[str]", list[int]]:
        script = tmp_path / "script.py"
        script.write_text(SCRIPT.format(path=str(case.path), log=str(case.log), cleanup=cleanup, then=then))
        process = subprocess.Popen(
            [sys.executable, str(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=child_environment(),
        )
        started.append(process)
        assert process.stdout is not None
        return process, [int(word) for word in process.stdout.readline().split()]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def child_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def run_script(path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env=child_environment(),
        check=True,
    )


def runtime_dir_of(pid: int) -> list[str]:
    return [str(path) for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}{pid}-*")]


def test_killing_the_script_ends_everything(case: Case, start: Callable[..., Any]) -> None:
    process, pids = start("threading.Event().wait()")
    watched = [psutil.Process(pid) for pid in pids]
    template = watched[0].parent()
    assert template is not None
    assert runtime_dir_of(process.pid)
    process.kill()
    _, alive = psutil.wait_procs([*watched, template], timeout=LIMIT)
    assert alive == []
    assert runtime_dir_of(process.pid) == []


@pytest.mark.parametrize("then", ["threading.Event().wait()", "corps.Future().ret"])
def test_one_ctrl_c_is_an_orderly_end(case: Case, start: Callable[..., Any], then: str) -> None:
    process, pids = start(then)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=LIMIT)
    assert "KeyboardInterrupt" in errors
    assert ended_in(case) == IN_ORDER
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_second_ctrl_c_is_an_immediate_end(case: Case, start: Callable[..., Any]) -> None:
    process, pids = start("threading.Event().wait()", "hangs")
    os.killpg(process.pid, signal.SIGINT)
    wait_until_noted(case, "hangs")
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=LIMIT)
    assert "KeyboardInterrupt" in errors
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert runtime_dir_of(process.pid) == []


def test_a_first_ctrl_c_in_an_end_leaves_it_in_order(case: Case, start: Callable[..., Any]) -> None:
    process, _ = start("pass", "waits")
    wait_until_noted(case, "waits")
    os.killpg(process.pid, signal.SIGINT)
    case.log.with_name("go on").write_text("")
    _, errors = process.communicate(timeout=LIMIT)
    assert "KeyboardInterrupt" in errors
    assert sorted(case.noted()[:2]) == ["child1", "child2"]
    assert case.noted()[2:] == ["waits", "went on"]


def wait_until_noted(case: Case, text: str) -> None:
    waiting = threading.Event()
    while text not in case.noted():  # another process writes it, and wakes nobody here
        waiting.wait(0.01)
