"""Claims about ProcessHost, made with real processes that are killed hard."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from corps.errors import BrokenError, ClosedError, EnvStartError, InternalError
from corps.launchers.launcher import Exit
from corps.launchers.local.env_process import EnvProcess
from corps.launchers.local.processes import ProcessHost
from corps.launchers.local.runtime_dir import make_runtime_dir
from corps.testing.leaks import Snapshot

LIMIT = 10.0

ENTRIES = """
import ctypes, json, os, random, resource, signal, subprocess, sys, threading

def serves(child):
    child.channel.send(b"up")
    while (message := child.channel.recv()) is not None:
        child.channel.send(message)
    return 7

def returns_3(child):
    return 3

def returns_nothing(child):
    pass

def exits_with_text(child):
    sys.exit("no luck")

def raises(child):
    raise ValueError("what went wrong")

def crashes(child):
    print("about to crash")
    ctypes.string_at(0)

def writes_and_leaves(child):
    for number in range(5000):
        print("line", number, file=(sys.stdout, sys.stderr)[number % 2])
    os._exit(4)

def ignores_sigterm(child):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return serves(child)

def open_fds():
    # Without the one that libffi keeps of its own file, in newer releases.
    named = [(fd, "/proc/self/fd/" + fd) for fd in os.listdir("/proc/self/fd")]
    return [fd for fd, path in named if os.path.exists(path) and "libffi" not in os.readlink(path)]

def tells_itself(child):
    child.channel.send(json.dumps({
        "fds": open_fds(),
        "threads": len(os.listdir("/proc/self/task")),
        "random": random.random(),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "filter": int(open("/proc/self/coredump_filter").read(), 16),
        "sigint": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
        "sigterm": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
        "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "argv": sys.argv,
        "preloaded": "csv" in sys.modules,
    }).encode())
    child.channel.recv()

def tells_what_it_has_imported(child):
    child.channel.send(json.dumps(["colorsys" in sys.modules, "csv" in sys.modules]).encode())

def tells_what_a_heir_has(child):
    look = "import os; print([fd for fd in range(3, 256) if os.path.exists(f'/proc/self/fd/{fd}')])"
    has = subprocess.run([sys.executable, "-c", look], close_fds=False, capture_output=True, check=True)
    child.channel.send(has.stdout)

def leaves_a_process_in_its_group(child):
    started = subprocess.Popen(["sleep", "600"])
    child.channel.send(str(started.pid).encode())
    child.channel.recv()

def leaves_a_process_with_its_own_session(child):
    started = subprocess.Popen(["sleep", "600"], start_new_session=True)
    child.channel.send(str(started.pid).encode())

def releases(child):
    print("captured")
    child.release_output()
    child.release_output()
    print("released", os.isatty(1))
    print("released too", file=sys.stderr)
"""

BOOTING = """
import json, os, signal, sys
from corps.launchers.local.processes import ProcessHost
from corps.launchers.local.runtime_dir import make_runtime_dir
host = ProcessHost(make_runtime_dir(), preload=["entries"], on_exit=lambda how: None)
host.launch()
host.wait_ready(30.0)
"""


@pytest.fixture(autouse=True)
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of entry functions; a template has the import path of its booting process."""
    tmp_path.joinpath("entries.py").write_text(ENTRIES)
    monkeypatch.syspath_prepend(str(tmp_path))
    return str(tmp_path)


class Hosts:
    """Makes hosts, keeps the ends that they report, and closes them."""

    def __init__(self) -> None:
        self.ends: list[Exit] = []
        self.made: list[ProcessHost] = []

    def start(self, **options: Any) -> ProcessHost:
        settings: dict[str, Any] = {"preload": ["entries", "csv"], "on_exit": self.ends.append}
        host = ProcessHost(make_runtime_dir(), **(settings | options))
        self.made.append(host)
        host.launch()
        host.wait_ready(30.0)
        return host


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    hosts = Hosts()
    yield hosts
    for host in hosts.made:
        host.close(0.0)


def serving(host: ProcessHost, env_id: int, entry: str = "serves") -> EnvProcess:
    process = host.spawn(env_id, f"entries:{entry}")
    assert process.channel.recv() == b"up"
    return process


def ended(process: EnvProcess) -> Exit:
    how = process.wait(LIMIT)
    assert how is not None, "still running"
    return how


def wait_gone(pid: int, timeout: float = LIMIT) -> bool:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        return bool(poller.poll(timeout * 1000))
    finally:
        os.close(pidfd)


def stop(pid: int) -> None:
    """SIGSTOP, and see it happen: a signal that comes before is still handled."""
    os.kill(pid, signal.SIGSTOP)
    process = psutil.Process(pid)
    deadline = time.monotonic() + LIMIT
    while process.status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline


def boot(script: str, path: str, **options: Any) -> "subprocess.Popen[str]":
    """Run a script as a booting process of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([path, *sys.path])}
    command = [sys.executable, "-c", BOOTING + script]
    return subprocess.Popen(command, env=environment, text=True, **options)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("returns_3", "ended with exit status 3"),
        ("returns_nothing", "ended with exit status 0"),
        ("exits_with_text", "ended with exit status 1"),
        ("raises", "ended with exit status 1"),
        ("crashes", "was killed by SIGSEGV"),
        ("is_missing", "ended with exit status 1"),
    ],
)
def test_the_end_of_a_process_is_reported_as_it_was(hosts: Hosts, entry: str, words: str) -> None:
    process = hosts.start().spawn(1, f"entries:{entry}")
    how = ended(process)
    assert str(how) == words
    assert (how.env_id, how.mark) == (1, process.mark)


def test_on_exit_is_called_once_per_process_in_the_watchers_thread(hosts: Hosts) -> None:
    calls: list[tuple[str, str]] = []
    host = hosts.start(on_exit=lambda how: calls.append((str(how), threading.current_thread().name)))
    ended(host.spawn(1, "entries:returns_3"))
    serving(host, 2)
    host.close(LIMIT)
    assert calls == [
        ("ended with exit status 3", "corps-host"),
        ("was killed by SIGTERM", "corps-host"),
    ]


def test_on_exit_that_raises_does_not_stop_the_watch(hosts: Hosts) -> None:
    def fail(how: Exit) -> None:
        raise ValueError(how)

    host = hosts.start(on_exit=fail)
    for env_id in (1, 2):
        assert ended(host.spawn(env_id, "entries:returns_3")).code == 3


def test_a_signal_reaches_the_process_and_is_reported(hosts: Hosts) -> None:
    process = serving(hosts.start(), 1)
    process.kill(signal.SIGUSR1)
    assert ended(process).signal == signal.SIGUSR1
    process.kill()


def test_a_signal_right_after_the_fork_is_not_lost(hosts: Hosts) -> None:
    host = hosts.start()
    for env_id in range(20):
        process = host.spawn(env_id, "entries:serves")
        process.kill(signal.SIGTERM)
        assert ended(process).signal == signal.SIGTERM
        process.channel.close()


def test_the_output_tail_is_complete_when_the_end_is_reported(hosts: Hosts) -> None:
    process = hosts.start().spawn(1, "entries:writes_and_leaves")
    assert ended(process).code == 4
    assert process.output().splitlines() == [f"line {number}" for number in range(4800, 5000)]


def test_the_output_tail_tells_why_a_process_died(hosts: Hosts) -> None:
    host = hosts.start()
    crashed, raised = host.spawn(1, "entries:crashes"), host.spawn(2, "entries:raises")
    missing, stopped = host.spawn(3, "entries:is_missing"), host.spawn(4, "entries:exits_with_text")
    for process in (crashed, raised, missing, stopped):
        ended(process)
    assert crashed.output().startswith("about to crash\nFatal Python error: Segmentation fault")
    assert raised.output().endswith("ValueError: what went wrong\n")
    assert "no attribute 'is_missing'" in missing.output()
    assert stopped.output() == "no luck\n"


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_released_output_goes_to_the_booting_processs_own_descriptors(
    entries: str, monkeypatch: pytest.MonkeyPatch, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    script = "process = host.spawn(1, 'entries:releases'); process.wait(10); host.close(1)\n"
    script += "print([process.output()])"
    booting = boot(script, entries, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stdout, stderr = booting.communicate(timeout=LIMIT)
    assert stdout == "released False\n['captured\\n']\n"
    assert sorted(stderr.splitlines()) == ["captured", "released too"]


def test_a_terminal_stays_a_terminal(entries: str) -> None:
    ours, theirs = pty.openpty()
    script = "host.spawn(1, 'entries:releases').wait(10); host.close(1)"
    booting = boot(script, entries, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    assert booting.wait(LIMIT) == 0
    assert os.read(ours, 1000) == b"released True\r\n"
    os.close(ours)


def test_a_process_that_ends_before_the_first_message_breaks_the_channel(hosts: Hosts) -> None:
    process = hosts.start().spawn(1, "entries:returns_3")
    assert process.channel.recv() is None
    ended(process)
    with pytest.raises(BrokenError):
        process.channel.send(b"anybody?")


def test_each_end_of_file_is_seen_although_others_live(hosts: Hosts) -> None:
    host = hosts.start()
    processes = [serving(host, env_id) for env_id in range(6)]
    processes[1].kill()
    assert processes[1].channel.recv() is None
    processes[4].channel.close()
    assert ended(processes[4]).code == 7
    for env_id in (0, 2, 3, 5):
        processes[env_id].channel.send(b"there?")
        assert processes[env_id].channel.recv() == b"there?"


def test_what_an_application_starts_inherits_no_descriptor_of_an_env(hosts: Hosts) -> None:
    """Was a defect: it had the Env's end of the channel, so that could be read, and never came to its end."""
    assert hosts.start().spawn(0, "entries:tells_what_a_heir_has").channel.recv() == b"[]\n"


def test_a_process_that_was_started_with_closed_descriptors_starts_others(entries: str) -> None:
    """Was a defect: a program without stdin, as a daemon is, could not boot."""
    closing = "import os; [os.close(fd) for fd in (0, 1, 2)]"
    ending = "host.spawn(0, 'entries:returns_3').wait(10); host.close(0); os._exit(0)"
    script = f"{closing}\nimport sys; sys.path.insert(0, {entries!r})\n{BOOTING}\n{ending}"
    assert subprocess.run([sys.executable, "-c", script], timeout=30, check=False).returncode == 0


THREAD = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"


def started_by_a_template_with_threads(hosts: Hosts, entries: str) -> ProcessHost:
    """Its processes are no forks."""
    Path(entries, "threaded.py").write_text(THREAD)
    return hosts.start(preload=["threaded"])


def test_a_template_with_threads_starts_processes_that_are_as_forked_ones(hosts: Hosts, entries: str) -> None:
    host = started_by_a_template_with_threads(hosts, entries)
    message = host.spawn(1, "entries:tells_itself").channel.recv()
    assert message is not None
    answer = json.loads(message)
    assert not answer.pop("preloaded")
    answer.pop("random")
    fds = answer.pop("fds")
    assert len(fds) == 7
    assert answer == {
        "threads": 1,
        "core": 0,
        "filter": 0,
        "sigint": True,
        "sigterm": True,
        "blocked": 0,
        "argv": sys.argv,
    }
    assert host.spawn(2, "entries:tells_what_a_heir_has").channel.recv() == b"[]\n"
    assert ended(host.spawn(3, "entries:returns_3")).code == 3
    crashed = host.spawn(4, "entries:crashes")
    assert ended(crashed).signal == signal.SIGSEGV
    assert "about to crash" in crashed.output()


def test_what_a_template_with_threads_has_started_ends_with_it(hosts: Hosts, entries: str) -> None:
    host = started_by_a_template_with_threads(hosts, entries)
    process = serving(host, 1)
    left = host.spawn(2, "entries:leaves_a_process_in_its_group")
    started = int(left.channel.recv() or b"")
    left.kill()
    ended(left)
    assert wait_gone(started)
    assert host.template_pid is not None
    os.kill(host.template_pid, signal.SIGKILL)
    ended(process)
    assert wait_gone(process.pid)


def test_a_process_inherits_nothing_but_its_own_ends(hosts: Hosts) -> None:
    host = hosts.start()
    for env_id in range(3):
        serving(host, env_id)
    told = []
    for env_id in (3, 4):
        message = host.spawn(env_id, "entries:tells_itself").channel.recv()
        assert message is not None
        told.append(json.loads(message))
    for answer in told:
        # stdin, stdout, stderr, the channel, the pulse, and what stdout and stderr were before.
        assert len(answer["fds"]) == 7
        assert answer["threads"] == 1
        assert answer["core"] == 0
        assert answer["sigint"]
        assert answer["sigterm"]
        assert answer["blocked"] == 0
        assert answer["argv"] == sys.argv
        assert answer["preloaded"]
    assert told[0]["random"] != told[1]["random"]


def test_the_template_imports_more_for_the_envs_that_are_forked_later(hosts: Hosts) -> None:
    host = hosts.start(preload=["entries"])
    first = host.spawn(1, "entries:tells_what_it_has_imported")
    host.also_import("csv", "there_is_no_such_module", "colorsys")
    second = host.spawn(2, "entries:tells_what_it_has_imported")
    host.also_import("colorsys")
    third = host.spawn(3, "entries:tells_what_it_has_imported")
    told = [json.loads(each.channel.recv() or b"") for each in (first, second, third)]
    assert told == [[False, False], [False, True], [True, True]]


def test_what_a_process_started_in_its_group_ends_with_it(hosts: Hosts) -> None:
    process = hosts.start().spawn(1, "entries:leaves_a_process_in_its_group")
    started = int(process.channel.recv() or b"")
    process.kill()
    ended(process)
    assert wait_gone(started)


def test_a_process_that_left_the_group_does_not_delay_the_report(hosts: Hosts) -> None:
    process = hosts.start().spawn(1, "entries:leaves_a_process_with_its_own_session")
    started = int(process.channel.recv() or b"")
    try:
        assert ended(process).code == 0
        assert not wait_gone(started, 0.0)
    finally:
        os.kill(started, signal.SIGKILL)
        assert wait_gone(started)


def describe_boot(setup: str) -> str:
    return f"""
processes = [host.spawn(env_id, "entries:" + entry) for env_id, entry in enumerate(
    ["serves", "ignores_sigterm", "serves"])]
started = host.spawn(9, "entries:leaves_a_process_in_its_group").channel.recv()
for process in processes:
    process.channel.recv()
open(os.path.join(host.runtime_dir, "socket"), "w").close()
copy = 0
{setup}
pids = [host.template_pid, int(started), *(process.pid for process in processes)]
print(json.dumps([host.runtime_dir, copy, pids]), flush=True)
signal.pause()
"""


@pytest.mark.parametrize("has_fork", [False, True], ids=["alone", "with a fork that holds every descriptor"])
def test_kill_9_of_the_booting_process_ends_everything(entries: str, has_fork: bool) -> None:
    setup = "copy = os.fork()\nif copy == 0: signal.pause()" if has_fork else ""
    booting = boot(describe_boot(setup), entries, stdout=subprocess.PIPE)
    assert booting.stdout is not None
    runtime_dir, copy, pids = json.loads(booting.stdout.readline())
    assert os.listdir(runtime_dir) == ["socket"]
    stop(pids[2])
    booting.kill()
    deadline = time.monotonic() + 2.0
    try:
        assert all(wait_gone(pid, max(0.0, deadline - time.monotonic())) for pid in pids)
        assert not os.path.exists(runtime_dir)
    finally:
        if copy:
            os.kill(copy, signal.SIGKILL)
        booting.wait(LIMIT)
        booting.stdout.close()


def test_a_booting_process_that_forgets_to_close_takes_everything_along(entries: str) -> None:
    script = (
        "p = host.spawn(1, 'entries:serves'); print(json.dumps([host.runtime_dir, host.template_pid, p.pid]))"
    )
    booting = boot(script, entries, stdout=subprocess.PIPE)
    runtime_dir, *pids = json.loads(booting.communicate(timeout=LIMIT)[0])
    assert all(wait_gone(pid) for pid in pids)
    assert not os.path.exists(runtime_dir)


def test_kill_9_of_the_template_ends_and_reports_every_process(hosts: Hosts) -> None:
    host = hosts.start()
    processes = [serving(host, env_id) for env_id in range(4)]
    processes.append(serving(host, 4, "ignores_sigterm"))
    grouped = host.spawn(5, "entries:leaves_a_process_in_its_group")
    started = int(grouped.channel.recv() or b"")
    stop(processes[2].pid)
    assert host.template_pid is not None
    os.kill(host.template_pid, signal.SIGKILL)
    for process in [*processes, grouped]:
        assert ended(process) == Exit(process.env_id, process.mark, None, signal.SIGKILL, "template died")
        assert wait_gone(process.pid, 0.0)
    assert wait_gone(started)
    with pytest.raises(EnvStartError):
        host.spawn(9, "entries:serves")
    host.close(LIMIT)
    assert sorted(how.env_id for how in hosts.ends) == [0, 1, 2, 3, 4, 5]
    assert not os.path.exists(host.runtime_dir)


def test_a_stopped_process_is_killed_by_close(hosts: Hosts) -> None:
    host = hosts.start()
    process = serving(host, 1)
    stop(process.pid)
    host.close(0.05)
    assert ended(process).signal == signal.SIGKILL
    assert wait_gone(process.pid, 0.0)


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(hosts: Hosts) -> None:
    host = hosts.start()
    process, other = serving(host, 1, "ignores_sigterm"), serving(host, 2)
    host.close(0.05)
    assert ended(process).signal == signal.SIGKILL
    assert ended(other).signal == signal.SIGTERM


def test_a_template_that_stays_stopped_is_killed_by_close(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corps.launchers.local.processes._TEMPLATE_END", 0.05)
    monkeypatch.setattr(
        "corps.launchers.local.processes.is_stopped", lambda pid: False
    )  # as if it stopped later
    host = hosts.start()
    process = serving(host, 1)
    assert host.template_pid is not None
    stop(host.template_pid)
    host.close(0.05)
    assert wait_gone(process.pid, 0.0)
    assert ended(process).signal == signal.SIGKILL
    assert not os.path.exists(host.runtime_dir)


def test_a_stopped_template_goes_on_when_it_is_needed(hosts: Hosts) -> None:
    host = hosts.start()
    assert host.template_pid is not None
    stop(host.template_pid)
    process = serving(host, 1)
    stop(host.template_pid)
    process.kill()
    assert ended(process).signal == signal.SIGKILL


def test_a_fork_that_comes_too_late_is_killed_and_never_reported(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corps.launchers.local.processes.is_stopped", lambda pid: False)
    host = hosts.start()
    assert host.template_pid is not None
    stop(host.template_pid)
    patience, host.start_timeout = host.start_timeout, 0.1  # only for the one that nobody answers
    with pytest.raises(EnvStartError, match="did not answer"):
        host.spawn(1, "entries:serves")
    host.start_timeout = patience
    os.kill(host.template_pid, signal.SIGCONT)
    ended(host.spawn(2, "entries:returns_3"))
    host.close(LIMIT)
    assert [how.env_id for how in hosts.ends] == [2]


def test_the_template_ignores_signals_that_are_for_the_booting_process(hosts: Hosts) -> None:
    host = hosts.start()
    assert host.template_pid is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(host.template_pid, number)
    serving(host, 1)


def test_an_env_has_one_process_at_a_time(hosts: Hosts) -> None:
    host = hosts.start()
    process = serving(host, 1)
    with pytest.raises(EnvStartError, match="already"):
        host.spawn(1, "entries:serves")
    process.kill()
    ended(process)
    serving(host, 1)


def test_many_threads_may_spawn_at_once(hosts: Hosts) -> None:
    host = hosts.start()
    processes: list[EnvProcess] = []

    def spawn(first: int) -> None:
        processes.extend(serving(host, env_id) for env_id in range(first, first + 5))

    threads = [threading.Thread(target=spawn, args=(10 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert len({process.pid for process in processes}) == 20
    host.close(LIMIT)
    assert len(hosts.ends) == 20


def test_two_hosts_do_not_disturb_each_other(hosts: Hosts) -> None:
    one, other = hosts.start(), hosts.start()
    gone, stays = serving(one, 1), serving(other, 1)
    one.close(LIMIT)
    assert ended(gone).signal == signal.SIGTERM
    stays.channel.send(b"there?")
    assert stays.channel.recv() == b"there?"
    assert os.path.isdir(other.runtime_dir)
    assert not os.path.exists(one.runtime_dir)


def test_thirty_cycles_leave_no_trace(hosts: Hosts) -> None:
    before = Snapshot.take()
    for _ in range(30):
        host = hosts.start(preload=[])
        serving(host, 1)
        host.spawn(2, "entries:returns_3")
        host.close(LIMIT)
        assert before.leaks(0.0) == []


def test_close_may_be_repeated_and_come_from_several_threads(hosts: Hosts) -> None:
    host = hosts.start()
    process = serving(host, 1)
    closing = [threading.Thread(target=host.close, args=(LIMIT,)) for _ in range(3)]
    for thread in closing:
        thread.start()
    for thread in closing:
        thread.join(LIMIT)
    assert process.wait(0) is not None
    host.close(LIMIT)


def test_a_closed_host_spawns_nothing(hosts: Hosts) -> None:
    host = hosts.start()
    host.close(LIMIT)
    with pytest.raises(ClosedError):
        host.spawn(1, "entries:serves")
    with pytest.raises(ClosedError):
        host.launch()


def test_a_host_that_was_not_started_spawns_nothing_and_can_be_closed() -> None:
    host = ProcessHost(make_runtime_dir(), preload=[], on_exit=lambda how: None)
    with pytest.raises(ClosedError):
        host.spawn(1, "entries:serves")
    host.close(LIMIT)
    assert not os.path.exists(host.runtime_dir)


def test_a_host_for_which_there_is_no_thread_is_a_start_error_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Was a defect: its end raised that it cannot join a thread that was never started."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = Snapshot.take()
    host = ProcessHost(make_runtime_dir(), preload=[], on_exit=lambda how: None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(EnvStartError, match="can't start new thread"):
            host.launch()
    host.close(LIMIT)
    assert not os.path.exists(host.runtime_dir)
    assert before.leaks(0.0) == []


def test_spawn_during_close_gives_a_process_that_ends_or_an_error(hosts: Hosts) -> None:
    host = hosts.start()
    has_spawned = threading.Event()
    outcomes: list[EnvProcess | None] = []

    def spawn_for_ever() -> None:
        try:
            for env_id in range(10_000):
                outcomes.append(host.spawn(env_id, "entries:serves"))
                has_spawned.set()
        except ClosedError:
            outcomes.append(None)

    spawner = threading.Thread(target=spawn_for_ever)
    spawner.start()
    assert has_spawned.wait(LIMIT)
    host.close(LIMIT)
    spawner.join(LIMIT)
    assert outcomes.pop() is None
    assert all(process is not None and process.wait(0) is not None for process in outcomes)


@pytest.mark.parametrize("call", [lambda host: host.spawn(2, "entries:serves"), lambda host: host.close(1.0)])
def test_what_waits_for_the_watcher_is_refused_in_on_exit(
    hosts: Hosts, call: Callable[[ProcessHost], object]
) -> None:
    refusals: list[InternalError] = []

    def on_exit(how: Exit) -> None:
        try:
            call(host)
        except InternalError as error:
            refusals.append(error)

    host = hosts.start(on_exit=on_exit)
    ended(host.spawn(1, "entries:returns_3"))
    host.close(LIMIT)
    assert len(refusals) == 1


@pytest.mark.parametrize(
    ("module", "text", "words"),
    [
        ("broken", "raise ValueError('not today')", "ValueError: not today"),
        ("dying", "import os; os._exit(5)", "ended with status 5"),
    ],
)
def test_a_module_that_cannot_be_preloaded_is_a_start_error(
    hosts: Hosts, entries: str, module: str, text: str, words: str
) -> None:
    Path(entries, f"{module}.py").write_text(text)
    with pytest.raises(EnvStartError) as caught:
        hosts.start(preload=["entries", module])
    assert words in str(caught.value)
    assert words in caught.value.output
    assert not os.path.exists(hosts.made[0].runtime_dir)


def test_an_interpreter_that_does_not_exist_is_a_start_error(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(EnvStartError):
        hosts.start()
    assert not os.path.exists(hosts.made[0].runtime_dir)
