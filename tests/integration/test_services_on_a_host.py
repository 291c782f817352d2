"""Claims about Corps with a life of their own on this host: how they start, are seen, and end."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import psutil
import pytest

import corps
from corps.federation.claims import Claim
from corps.federation.registry import Registry
from corps.process_stat import place_of_ids
from tests.forks import Forks
from tests.quiet import said_by
from tests.unit.federation.places import claim_of

ROOT = Path(__file__).parents[2]
LIMIT = 60.0  # seconds: a busy machine takes that long for a few interpreters
COMMAND = ["-m", "corps.cli.main"]

SERVES = """
import corps, os, sys, threading

class Index(corps.Corps):
    def __init__(self):
        print("constructed", os.getcwd(), flush=True)
        if os.path.exists("wait"):
            open("waits", "w").close()
            threading.Event().wait()

    def cleanup(self):
        print("cleanup", flush=True)
        if os.path.exists("raise"):
            raise ValueError("not today")
"""

BOOTS = """
import signal, sys, threading
import corps
from app import Index

if __name__ == "__main__":
    if "handle" in sys.argv:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with corps.boot(Index, envs=1, external=True, tag="index"):
        print("up", flush=True)
        if "raise" in sys.argv:
            raise KeyError("mine")
        if "go on" in sys.argv:
            over = threading.Event()
            signal.signal(signal.SIGTERM, lambda number, frame: over.set())
            while not over.wait(0.1):
                pass
        else:
            signal.pause()
    print("over", flush=True)
    if "go on" in sys.argv:
        input()
"""


class Host:
    """One user on one host, as the commands see them."""

    def __init__(self, directory: Path, runtime: Path, forks: Forks) -> None:
        self._forks = forks
        self.directory = directory
        self.runtime = runtime
        self.runtime.mkdir(0o700)
        self.environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_STATE_HOME": str(directory / "state"),
            "COLUMNS": "200",
        }
        self.registry = Registry(str(self.runtime / "corps"))
        (directory / "app.py").write_text(textwrap.dedent(SERVES))
        (directory / "boots.py").write_text(textwrap.dedent(BOOTS))

    def corps(self, *words: str, status: int = 0) -> "subprocess.CompletedProcess[str]":
        done = self._forks.run([*COMMAND, *words], self.directory, self.environ, LIMIT)
        assert done.returncode == status, done
        return done

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """Begin a program of Python."""
        return self._forks.begin(words, self.directory, self.environ, stdin=subprocess.PIPE)

    def begin_in_shell(self, words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["sh", "-c", " ".join([sys.executable, *COMMAND, words])],
            cwd=self.directory,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def detach(self, *words: str, tag: str = "index") -> psutil.Process:
        """Start a detached Corps; return its booting process."""
        said = self.corps("run", "app.py", "--detach", "--tag", tag, "--envs", "1", *words).stdout
        found = re.search(r"process +(\d+)", said)
        assert found is not None, said
        return psutil.Process(int(found[1]))

    def claim(self, tag: str = "index") -> Claim:
        """What stands in the registry."""
        claim = self.registry.entry(tag).claim
        assert claim is not None
        return claim

    def ps(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(self.corps("ps", "--json").stdout)
        return rows

    @property
    def log(self) -> str:
        return (self.directory / "state" / "corps" / "index.log").read_text()

    def family(self, booting: psutil.Process) -> list[psutil.Process]:
        return [booting, *booting.children(recursive=True)]

    def is_clear(self) -> bool:
        """Nothing of any Corps is left in the directories."""
        left = os.listdir(self.registry.path) if os.path.exists(self.registry.path) else []
        left += [str(path) for path in self.runtime.glob("corps-*/*")]
        return left == []


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a path that is short enough for the address of a socket."""
    with tempfile.TemporaryDirectory(prefix="h") as path:
        yield Path(path)


@pytest.fixture
def host(tmp_path: Path, short: Path, forks: Forks) -> Iterator[Host]:
    host = Host(tmp_path, short / "run", forks)
    yield host
    for entry in host.registry.all_of_user():
        if entry.claim is not None and entry.state != "stale":
            host.corps("stop", entry.tag, "--now")


def are_gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=LIMIT)
    return all(each.status() == psutil.STATUS_ZOMBIE for each in alive if each.is_running())


def wait_for(path: Path) -> None:
    pause = threading.Event()
    while not path.exists():
        pause.wait(0.01)  # another process makes it, and wakes nobody here


# corps run --detach


def test_a_detached_corps_lives_until_it_is_stopped(host: Host) -> None:
    booting = host.detach()
    family = host.family(booting)
    assert len(family) == 4  # with the template, the front and one Env
    (row,) = host.ps()
    assert (row["tag"], row["class"], row["pid"], row["envs"]) == ("index", "app:Index", booting.pid, 1)
    assert (row["state"], row["problem"]) == ("running", None)
    assert "index  " in host.corps("ps").stdout
    stopped = host.corps("stop", "index")
    assert stopped.stdout.splitlines() == [
        "index: stop accepting",
        "index: finish requests",
        "index: stand still",
        "index: stop Concs",
        "index: stop Envs",
        "index: ended",
    ]
    assert stopped.stderr == ""
    assert are_gone(family)
    assert host.is_clear()
    lines = said_by(host.log).splitlines()
    assert f"constructed {host.directory}" in lines
    assert lines[-1] == "cleanup"


def test_it_outlives_its_shell_and_a_hang_up_and_keeps_nothing_of_it_open(host: Host) -> None:
    command = " ".join(
        [sys.executable, *COMMAND, "run", "app.py", "--detach", "--tag", "index", "--envs", "1"]
    )
    # The end of file on each of the three pipes comes only when nothing has them open any more.
    reader, writer = os.pipe()
    shell = subprocess.Popen(
        ["bash", "-c", f"{command} && kill -9 $$"],
        cwd=host.directory,
        env=host.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[writer],
        start_new_session=True,
    )
    os.close(writer)
    out, errors = shell.communicate(timeout=LIMIT)
    assert (errors, shell.returncode) == (b"", -signal.SIGKILL)
    assert out.startswith(b"index is up\n")
    with open(reader, "rb") as pipe:
        assert pipe.read() == b""
    booting = psutil.Process(host.claim().pid)
    assert os.getsid(booting.pid) == booting.pid
    booting.send_signal(signal.SIGHUP)
    host.corps("stop", "index")
    assert "cleanup" in host.log


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["bad.py", "--detach", "--tag", "index", "--envs", "1"], 1, "ZeroDivisionError"),
        (["none.py", "--detach", "--tag", "index"], 2, "none.py"),
        (["app.py", "--detach", "--tag", "in dex"], 2, "cannot be the tag"),
        (["app.py", "--detach"], 2, "--tag"),
        (["app.py", "--detach", "--tag", "x", "--set", "no=1"], 2, "no such setting"),
        (["app.py", "--external"], 2, "needs a tag"),
        (["app.py", "--detach", "--tag", "x", "--log", "no/log"], 2, "--log names another one"),
        (["app.py", "--log", "log"], 2, "--log is for --detach"),
        (["app.py", "--external", "--tag", "x", "--set", "transport=ipc"], 2, "transport 'unix'"),
    ],
)
def test_a_boot_that_fails_shows_its_errors_here_with_the_exit_status_of_run(
    host: Host, words: list[str], status: int, said: str
) -> None:
    (host.directory / "bad.py").write_text(
        "import corps\nclass A(corps.Corps):\n    def __init__(self): 1 / 0\n"
    )
    done = host.corps("run", *words, status=status)
    assert said in done.stderr
    assert done.stdout == ""
    assert host.is_clear()


def test_with_a_method_run_the_corps_is_up_before_it_is_called_and_ends_after_it(host: Host) -> None:
    (host.directory / "runs.py").write_text(
        "import corps, os\nclass A(corps.Corps):\n    def run(self, word):\n"
        "        with open('go') as go: go.read()\n        return 'ran with ' + word\n"
    )
    os.mkfifo(host.directory / "go")
    said = host.corps(
        "run", "runs.py", "--detach", "--tag", "index", "--envs", "1", "--log", "run.log", "this"
    ).stdout
    assert str(host.directory / "run.log") in said
    claim = host.claim()
    assert (claim.state, claim.log_file) == ("running", str(host.directory / "run.log"))
    family = host.family(psutil.Process(claim.pid))
    with open(host.directory / "go", "w"):
        pass
    assert are_gone(family)
    assert (host.directory / "run.log").read_text().splitlines()[-1] == "ran with this"
    assert host.is_clear()


# Tags


def test_a_tag_of_a_living_corps_is_refused_and_that_of_a_killed_one_is_free(host: Host) -> None:
    booting = host.detach()
    family = host.family(booting)
    refused = host.corps("run", "app.py", "--detach", "--tag", "index", status=1)
    assert f"another Corps of yours: Index (running, process {booting.pid})" in refused.stderr
    in_front = host.corps("run", "app.py", "--external", "--tag", "index", "--envs", "1", status=1)
    assert "NameTaken" in in_front.stderr
    booting.kill()
    assert are_gone(family)
    (row,) = host.ps()
    assert row["state"] == "stale"
    again = host.detach()
    assert again.pid != booting.pid
    assert (host.claim().state, host.claim().pid) == ("running", again.pid)


def test_of_two_boots_with_one_tag_at_once_one_wins(host: Host) -> None:
    both = [
        host.begin(*COMMAND, "run", "app.py", "--detach", "--tag", "index", "--envs", "1") for _ in range(2)
    ]
    ended = [(*each.communicate(timeout=LIMIT), each.returncode) for each in both]
    (winner,) = [out for out, _, status in ended if status == 0]
    (loser,) = [errors for _, errors, status in ended if status == 1]
    assert winner.startswith("index is up\n")
    assert "NameTaken" in loser
    assert host.claim().state == "running"


def test_a_script_boots_an_external_corps_and_a_second_one_is_refused(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(host.runtime))
    app = str(host.directory / "app.py")
    with corps.boot(app, envs=1, external=True, tag="index"):
        assert host.registry.entry("index").state == "running"
        with pytest.raises(corps.NameTaken, match=f"process {os.getpid()}"):
            corps.boot(app, envs=1, external=True, tag="index")
        with corps.boot(app, envs=1, external=True, tag="other"):
            assert host.registry.tags() == ["index", "other"]
    assert host.is_clear()
    with pytest.raises(corps.ConfigError, match="needs a tag"):
        corps.boot(app, envs=1, external=True)
    with corps.boot(app, envs=1, tag="inside"):
        assert host.registry.tags() == []


def test_a_directory_that_others_may_open_is_refused(host: Host) -> None:
    Path(host.registry.path).mkdir(0o755)
    for words in (["run", "app.py", "--detach", "--tag", "index"], ["ps"], ["stop", "index"]):
        assert "UnsafeFile" in host.corps(*words, status=1).stderr
    Path(host.registry.path).rmdir()


def test_users_whose_runtime_directories_differ_do_not_collide(
    tmp_path: Path, short: Path, forks: Forks
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = (Host(tmp_path / name, short / name, forks) for name in "ab")
    first, second = one.detach(), two.detach()
    assert one.claim().pid == first.pid
    one.corps("stop", "index", "--now")
    assert two.claim().pid == second.pid
    two.corps("stop", "index", "--now")


# corps stop


def test_stop_kills_at_once_if_that_is_wanted(host: Host) -> None:
    booting = host.detach()
    family = host.family(booting)
    assert host.corps("stop", "index", "--now").stdout == "index: killed\n"
    assert are_gone(family)
    assert "cleanup" not in host.log
    assert host.is_clear()


@pytest.mark.parametrize("words", [[], ["--now"]])
def test_a_corps_whose_processes_are_stopped_ends_too(host: Host, words: list[str]) -> None:
    booting = host.detach()
    family = host.family(booting)
    for each in family[:2]:  # the booting process and the template
        each.suspend()
    host.corps("stop", "index", *words)
    assert are_gone(family)
    assert host.is_clear()


def test_stop_says_how_the_corps_has_failed(host: Host) -> None:
    (host.directory / "raise").write_text("")
    host.detach()
    failed = host.corps("stop", "index", status=1)
    assert "index has ended, and failed: " in failed.stderr
    assert "not today" in failed.stderr
    assert host.is_clear()


def test_a_corps_is_stopped_while_it_boots(host: Host) -> None:
    (host.directory / "wait").write_text("")
    boot = host.begin(*COMMAND, "run", "app.py", "--detach", "--tag", "index", "--envs", "1")
    wait_for(host.directory / "waits")
    assert host.claim().state == "starting"
    host.corps("stop", "index", status=1)
    out, _ = boot.communicate(timeout=LIMIT)
    assert (out, boot.returncode) == ("", 128 + signal.SIGTERM)
    assert host.is_clear()


def test_ctrl_c_while_a_detached_corps_boots_ends_it(host: Host) -> None:
    (host.directory / "wait").write_text("")
    boot = host.begin(*COMMAND, "run", "app.py", "--detach", "--tag", "index", "--envs", "1")
    wait_for(host.directory / "waits")
    boot.send_signal(signal.SIGINT)
    boot.communicate(timeout=LIMIT)
    assert boot.returncode == 128 + signal.SIGINT
    assert host.is_clear()


def test_several_stops_at_once_all_see_the_end(host: Host) -> None:
    host.detach()
    stops = [host.begin(*COMMAND, "stop", "index") for _ in range(3)]
    for stop in stops:
        out, errors = stop.communicate(timeout=LIMIT)
        # One that comes when all is over finds nothing.
        assert stop.returncode == 0 or "NotFound" in errors, (out, errors)
    assert "cleanup" in host.log  # none of them has cut the end short
    assert host.is_clear()


def test_stop_of_a_tag_that_nobody_has_names_near_misses(host: Host) -> None:
    assert "there are: none" in host.corps("stop", "index", status=1).stderr
    host.detach()
    assert "did you mean index" in host.corps("stop", "indx", status=1).stderr
    assert "cannot be the tag" in host.corps("stop", "in/dex", status=2).stderr


def test_stop_never_signals_another_process_that_has_the_id(host: Host) -> None:
    with host.begin("-c", "input()") as other:
        host.registry.claim(claim_of(pid=other.pid, started=f"1@{place_of_ids()}"))
        for words in ([], ["--now"]):
            host.registry.claim(claim_of(pid=other.pid, started=f"1@{place_of_ids()}"))
            assert "had died before" in host.corps("stop", "index", *words).stdout
        assert host.is_clear()
        other.communicate("\n")
        assert other.returncode == 0


def test_a_script_without_a_handler_dies_and_stop_says_so(host: Host) -> None:
    with host.begin("boots.py") as script:
        assert script.stdout is not None
        while script.stdout.readline() != "up\n":
            pass
        family = host.family(psutil.Process(script.pid))
        failed = host.corps("stop", "index", status=1)
        assert "index has ended at once, and not in order" in failed.stderr
        assert script.wait(LIMIT) == -signal.SIGTERM
    assert are_gone(family)
    assert host.is_clear()


def test_a_script_with_a_handler_ends_in_order(host: Host) -> None:
    with host.begin("boots.py", "handle") as script:
        assert script.stdout is not None
        while script.stdout.readline() != "up\n":
            pass
        assert host.corps("stop", "index").stdout.endswith("index: ended\n")
        script.communicate(timeout=LIMIT)
    assert host.is_clear()


def test_a_script_may_go_on_after_its_corps(host: Host) -> None:
    with host.begin("boots.py", "go on") as script:
        assert script.stdout is not None
        while script.stdout.readline() != "up\n":
            pass
        assert "goes on" in host.corps("stop", "index").stdout
        script.communicate("\n", timeout=LIMIT)
    assert host.is_clear()


def test_a_script_that_fails_gives_its_tag_back(host: Host) -> None:
    with host.begin("boots.py", "raise") as script:
        script.communicate(timeout=LIMIT)
        assert script.returncode == 1
    assert host.is_clear()


# corps ps


def test_ps_shows_what_cannot_be_used_beside_what_can(host: Host) -> None:
    host.detach()
    (Path(host.registry.path) / "junk.claim").write_text("junk")
    (Path(host.registry.path) / "link.claim").symlink_to("/dev/zero")
    index, junk, link = host.ps()
    assert (index["state"], junk["state"], link["state"]) == ("running", "unusable", "unusable")
    assert "is not used" in str(link["problem"])
    assert "symbolic link" in host.corps("ps").stdout
    assert "UnsafeFile" in host.corps("stop", "link", status=1).stderr
    assert "UnsafeFile" in host.corps("run", "app.py", "--detach", "--tag", "link", status=1).stderr


# corps call, corps connect, corps.connect


CALLED = """
import corps, dataclasses, sys

@dataclasses.dataclass
class Hit:
    word: str
    page: bytes

class Part(corps.Conc):
    pass

class Index(corps.Corps):
    def __init__(self):
        self.part = corps.create(Part)

    def search(self, word, *, limit=2):
        return [word] * limit

    def hit(self):
        return Hit("x", b"ab")

    def count(self, n):
        yield from range(n)

    def me(self):
        return self.my_name()

    def fail(self, word):
        raise KeyError(word)

    def leave(self):
        sys.exit(7)
"""


def test_a_shell_calls_methods_with_json(host: Host) -> None:
    (host.directory / "app.py").write_text(textwrap.dedent(CALLED))
    host.detach()

    def call(*words: str, status: int = 0) -> tuple[str, str]:
        done = host.corps("call", *words, status=status)
        return done.stdout, done.stderr

    assert call("index", "search", '"ä"') == ('["ä", "ä"]\n', "")
    assert call("index", "search", '{"a": [null]}', "--kwargs", '{"limit": 1}') == ('[{"a": [null]}]\n', "")
    assert call("index", "count", "3") == ("[0, 1, 2]\n", "")
    assert call("index", "count", "3", "--stream") == ("0\n1\n2\n", "")
    out, errors = call("index", "fail", '"mine"', status=1)
    assert out == ""
    assert errors.endswith("KeyError: 'mine'\n")
    assert "/corps/" not in errors.replace(str(host.directory), "")
    host.environ["PYTHONPATH"] += f":{host.directory}"
    assert call("index", "hit") == ('{"word": "x", "page": "YWI="}\n', "")
    assert call(host.registry.file_of("index"), "search", "-1") == ("[-1, -1]\n", "")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["indx", "search"], 1, "did you mean index?"),
        (["in dex", "search"], 2, "cannot be the tag"),
        (["./none.json", "search"], 1, "there is no connection file ./none.json"),
        (["index", "serch", "1"], 2, "Index has no method 'serch'; did you mean search?"),
        (["index", "search", "needle"], 2, """wants quotes: '"needle"'"""),
        (["index", "search", "--kwargs", "[1]"], 2, "--kwargs wants a JSON object"),
        (["index", "search", "--timeout", "0"], 2, "--timeout"),
        (["index", "me"], 1, "has no form in JSON"),
    ],
)
def test_a_call_that_cannot_be_says_what_is_wrong(
    host: Host, words: list[str], status: int, said: str
) -> None:
    (host.directory / "app.py").write_text(textwrap.dedent(CALLED))
    host.detach()
    done = host.corps("call", *words, status=status)
    assert said in done.stderr
    assert (done.stdout, "Traceback" in done.stderr) == ("", False)


LOGS = """
import logging
import corps

def level():
    return logging.getLogger("parts").getEffectiveLevel()

class Part(corps.Conc):
    def level(self):
        return level()

    def log(self, text):
        logging.getLogger("parts").info("%s of a part", text)
        try:
            raise ValueError(text)
        except ValueError:
            logging.getLogger("other").exception("%s failed", text)

class Index(corps.Corps):
    def __init__(self):
        self.part = corps.options(env=1, tag="loud").create(Part)

    def levels(self):
        return [level(), self.part.level().ret]

    def log(self, text, more=0):
        logging.getLogger("parts").warning("%s of the front", text)
        self.part.log(text).ret
        for number in range(more):
            logging.getLogger("parts").warning("more %d", number)
"""


def test_a_shell_sets_the_levels_of_a_log_and_takes_them_back(host: Host) -> None:
    (host.directory / "app.py").write_text(textwrap.dedent(LOGS))
    host.detach()

    def levels() -> list[int]:
        return json.loads(host.corps("call", "index", "levels").stdout)  # type: ignore[no-any-return]

    assert host.corps("logs", "index", "--level", "debug", "--logger", "parts").stdout == ""
    assert levels() == [10, 10]
    host.corps("logs", "index", "--level", "40", "--logger", "parts", "--env", "1")
    host.corps("logs", "index", "--level", "default", "--logger", "parts")
    assert levels() == [30, 40]
    refused = host.corps("logs", "index", "--level", "INFO", "--env", "7", status=2)
    assert "there are the Envs -1, 0, 1" in refused.stderr


def test_a_shell_sets_the_levels_of_the_workers_of_a_class_or_with_a_tag(host: Host) -> None:
    (host.directory / "app.py").write_text(textwrap.dedent(LOGS))
    host.detach()

    def effective() -> list[int]:
        return json.loads(host.corps("call", "index", "levels").stdout)  # type: ignore[no-any-return]

    for chosen in (("--class", "app:Part"), ("--worker-tag", "loud")):
        with following(host, "--json", *chosen) as lines:
            host.corps("call", "index", "log", '"before"')
            host.corps("logs", "index", "--level", "INFO", "--logger", "parts", *chosen)
            host.corps("call", "index", "log", '"now"')
            host.corps("logs", "index", "--level", "default", "--logger", "parts", *chosen)
            host.corps("call", "index", "log", '"after"')
            made = ["before failed", "now of a part", "now failed", "after failed"]
            assert [json.loads(next(lines))["event"] for _ in made] == made
        assert effective() == [30, 30]


@contextmanager
def following(host: Host, *words: str) -> Iterator[Iterator[str]]:
    """Follow the log of the Corps; give the lines as they come."""
    with begun(host.begin(*COMMAND, "logs", "index", "--follow", *words)) as reader:
        assert reader.stdout is not None
        yield reader.stdout
        reader.send_signal(signal.SIGINT)
        reader.communicate(timeout=LIMIT)
        assert reader.returncode == 130


@contextmanager
def begun(reader: "subprocess.Popen[str]") -> "Iterator[subprocess.Popen[str]]":
    """Wait until a reader of the log follows it."""
    with reader:
        assert reader.stderr is not None
        try:
            said = reader.stderr.readline()
            assert "following the log of index" in said
            yield reader
        finally:
            reader.kill()


def test_a_shell_follows_the_log_of_all_envs(host: Host) -> None:
    (host.directory / "app.py").write_text(textwrap.dedent(LOGS))
    host.detach()
    with (
        following(host, "--level", "INFO", "--logger", "parts") as lines,
        following(host, "--env", "1") as others,
        following(host, "--json", "--class", "app:Index") as rows,
    ):
        for _ in range(2):
            host.corps("call", "index", "log", '"it"')
            front, part = sorted((next(lines), next(lines)), key=lambda line: "of a part" in line)
            assert re.search(r" front/\d+ Index\[index\] WARNING parts: it of the front$", front.strip())
            assert re.search(r" env1/\d+ Part\[loud\] INFO parts: it of a part$", part.strip())
            assert next(others).endswith("INFO parts: it of a part\n")
            assert next(others).endswith("ERROR other: it failed\n")
            assert next(others) == "Traceback (most recent call last):\n"
            while not next(others).startswith("ValueError: it"):
                pass
            row = json.loads(next(rows))
            assert (row["event"], row["level"], row["class"]) == ("it of the front", "warning", "Index")
    refused = host.corps("logs", "index", "--follow", "--env", "7", status=2)
    assert "there are the Envs -1, 0, 1" in refused.stderr


def test_a_reader_that_is_killed_or_is_slow_holds_nothing_up(host: Host) -> None:
    (host.directory / "app.py").write_text(textwrap.dedent(LOGS))
    host.detach()
    with begun(host.begin(*COMMAND, "logs", "index", "--follow")) as killed, following(host) as lines:
        host.corps("call", "index", "log", '"it"')
        killed.kill()
        killed.communicate(timeout=LIMIT)
        host.corps("call", "index", "log", '"many"', "30000")  # more than a pipe holds
        assert sum("more 29999" in line or "were dropped" in line for line in islice(lines, 100)) <= 100
        host.corps("call", "index", "levels")


def test_a_reader_ends_with_the_corps_and_with_a_pipe(host: Host) -> None:
    (host.directory / "app.py").write_text(textwrap.dedent(LOGS))
    host.detach()
    with (
        begun(host.begin(*COMMAND, "logs", "index", "--follow")) as reader,
        begun(host.begin_in_shell("logs index --follow | head -n 1")) as piped,
    ):
        for _ in range(3):
            host.corps("call", "index", "log", '"it"')
        out, said = piped.communicate(timeout=LIMIT)
        assert out.endswith("it of the front\n")
        assert "Traceback" not in said
        host.corps("stop", "index")
        out, said = reader.communicate(timeout=LIMIT)
        assert out.count("it of the front") == 3
        assert ("Traceback" in said, reader.returncode) in ((False, 0), (False, 1))


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 2, "wants --follow, --level, or both"),
        (["--json", "--level", "INFO"], 2, "--json is for what --follow shows"),
        (["--follow"], 1, "index"),
        (["--follow", "--class", "Part"], 2, "wants the module too"),
        (["--level", "INFO"], 1, "index"),
        (["--level", "LOUD"], 2, "it takes a number from 0 on, or one of"),
        (["--level", "INFO", "--class", "Part"], 2, "wants the module too"),
    ],
)
def test_a_level_that_cannot_be_says_what_is_wrong(
    host: Host, words: list[str], status: int, said: str
) -> None:
    done = host.corps("logs", "index", *words, status=status)
    assert said in done.stderr
    assert (done.stdout, "Traceback" in done.stderr) == ("", False)


def test_a_prompt_has_the_name_of_the_corps(host: Host) -> None:
    (host.directory / "app.py").write_text(textwrap.dedent(CALLED))
    host.detach()
    with host.begin(*COMMAND, "connect", "index") as prompt:
        out, _ = prompt.communicate("print(app.search('word').ret)\n", timeout=LIMIT)
        assert prompt.returncode == 0
    assert "['word', 'word']" in out


def test_the_list_shows_where_a_corps_listens_for_others(host: Host) -> None:
    (host.directory / "app.py").write_text(textwrap.dedent(CALLED))
    host.detach("--listen", "127.0.0.1")
    (row,) = host.ps()
    addresses = row["addresses"]
    assert isinstance(addresses, list)
    near, far = addresses
    assert near.startswith("unix:")
    assert far.startswith("tcp://127.0.0.1:")
    assert row["address"] == far
    assert far in host.corps("ps").stdout
    host.corps("stop", "index")


def test_a_script_connects_by_the_tag(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(host.runtime))
    (host.directory / "app.py").write_text(textwrap.dedent(CALLED))
    with pytest.raises(corps.NotFound, match="there are: none"):
        corps.connect("index")
    booting = host.detach()
    with corps.connect("index") as index:
        assert index.search("x").ret == ["x", "x"]
    with corps.connect(Path(host.registry.file_of("index"))) as index:
        assert index.search("y").ret == ["y", "y"]
    (row,) = host.ps()
    workers = row["workers"]
    assert isinstance(workers, int)
    assert workers >= 2
    assert str(row["address"]).startswith("unix:")
    family = host.family(booting)
    booting.kill()
    assert are_gone(family)
    with pytest.raises(corps.NotFound, match="has died"):
        corps.connect("index")


def test_a_front_that_comes_back_is_found_by_the_tag(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(host.runtime))
    (host.directory / "app.py").write_text(
        "import corps, os\nclass Index(corps.Corps):\n    restart = corps.Restart()\n"
        "    def pid(self): return os.getpid()\n"
    )
    host.detach()
    with corps.connect("index") as index:
        first = index.pid().ret
    before = host.registry.find("index").front
    os.kill(first, signal.SIGKILL)
    pause = threading.Event()
    while host.registry.find("index").front == before:
        pause.wait(0.01)  # another process writes it, and wakes nobody here
    with corps.connect("index") as index:
        assert index.pid().ret != first


def test_a_runtime_directory_with_a_long_path_is_an_error_with_a_remedy(host: Host) -> None:
    long = host.runtime / ("x" * 100)
    long.mkdir(0o700)
    host.environ["XDG_RUNTIME_DIR"] = str(long)
    failed = host.corps("run", "app.py", "--external", "--tag", "index", "--envs", "1", status=2)
    assert "is too long" in failed.stderr
    assert "XDG_RUNTIME_DIR" in failed.stderr
    assert os.listdir(long / "corps") == []
