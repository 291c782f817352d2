"""Claims about a Corps of several hosts: the same application, and what becomes of it when a host fails.

Here each host is this machine: its parent is another process, and its Envs are reached over tcp.
"""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import corps
from corps.errors import ConfigError, EnvStartError
from corps.messages.env_event import EnvEvent
from tests.integration.elsewhere import ROOT

APP = """
import os
import beside
import corps

class Worker(corps.Conc):
    restart = corps.Restart()

    def where(self):
        return corps.my_host(), os.getpid(), os.getppid(), __name__, __file__, beside.__file__

    def size(self, data):
        return len(data)

    def ask(self, other, data):
        return other.size(data).ret

    def fail(self):
        raise ValueError("as asked")

    def count(self, n):
        yield from range(n)

    def say(self, text):
        print(text, flush=True)

class App(corps.Corps):
    def worker(self, **where):
        return corps.options(**where).create(Worker)

    def grow(self, host):
        return self.add_env(host=host).ret

    def envs(self, label=None):
        return corps.envs(label)
"""

# Stands for a network: what it does not pass on is lost to both sides.
RELAY = """
import os, subprocess, sys, threading

def pass_on(source, target):
    while data := os.read(source, 65536):
        os.write(target, data)
    os.close(target)

child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
threading.Thread(target=pass_on, args=(0, child.stdin.fileno()), daemon=True).start()
pass_on(child.stdout.fileno(), 1)
"""

RUN = """
    def run(self):
        workers = [corps.options(env=each).create(Worker) for each in corps.envs()]
        return " ".join(sorted(each.where().ret[0] for each in workers))
"""

ALONE = {"launcher": "subprocess", "command": ["{command}"], "address": "127.0.0.1"}
WAIT = 60.0


@pytest.fixture
def app_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    (folder / "beside.py").write_text("")
    return folder / "app.py"


def table(**changes: Any) -> Mapping[str, Any]:
    hosts = [{"name": "a", "labels": {"zone": "x"}, **ALONE}, {"name": "b", **ALONE}]
    return {"host": hosts, "beat": 0.1, "suspect_after": 0.5, "lost_after": 2.0, **changes}


@contextmanager
def booted(app_file: Path, **changes: Any) -> Iterator[Any]:
    with corps.boot(app_file, hosts=table(**changes)) as app:
        yield app


@pytest.fixture
def app(app_file: Path) -> Iterator[Any]:
    with booted(app_file) as app:
        yield app


def where(worker: Any) -> tuple[str, int, int]:
    host, pid, template, *_ = worker.where().result(WAIT)
    return host, pid, template


def test_workers_are_where_they_are_wanted_with_the_same_code_and_reach_each_other(
    app: Any, app_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    a, b = (app.worker(host=name).ret for name in "ab")
    here = app.worker(env="front").ret
    assert [each.where().ret[0] for each in (a, b, here)] == ["a", "b", "local"]
    assert app.envs().ret == [1, 2]
    assert (app.envs("zone=x").ret, app.envs("host=b").ret) == ([1], [2])
    assert app.worker(label="zone=x").ret.where().ret[0] == "a"
    _, _, _, module, file, beside = a.where().ret
    _, _, _, module_here, file_here, _ = here.where().ret
    assert module == module_here == "app"
    assert Path(file_here) == app_file
    assert Path(file).parent == Path(beside).parent
    assert Path(file).is_relative_to(app_file.parents[1] / "cache")
    for asker, asked in ((a, b), (b, a), (a, here), (here, b)):
        assert asker.ask(asked, bytes(3_000_000)).ret == 3_000_000
    assert list(b.count(5).ret) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="as asked"):
        b.fail().result()
    with pytest.raises(corps.NoSuchEnv, match="host=c"):
        app.worker(host="c").result()
    b.say("printed on another host").result()
    while "printed on another host" not in capfd.readouterr().out:
        pass


def test_an_env_that_dies_comes_back_on_its_host(app: Any) -> None:
    worker = app.worker(host="b").ret
    _, pid, _ = where(worker)
    with corps.env_events() as events:
        os.kill(pid, signal.SIGKILL)
        wait_for(events, "replaced", 2)
    host, later, _ = where(worker)
    assert host == "b"
    assert later != pid


def test_the_envs_of_a_parent_that_dies_come_back_on_that_host(app: Any) -> None:
    worker = app.worker(host="b").ret
    _, pid, template = where(worker)
    with corps.env_events() as events:
        os.kill(parent_of(template), signal.SIGKILL)
        wait_for(events, "replaced", 2)
    host, later, _ = where(worker)
    assert host == "b"
    assert later != pid


def test_the_envs_of_a_host_that_falls_silent_end_there_and_come_back_on_another(app: Any) -> None:
    worker = app.worker(host="b").ret
    _, pid, template = where(worker)
    parent = parent_of(template)
    with corps.env_events() as events:
        os.kill(parent, signal.SIGSTOP)  # it does not ask for its lease, nor can it be asked
        try:
            wait_for(events, "replaced", 2)
        finally:
            with suppress(ProcessLookupError):  # this process has killed it
                os.kill(parent, signal.SIGKILL)
    host, later, _ = where(worker)
    assert host == "a"
    assert later != pid


def test_a_parent_that_hears_nothing_ends_its_envs_and_only_then_others_take_their_place(
    app_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    relay = tmp_path / "relay.py"
    relay.write_text(RELAY)
    far = {"name": "b", "launcher": "subprocess", "command": [sys.executable, str(relay), "{command}"]}
    hosts = [{"name": "a", **ALONE}, {**far, "address": "127.0.0.1"}]
    with booted(app_file, host=hosts) as app:
        worker = app.worker(host="b").ret
        _, pid, template = where(worker)
        ended = os.pidfd_open(pid)
        try:
            with corps.env_events() as events:
                os.kill(parent_of(parent_of(template)), signal.SIGSTOP)
                wait_for(events, "lost", 2)
                assert select.select([ended], [], [], 0)[0] == [ended]
                wait_for(events, "replaced", 2)
            assert where(worker)[0] == "a"
        finally:
            os.close(ended)
    assert "the booting process was not heard of for too long" in capfd.readouterr().err


def test_an_env_is_added_on_the_host_that_is_wanted(app: Any) -> None:
    assert app.grow("b").result(WAIT) == 3
    assert app.worker(env=3).ret.where().ret[0] == "b"
    assert app.envs("host=b").ret == [2, 3]
    with pytest.raises(ConfigError, match="the hosts of this Corps are a, b, local"):
        app.grow("c").result(WAIT)


def test_what_envs_of_other_hosts_write_are_records_of_the_log_if_that_is_wanted(
    app_file: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log.txt"
    config = {"log": {"output": True, "file": str(log)}}
    with corps.boot(app_file, hosts=table(), config=config) as app:
        app.worker(host="b").ret.say("a line for the log").result(WAIT)
        while "a line for the log" not in log.read_text():
            pass
    assert any("env2" in line and "a line for the log" in line for line in log.read_text().splitlines())


def test_nothing_is_left_when_the_corps_has_ended(app_file: Path) -> None:
    with booted(app_file) as app:
        pids = [each for name in "ab" for each in where(app.worker(host=name).ret)[1:]]
        parents = [parent_of(pid) for pid in pids[1::2]]
    for pid in (*pids, *parents):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_nothing_is_left_when_the_process_that_booted_is_killed(app_file: Path, tmp_path: Path) -> None:
    script = tmp_path / "boot.py"
    script.write_text(
        "import json, sys, time\nimport corps\n"
        f"with corps.boot({str(app_file)!r}, hosts={table()!r}) as app:\n"
        "    workers = [app.worker(host=name).ret for name in 'ab']\n"
        "    print(json.dumps([each.where().ret[1] for each in workers]), flush=True)\n"
        "    time.sleep(600)\n"
    )
    booting = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    with booting:
        assert booting.stdout is not None
        ends = [os.pidfd_open(pid) for pid in json.loads(booting.stdout.readline())]
        booting.kill()
    for each in ends:
        assert select.select([each], [], [], WAIT)[0] == [each]
        os.close(each)


def test_what_is_wrong_with_a_host_is_said_with_its_name_and_its_last_words(app_file: Path) -> None:
    broken = {
        "name": "b",
        "launcher": "subprocess",
        "command": ["sh", "-c", "echo no way >&2; exit 3", "{command}"],
    }
    with pytest.raises(EnvStartError, match=r"(?s)host 'b', by the command sh -c .*no way"):
        corps.boot(app_file, hosts={"host": [{"name": "a", **ALONE}, broken]})
    missing = {"name": "b", "launcher": "subprocess", "command": ["/no/such/program", "{command}"]}
    with pytest.raises(
        EnvStartError, match=r"host 'b': /no/such/program .* cannot be started: .*No such file"
    ):
        corps.boot(app_file, hosts={"host": [missing]})


def test_a_host_with_other_versions_is_refused_with_both(app_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(
        "import runpy, sys\n"
        "import corps.launchers.remote.terms as terms\n"
        "terms.packages = lambda: {'pyzmq': '1.0'}\n"
        "runpy.run_module('corps.launchers.remote.parent', run_name='__main__', alter_sys=True)\n"
    )
    host = {"name": "b", "launcher": "subprocess", "command": [sys.executable, str(other), "{command}"]}
    with pytest.raises(EnvStartError, match=r"pyzmq is 1\.0 there and .* here"):
        corps.boot(app_file, hosts={"host": [host]})


def test_what_cannot_be_together_with_hosts_is_refused(app_file: Path) -> None:
    with pytest.raises(ConfigError, match="the hosts say how many Envs"):
        corps.boot(app_file, envs=2, hosts=table())
    with pytest.raises(ConfigError, match="cannot be external"):
        corps.boot(app_file, hosts=table(), external=True, tag="many-hosts")


def test_the_command_runs_an_application_over_the_hosts_of_a_file(app_file: Path, tmp_path: Path) -> None:
    app_file.write_text(APP + RUN)
    path = tmp_path / "hosts.toml"
    path.write_text(
        '[defaults]\nlauncher = "subprocess"\n'
        '[[host]]\nname = "a"\ncommand = ["{command}"]\naddress = "127.0.0.1"\n'
        '[[host]]\nname = "b"\ncommand = ["{command}"]\naddress = "::1"\nadvertise = ["127.0.0.1"]\n'
    )
    command = [sys.executable, "-m", "corps", "run", "--hosts", str(path), str(app_file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (ended.stdout, ended.returncode) == ("a b\n", 0), ended.stderr
    wrong = subprocess.run(
        [*command[:5], str(tmp_path / "none.toml"), str(app_file)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "none.toml" in wrong.stderr
    assert wrong.returncode == 2


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def wait_for(events: Any, kind: str, env_id: int) -> EnvEvent:
    while True:
        event: EnvEvent = events.take(WAIT)
        if event.env == env_id and event.kind == kind:
            return event
