"""Claims about the `corps` command: what it prints where, how it ends, and with which exit status."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import corps
from tests.quiet import said_by

ROOT = Path(__file__).parents[2]
LIMIT = 20.0
COMMAND = [sys.executable, "-m", "corps.cli.main"]

RUNS = """
import corps
from pathlib import Path

class App(corps.Corps):
    def run(self, first: int, second: float = 0.5, sure: bool = False, *rest: Path):
        print("working", flush=True)
        if first == 13:
            raise ValueError("thirteen")
        return None if first == 0 else (first, second, sure, [str(path) for path in rest])
"""

SERVES = """
import corps, os, threading

class App(corps.Corps):
    def __init__(self):
        self.log = os.environ["TEST_LOG"]
        print("up", os.getpid(), flush=True)

    def cleanup(self):
        with open(self.log, "a") as file:
            file.write("cleanup")
        if os.path.exists(self.log + ".hang"):
            threading.Event().wait()
"""


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / "app.py"
        path.write_text(textwrap.dedent(text))
        return path

    return to_file


def environment(directory: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TEST_LOG": str(directory / "log"), "COLUMNS": "200"}


def command(directory: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *words],
        cwd=directory,
        env=environment(directory),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


# corps run, with a method run


def test_run_is_called_and_its_result_printed(write: Write, tmp_path: Path) -> None:
    write(RUNS)
    done = command(tmp_path, "run", "app.py", "--envs", "1", "--tag", "mine", "--", "7", "1.5", "yes", "-x")
    assert (done.returncode, said_by(done.stderr)) == (0, "")
    assert done.stdout == "working\n(7, 1.5, True, ['-x'])\n"


def test_the_result_none_is_not_printed(write: Write, tmp_path: Path) -> None:
    write(RUNS)
    done = command(tmp_path, "run", "app.py", "0")
    assert (done.returncode, done.stdout, said_by(done.stderr)) == (0, "working\n", "")


def test_what_run_yields_is_printed_line_by_line(write: Write, tmp_path: Path) -> None:
    write("import corps\nclass App(corps.Corps):\n    def run(self):\n        yield 1\n        yield 'two'\n")
    assert command(tmp_path, "run", "app.py").stdout == "1\ntwo\n"


def test_a_constructor_may_call_run(write: Write, tmp_path: Path) -> None:
    """Was a defect: it waited for the end of the start, of which it is a part."""
    text = "import corps\nclass App(corps.Corps):\n    def __init__(self): self.first = self.run()\n"
    write(text + "    def run(self): return 'ran'\n")
    done = command(tmp_path, "run", "--envs=1", "app.py")
    assert (done.returncode, done.stdout) == (0, "ran\n")


def test_an_error_of_run_is_shown_with_the_frames_of_the_application_only(
    write: Write, tmp_path: Path
) -> None:
    write(RUNS)
    done = command(tmp_path, "run", "app.py", "--", "13")
    assert (done.returncode, done.stdout) == (1, "working\n")
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert done.stderr.endswith("ValueError: thirteen\n")
    assert "corps/" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--", "x"], "FIRST wants a whole number, not 'x'"),
        (["--", "1", "x"], "SECOND wants a number"),
        (["--", "1", "2", "perhaps"], "SURE wants true or false"),
        ([], "FIRST is missing; run takes: FIRST [SECOND] [SURE] [REST]..."),
        (["--envs", "0"], "0 is not in the range"),
        (["--set", "nope=1"], "nope (argument nope): no such setting"),
        (["--set", "envs"], "'envs' wants to be KEY=VALUE"),
        (["--init", "more=1"], "(--init): more is no argument of it; it takes: no arguments"),
        (["--config", "missing.toml"], "there is no configuration file"),
        (["--tag", "not a tag"], "tag = 'not a tag'"),
    ],
)
def test_what_is_not_understood_is_an_error_of_usage(
    write: Write, tmp_path: Path, words: list[str], said: str
) -> None:
    write(RUNS)
    done = command(tmp_path, "run", "app.py", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_option_before_the_application_is_an_error_and_after_it_is_a_word(
    write: Write, tmp_path: Path
) -> None:
    write("import corps\nclass App(corps.Corps):\n    def run(self, *words): return words\n")
    done = command(tmp_path, "run", "--envs=1", "app.py", "--flag", "-x", "y")
    assert done.stdout == "('--flag', '-x', 'y')\n"
    done = command(tmp_path, "run", "--env=1", "app.py")
    assert done.returncode == 2
    assert re.search(r"No such option:? '?--env=1'?.*--envs", done.stderr)  # in the words of click


PROGRAM = """
import corps, sys

class App(corps.Corps):
    def __init__(self, size: int, *, sure: bool = False):
        self.made = size, sure

    def run(self, what, *more):
        if what == "read":
            return input("> "), sys.stdin.read(), self.made
        sys.exit(*map(int, more)) if what == "exit" else sys.exit("no luck")
"""


def test_run_reads_the_stdin_of_the_command_and_has_arguments_for_its_constructor(
    write: Write, tmp_path: Path
) -> None:
    write(PROGRAM)
    with subprocess.Popen(
        [*COMMAND, "run", "app.py", "--init", "size=3", "--init", "sure=yes", "--set", "envs=1", "read"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        out, _ = process.communicate("first\nsecond\nthird", timeout=LIMIT)
    assert out == "> ('first', 'second\\nthird', (3, True))\n"


def test_without_a_needed_argument_of_the_constructor_that_is_told(write: Write, tmp_path: Path) -> None:
    write(PROGRAM)
    done = command(tmp_path, "run", "app.py", "read")
    assert (done.returncode, done.stdout) == (2, "")
    assert "size is missing; it takes: size=... sure=..." in done.stderr


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [(["exit", "7"], 7, ""), (["exit"], 0, ""), (["exit", "300"], 44, ""), (["text"], 1, "no luck\n")],
)
def test_what_run_gives_to_sys_exit_is_the_exit_status(
    write: Write, tmp_path: Path, words: list[str], status: int, said: str
) -> None:
    write(PROGRAM.replace("size: int", "size: int = 0"))
    done = command(tmp_path, "run", "--envs=1", "app.py", *words)
    assert (done.returncode, done.stdout, said_by(done.stderr)) == (status, "", said)


@pytest.mark.parametrize("words", [["--help"], ["config"], ["run", "--envs=1", "app.py", "1"]])
def test_a_full_disk_is_told_in_words(write: Write, tmp_path: Path, words: list[str]) -> None:
    write(RUNS.replace('print("working", flush=True)', "pass"))
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    assert (done.returncode, said_by(done.stderr)) == (1, "corps: No space left on device\n")


def test_nothing_of_the_help_is_cut_off(tmp_path: Path) -> None:
    shown = subprocess.run(
        [*COMMAND, "--help"], env={**environment(tmp_path), "COLUMNS": "80"}, capture_output=True, text=True
    ).stdout
    assert "..." not in shown.partition("Commands:")[2]


@pytest.mark.parametrize("source", ["missing.py", "missing_module", "missing.module:App"])
def test_a_source_that_is_not_there_is_an_error_of_usage(tmp_path: Path, source: str) -> None:
    done = command(tmp_path, "run", source)
    assert done.returncode == 2
    assert done.stderr.startswith("corps: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def broken(:", "line 1: SyntaxError"),
        ("x = 1", "defines no subclass"),
        ("print('on the way')\n1 / 0", "ZeroDivisionError: division by zero"),
        ("import os\nprint('on the way')\nos._exit(3)", "exit status 3"),
        (
            "import corps\nclass App(corps.Corps):\n    def __init__(self):\n"
            "        print('on the way')\n        raise KeyError('mine')",
            "KeyError: 'mine'",
        ),
    ],
)
def test_an_application_that_does_not_start_is_its_own_error(
    write: Write, tmp_path: Path, text: str, said: str
) -> None:
    write(text)
    done = command(tmp_path, "run", "app.py", "--envs", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    shown = done.stderr.count("on the way\n")
    if "__init__" in text or not text.count("'on the way'"):
        assert shown == text.count("'on the way'")
    else:
        assert shown in (1, 2), "the front and env1 load the file, if the first to fail leaves them the time"
    assert "corps/" not in done.stderr
    assert "frozen" not in done.stderr


def test_modules_of_the_current_directory_can_be_run(write: Write, tmp_path: Path) -> None:
    write(RUNS)
    done = command(tmp_path, "run", "app:App", "3")
    assert done.stdout.endswith("(3, 0.5, False, [])\n")


# corps run, serving


class Server:
    """The command while it serves."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            [*COMMAND, "run", "app.py", "--envs", "2"],
            cwd=directory,
            env=environment(directory),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stderr is not None
        # What an application prints before it has booted goes to stderr.
        self.home = psutil.Process(int(self.process.stderr.readline().split()[1]))
        template = self.home.parent()
        assert template is not None
        self.template = template

    def wait_until_serving(self) -> None:
        assert self.process.stderr is not None
        assert self.process.stderr.readline() == "corps: serving; Ctrl-C or SIGTERM ends it\n"

    def end(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=LIMIT)
        psutil.wait_procs([self.home, self.template], timeout=LIMIT)
        return self.process.returncode, errors

    @property
    def noted(self) -> str:
        log = self.directory / "log"
        return log.read_text() if log.exists() else ""


@pytest.fixture
def server(write: Write, tmp_path: Path) -> Iterator[Server]:
    write(SERVES)
    server = Server(tmp_path)
    yield server
    server.process.kill()
    server.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_service_in_order(server: Server, number: signal.Signals) -> None:
    server.wait_until_serving()
    os.killpg(server.process.pid, number)
    assert server.end() == (0, "")
    assert server.noted == "cleanup"


def test_a_second_signal_ends_a_service_at_once(server: Server, tmp_path: Path) -> None:
    (tmp_path / "log.hang").write_text("")
    server.wait_until_serving()
    server.process.send_signal(signal.SIGTERM)
    pause = threading.Event()
    while server.noted != "cleanup":
        pause.wait(0.01)  # another process writes it, and wakes nobody here
    server.process.send_signal(signal.SIGINT)
    status, errors = server.end()
    assert (status, errors) == (130, "")


def test_the_loss_of_the_corps_object_is_an_error_with_its_reason(server: Server) -> None:
    server.wait_until_serving()
    server.home.kill()
    status, errors = server.end()
    assert status == 1
    assert errors.count("the Corps object is lost with its Env, the front") == 1
    assert "SIGKILL" in errors
    assert "Traceback" not in errors


def test_words_for_a_service_are_an_error_of_usage(write: Write, tmp_path: Path) -> None:
    write(SERVES)
    done = command(tmp_path, "run", "app.py", "word")
    assert done.returncode == 2
    assert "'word' is one too many" in done.stderr


def test_a_signal_that_cuts_run_short_is_the_exit_status(write: Write, tmp_path: Path) -> None:
    write(
        "import corps, sys, threading\nclass App(corps.Corps):\n    def run(self):\n"
        "        print('in run', flush=True)\n        threading.Event().wait()\n"
    )
    (tmp_path / "corps.toml").write_text("exit_timeout = 0.1\ngrace = 0.3\n")
    with subprocess.Popen(
        [*COMMAND, "run", "app.py"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in run\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + signal.SIGTERM


# corps config, corps --version


def test_config_shows_each_value_with_its_source(write: Write, tmp_path: Path) -> None:
    write(RUNS)
    (tmp_path / "corps.toml").write_text("envs = 3\n")
    done = command(tmp_path, "config", "app.py")
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert lines["envs"].split() == ["envs", "=", "3", "#", "file", str(tmp_path / "corps.toml")]
    assert lines["threads.max"].endswith("# default")
    assert command(tmp_path, "config").stdout == done.stdout
    (tmp_path / "other.toml").write_text("nonsense = 3\n")
    refused = command(tmp_path, "config", "--config", "other.toml")
    assert refused.returncode == 2
    assert "nonsense" in refused.stderr


def test_config_is_json_for_programs_and_works_in_a_folder_that_is_gone(tmp_path: Path) -> None:
    done = command(tmp_path, "config", "--json", "--set", "threads.max=7")
    assert json.loads(done.stdout)["threads.max"] == {"value": 7, "source": "argument threads.max"}
    gone = tmp_path / "gone"
    code = f"import os, sys; os.mkdir({str(gone)!r}); os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})"
    code += f"; os.execv(sys.executable, [*{COMMAND!r}, 'config'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert (done.returncode, said_by(done.stderr)) == (0, "")
    assert done.stdout.startswith("envs ")


def test_config_is_a_table_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [*COMMAND, "config"], cwd=tmp_path, env=environment(tmp_path), stdout=theirs
        )
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # the other side has been closed
                break
        assert process.wait(LIMIT) == 0
    finally:
        os.close(ours)
    assert "┃" in shown.decode()
    assert "boot_timeout" in shown.decode()


def test_the_version_is_told(tmp_path: Path) -> None:
    assert command(tmp_path, "--version").stdout == f"corps {corps.__version__}\n"
