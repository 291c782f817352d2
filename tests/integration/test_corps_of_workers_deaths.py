"""Claims about Corps of workers when something dies: no process is left over, and their Mgr hears of it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import corps
from corps.federation.registry import registry_of_user
from tests.integration.corps_of_workers import PART, Builder, House, are_gone, processes_of, write_part
from tests.integration.other_corps import ROOT

PAUSE = threading.Event()


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("WHERE_PARTS_END", str(tmp_path / "ended"))
    return tmp_path


@pytest.fixture
def house() -> Iterator[Any]:
    with corps.boot(House, corps.Restart(), envs=2) as house:
        yield house


KINDS = [{"contained": True}, {"tag": "kept", "external": True, "managed": True}]


def until(done: Any) -> None:
    while not done():
        PAUSE.wait(0.02)  # another process changes it, and wakes nobody here


@pytest.mark.parametrize("how", KINDS, ids=["contained", "managed"])
def test_it_ends_in_order_when_the_env_of_its_mgr_is_killed(
    house: Any, folders: Path, how: dict[str, Any]
) -> None:
    builder = house.builder().ret
    part = builder.boot(str(write_part(folders / "a", "a")), 1, **how).ret
    processes = processes_of(part)
    os.kill(builder.pid().ret, signal.SIGKILL)
    assert are_gone(processes)
    assert (folders / "ended").read_text() == "1\n"
    assert builder.children().ret == 0


@pytest.mark.parametrize("how", KINDS, ids=["contained", "managed"])
def test_it_ends_when_its_mgr_is_killed_without_its_env(
    house: Any, folders: Path, how: dict[str, Any]
) -> None:
    builder = house.builder().ret
    part = builder.boot(str(write_part(folders / "a", "a")), 2, **how).ret
    processes = processes_of(part)
    builder.kill().result()
    assert are_gone(processes)


@pytest.mark.parametrize("how", KINDS, ids=["contained", "managed"])
def test_no_process_is_left_when_all_of_the_creator_is_killed(folders: Path, how: dict[str, Any]) -> None:
    path = write_part(folders / "a", "a")
    program = f"""
import sys
import corps
from tests.integration.corps_of_workers import House, processes_of

if __name__ == "__main__":
    with corps.boot(House, envs=1) as house:
        part = house.builder().ret.boot({str(path)!r}, 3, **{how!r}).ret
        print(*[process.pid for process in processes_of(part)], flush=True)
        sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    ) as creator:
        assert creator.stdout is not None
        parts = [psutil.Process(int(pid)) for pid in creator.stdout.readline().split()]
        assert len(parts) == 4
        creators = [psutil.Process(creator.pid), *psutil.Process(creator.pid).children(recursive=True)]
        for each in creators:
            if each not in parts and each.is_running():
                each.kill()
        creator.wait()
        assert are_gone([each for each in creators if each not in parts])
        for left in Path(tempfile.gettempdir()).glob(f"corps-{creator.pid}-*"):
            shutil.rmtree(left)  # no process is left that could
    assert are_gone(parts)
    assert (folders / "ended").read_text() == "3\n"


def kill_the_env(house: Any, builder: Any) -> None:
    until(lambda: len(house.envs()) == 2)
    os.kill(_pid_of_env(house, 1), signal.SIGKILL)


def kill_the_worker(house: Any, builder: Any) -> None:
    builder.kill().result()


@pytest.mark.parametrize(
    ("kill", "error"), [(kill_the_env, corps.EnvLost), (kill_the_worker, corps.WorkerGone)]
)
def test_a_boot_under_way_is_given_up_when_its_mgr_is_killed(
    house: Any, folders: Path, kill: Callable[[Any, Any], None], error: type[corps.CorpsError]
) -> None:
    source = PART.replace("self.number = number", "open(number, 'w').write(str(os.getpid())); stay()")
    source += "\ndef stay():\n    import threading\n    threading.Event().wait()\n"
    path = write_part(folders / "a", "a", source)
    builder = house.builder().ret
    said = folders / "said"
    booting = builder.boot(str(path), str(said), contained=True)
    until(lambda: said.exists() and said.read_text())
    front = psutil.Process(int(said.read_text()))
    processes = [front, *front.parents()[:2]]  # the template, and the booting process
    kill(house, builder)
    assert are_gone(processes)
    with pytest.raises(error):
        booting.result()


def test_a_ctrl_c_in_a_script_gives_the_boot_up(folders: Path) -> None:
    source = PART.replace("self.number = number", "open(number, 'w').write(str(os.getpid())); stay()")
    source += "\ndef stay():\n    import threading\n    threading.Event().wait()\n"
    path, said = write_part(folders / "a", "a", source), folders / "said"
    program = f"""
import corps
corps.options(tag="of-script", external=True).boot({str(path)!r}, {str(said)!r}, envs=1)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as script:
        until(lambda: said.exists() and said.read_text())
        front = psutil.Process(int(said.read_text()))
        processes = [front, *front.parents()[:2]]
        script.send_signal(signal.SIGINT)
        _, errors = script.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert are_gone(processes)


def test_it_ends_though_its_creator_ignores_the_signal_that_ends_it(folders: Path) -> None:
    path = write_part(folders / "a", "a")
    program = f"""
import signal
import corps
from tests.integration.corps_of_workers import Builder, processes_of

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    with corps.env() as env:
        part = env.create(Builder).boot({str(path)!r}, 1, contained=True).ret
        print(*[process.pid for process in processes_of(part)])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stderr == ""
    assert are_gone([psutil.Process(int(pid)) for pid in done.stdout.split() if psutil.pid_exists(int(pid))])
    assert (folders / "ended").read_text() == "1\n"


def _pid_of_env(house: Any, env_id: int) -> int:
    places = house._running._parts.membership.places()
    pids = {place.process.env_id: place.process.pid for place in places}
    return int(pids[env_id])


def test_a_mgr_hears_of_the_failure_of_a_contained_corps_as_of_any_child(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    part = builder.boot(str(write_part(folders / "a", "a")), contained=True).ret
    processes = processes_of(part)
    watched = corps.watch(part)
    with pytest.raises(corps.Fail):
        part.fail().result()
    assert watched.result(60).reason == "error"
    assert are_gone(processes)
    until(lambda: builder.children().ret == 0)
    with pytest.raises(corps.EnvLost) as lost:
        part.word().result()
    assert isinstance(lost.value, corps.Unreachable)


def test_a_corps_object_that_is_restarted_has_the_same_name(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    path = str(write_part(folders / "a", "a"))
    part = builder.boot(path, 5, restart=corps.Restart(backoff=(0.01, 0.02)), contained=True).ret
    before = part.pids().ret
    with pytest.raises(corps.Fail):
        part.fail().result()
    assert part.word().ret == ("a", "part", 5)
    with pytest.raises(corps.EnvLost):
        part.die().result()
    until(lambda: _answer(part) == ("a", "part", 5))
    after = part.pids().ret
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert builder.call("word").ret == ("a", "part", 5)


def _answer(part: Any) -> Any:
    try:
        return part.word().result()
    except corps.EnvLost:
        return None


def test_a_restart_limit_that_is_passed_inside_fails_the_mgr(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    path = str(write_part(folders / "a", "a"))
    part = builder.boot(path, restart=corps.Restart(max=1, backoff=(0.01, 0.02)), contained=True).ret
    processes = processes_of(part)
    watched = corps.watch(builder)
    for _ in range(2):
        with pytest.raises(corps.Fail):
            part.fail().result()
    ended = watched.result(60)
    assert ended.reason == "error"
    assert "RestartLimit" in ended.text
    assert are_gone(processes)
    assert builder.children().ret == 0  # its next incarnation


def test_a_mgr_hears_that_the_whole_of_a_contained_corps_was_killed(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    part = builder.boot(str(write_part(folders / "a", "a")), contained=True).ret
    processes = processes_of(part)
    processes[0].kill()
    assert are_gone(processes)
    until(lambda: builder.children().ret == 0)
    with pytest.raises(corps.EnvLost):
        part.word().result()


def test_an_external_corps_of_a_worker_outlives_the_kill_of_its_env(house: Any, folders: Path) -> None:
    builder = house.builder().ret
    part = builder.boot(str(write_part(folders / "a", "a")), 9, tag="outlives", external=True).ret
    processes = processes_of(part)
    os.kill(builder.pid().ret, signal.SIGKILL)
    assert part.word().ret == ("a", "part", 9)
    part.exit().result()
    assert are_gone(processes)


def test_a_part_that_does_not_end_in_time_is_killed(house: Any, folders: Path) -> None:
    source = PART.replace(
        'path = os.environ.get("WHERE_PARTS_END")', "import threading; threading.Event().wait()"
    )
    part = house.builder().ret.boot(str(write_part(folders / "a", "a", source)), contained=True).ret
    processes = processes_of(part)
    house.builder().ret.exit().result()
    assert are_gone(processes)


def test_nothing_of_a_contained_corps_stays_in_the_registry(house: Any, folders: Path) -> None:
    builder: corps.Name[Builder] = house.builder().ret
    part: Any = builder.boot(str(write_part(folders / "a", "a")), contained=True).ret
    mine = part._addr.corps[:8]
    assert [tag for tag in registry_of_user().tags() if tag.endswith(mine)]
    processes = processes_of(part)
    house.exit().result()
    assert are_gone(processes)
    assert [tag for tag in registry_of_user().tags() if tag.endswith(mine)] == []


# A new Corps under the same tag


def test_old_names_of_a_tag_say_that_a_new_corps_has_it(folders: Path) -> None:
    path = write_part(folders / "a", "a")
    wanted = corps.options(tag="again", external=True)
    first: Any = wanted.boot(path, 1, envs=1)
    piece = first.piece().ret
    piece.pid().result()
    processes = processes_of(first)
    os.kill(first.pids().ret[1], signal.SIGKILL)  # the front alone: its class does not bring it back
    assert are_gone(processes)
    until(lambda: "again" not in registry_of_user().tags())
    for ask in (first.word, piece.pid):
        with pytest.raises(corps.Unreachable, match="has ended, or starts again"):
            ask().result()
    second: Any = wanted.boot(path, 2, envs=1)
    try:
        said = r"a new Corps has its tag 'again': corps\.connect\('again'\)"
        for ask in (first.word, piece.pid):
            with pytest.raises(corps.Unreachable, match=said) as gone:
                ask().result()
            assert gone.value.executed == "no"
        with corps.connect("again") as found:
            assert found.word().ret == ("a", "part", 2)
    finally:
        first.disconnect()
        second.exit().result()
        second.disconnect()


def test_old_names_go_on_when_a_front_comes_back_that_was_killed_alone(folders: Path) -> None:
    source = PART.replace("def __init__", "restart = corps.Restart()\n    def __init__")
    path = write_part(folders / "a", "a", source)
    part: Any = corps.options(tag="front", external=True).boot(path, 3, envs=1)
    try:
        before = part.pids().ret
        os.kill(before[1], signal.SIGKILL)
        until(lambda: _answer(part) == ("a", "part", 3))
        assert part.pids().ret[0] == before[0]
        assert part.pids().ret[1] != before[1]
        with corps.connect("front") as found:
            assert found == part
    finally:
        part.exit().result()
        part.disconnect()
