"""Claims about two Corps of which one loses processes: errors are typed, and nothing hangs or stays."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import corps
from corps.addresses import FOREIGN, ConcAddr
from corps.federation.border import CorpsBorder
from corps.messages.contacts import Contact
from corps.messages.members import Member
from corps.messages.requests import CALL, Request
from corps.runtime.env import Env
from tests.integration.other_corps import ROOT, other_corps

STORE = """
import os
import time
import corps

class Shelf(corps.Conc):
    restart = corps.Restart()

    @corps.idempotent(retries=5)
    def pid(self):
        return os.getpid()

    def die(self):
        os.kill(os.getpid(), 9)

    @corps.idempotent(retries=5)
    def die_once(self, path):
        if not os.path.exists(path):
            open(path, "w").close()
            os.kill(os.getpid(), 9)
        return "lives"

class Store(corps.Corps):
    def __init__(self):
        self._shelf = corps.options(env=1).create(Shelf)
        self._kept = None

    def shelf(self):
        return self._shelf

    def pid(self):
        return os.getpid()

    def sleep(self, seconds, begun):
        open(begun, "w").close()
        time.sleep(seconds)

    def keep(self, name):
        self._kept = name

    def call_kept(self):
        return self._kept.hear().ret

    def known(self):
        env = self._corps_own_cell().env
        return sorted(number for number in env.peers._peers if number >= 2 ** 40)

    def descriptors(self):
        return len(os.listdir("/proc/self/fd"))
"""


def foreign_peers(env: Env) -> list[int]:
    assert env.peers is not None
    return [number for number in env.peers._peers if number >= FOREIGN]


def until(done: Any) -> None:
    while not done():
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Whether a thread of the process is left: while one is, its sockets listen, though the first is gone."""
    states = []
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            states.append(stat.read_text().rpartition(")")[2].split()[0])
    return any(state not in ("Z", "X") for state in states)


def test_an_env_that_dies_and_comes_back_is_found_again(tmp_path: Path) -> None:
    with other_corps(tmp_path, STORE) as other, corps.connect(other.record) as store:
        shelf = store.shelf().ret
        first = shelf.pid().ret
        assert first == other.pids[1]
        other.kill_env(1)
        second = shelf.pid().ret
        assert second != first
        assert shelf.pid().ret == second


def test_a_request_under_way_when_its_env_dies_may_have_run(tmp_path: Path) -> None:
    with other_corps(tmp_path, STORE) as other, corps.connect(other.record) as store:
        shelf = store.shelf().ret
        with pytest.raises(corps.EnvLost) as caught:
            shelf.die().result()
        assert caught.value.executed == "unknown"
        assert shelf.pid().ret


def test_an_idempotent_request_is_asked_again_when_the_env_is_back(tmp_path: Path) -> None:
    with other_corps(tmp_path, STORE) as other, corps.connect(other.record) as store:
        shelf = store.shelf().ret
        assert shelf.die_once(str(tmp_path / "died")).ret == "lives"


def test_a_watch_hears_of_the_death_of_the_process(tmp_path: Path) -> None:
    with other_corps(tmp_path, STORE) as other, corps.connect(other.record) as store:
        shelf = store.shelf().ret
        watched = corps.watch(shelf)
        shelf.pid().result()
        other.kill_env(1)
        assert watched.result(60).reason == "lost"


def test_a_corps_that_was_killed_is_unreachable(tmp_path: Path) -> None:
    with other_corps(tmp_path, STORE) as other, corps.connect(other.record) as store:
        shelf = store.shelf().ret
        shelf.pid().result()
        asleep = store.sleep(60, str(tmp_path / "begun"))
        until((tmp_path / "begun").exists)
        other.kill()
        with pytest.raises(corps.EnvLost) as lost:
            asleep.result(60)
        assert lost.value.executed == "unknown"
        until(lambda: not any(map(lives, other.pids.values())))  # its sockets may still listen until then
        for name in (store, shelf):
            with pytest.raises(corps.Unreachable) as caught:
                name.pinned.pid().result(60)
            assert caught.value.executed == "no"
        env = store._bound()
        until(lambda: foreign_peers(env) == [])
    with pytest.raises(corps.Unreachable):
        corps.connect(other.record)


def test_a_corps_that_has_ended_in_order_is_unreachable(tmp_path: Path) -> None:
    with other_corps(tmp_path, STORE) as other:
        pass
    with pytest.raises(corps.Unreachable, match="front of the Corps"):
        corps.connect(other.record)


def test_clients_that_are_killed_are_forgotten(tmp_path: Path) -> None:
    program = """
        import os, sys
        import corps

        class Listener(corps.Conc):
            def hear(self):
                return "heard"

        with corps.connect(sys.argv[1]) as store:
            store.keep(corps.create(Listener)).ret
            assert store.call_kept().ret == "heard"
            shelf = store.shelf().ret
            shelf.pid().ret
            print("ready", flush=True)
            sys.stdin.read()
    """
    with other_corps(tmp_path, STORE) as other, corps.connect(other.record) as store:
        mine = store.known().ret
        descriptors = []
        for _ in range(3):
            command = [sys.executable, "-c", textwrap.dedent(program), str(other.record)]
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
            ) as client:
                assert client.stdout is not None
                assert client.stdout.readline() == "ready\n"
                assert len(store.known().ret) == len(mine) + 1
                os.kill(client.pid, signal.SIGKILL)
            until(lambda: store.known().ret == mine)
            with pytest.raises(corps.RemoteError) as caught:
                store.call_kept().result()
            assert isinstance(caught.value, corps.Unreachable)
            descriptors.append(store.descriptors().ret)
        assert descriptors[-1] == descriptors[0]
        subprocess.run(
            [sys.executable, "-c", f"import corps; corps.connect({str(other.record)!r})"], check=True
        )


# Names in files


def test_a_stored_name_works_after_its_env_was_started_again(tmp_path: Path) -> None:
    with other_corps(tmp_path, STORE) as other, corps.connect(other.record) as store:
        corps.store(store.shelf().ret, tmp_path / "shelf")
        other.kill_env(1)
        program = f"""
            import corps
            with corps.connect({str(other.record)!r}):
                print(corps.load({str(tmp_path / "shelf")!r}).pid().ret)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        assert done.stderr == ""
        assert int(done.stdout) == store.shelf().ret.pid().ret != other.pids[1]


def test_a_stored_name_of_a_worker_that_has_ended_says_so(tmp_path: Path) -> None:
    with other_corps(tmp_path, STORE) as other, corps.connect(other.record) as store:
        shelf = store.shelf().ret
        corps.store(shelf, tmp_path / "shelf")
        shelf.exit().result()
        with pytest.raises(corps.WorkerGone) as gone:
            corps.load(tmp_path / "shelf").pid().result()
        assert gone.value.executed == "no"


def test_a_stored_name_of_a_corps_that_was_started_anew_is_unreachable(tmp_path: Path) -> None:
    with other_corps(tmp_path, STORE) as other, corps.connect(other.record) as store:
        corps.store([store, store.shelf().ret], tmp_path / "names")
    with (
        other_corps(tmp_path, STORE, name="anew", tag="other") as other,
        corps.connect("other") as store,
    ):
        for name in corps.load(tmp_path / "names"):
            with pytest.raises(corps.Unreachable) as gone:
                name.pid().result()
            assert gone.value.executed == "no"
        assert store.shelf().ret.pid().ret == other.pids[1]


# Waits in a circle


def test_a_circle_of_waits_over_two_corps_ends_by_a_deadline(tmp_path: Path) -> None:
    circle = """
        import corps

        class Side(corps.Corps):
            def __init__(self):
                self.other = None

            def meet(self, other):
                self.other = other

            def round(self):
                return self.other.options(deadline=0.5).answer().ret

            def answer(self):
                return self.other.round().ret

            def size(self):
                return 1
    """
    with (
        other_corps(tmp_path, circle, name="left"),
        other_corps(tmp_path, circle, name="right"),
        corps.connect("left") as left,
    ):
        right: Any = corps.connect("right")
        left.meet(right).result()
        right.meet(left).result()
        with pytest.raises(corps.RemoteError) as caught:
            left.round().result()  # it waits for the right side, and that for the left one
        assert isinstance(caught.value, corps.DeadlineExceeded)
        assert (left.size().ret, right.size().ret) == (1, 1)  # both sides go on


# A search that breaks down


def test_what_waits_for_an_env_fails_when_the_search_breaks_down_and_the_next_request_searches_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("planted")

    with other_corps(tmp_path, STORE) as other, corps.connect(other.record) as store:
        shelf = store.shelf().ret
        shelf.pid().result()
        env = store._bound()
        other.kill_env(1)
        until(lambda: len(foreign_peers(env)) == 1)
        with monkeypatch.context() as patch:
            patch.setattr(CorpsBorder, "_look_for", broken)
            with pytest.raises(MemoryError):
                shelf.pinned.pid().result(60)
        assert shelf.pid().result(60) != other.pids[1]


def test_what_waits_for_an_env_elsewhere_fails_when_the_thread_that_looks_for_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("planted")

    with other_corps(tmp_path, STORE) as other, corps.connect(other.record) as store:
        border = store._bound().border
        assert isinstance(border, CorpsBorder)
        monkeypatch.setattr(CorpsBorder, "_reached", broken)
        peer = border._foreign.expect("0" * 16, 1)
        there = Member(1, "a" * 32, "", corps="0" * 16)
        answer: corps.Future[int] = corps.Future()
        asked = Request(CALL, ConcAddr("0" * 16, 1, 1), "pid", (), {}, answer)
        peer.asking.send(asked)
        border._seek(peer.place, peer, Contact(there, there))
        with pytest.raises(corps.Unreachable, match="ValueError: planted"):
            answer.result(60)
