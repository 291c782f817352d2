"""Claims about timers over real processes, which are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import corps
from tests.integration.durable_app import App

LIMIT = 30.0
ROOT = Path(__file__).parents[2]


class Counter(corps.Conc):
    """Counts its ticks. `reached` answers when there were so many."""

    restart = corps.Restart(max=100)

    def __init__(self) -> None:
        self.ticks = 0
        self.wanted: list[tuple[int, corps.Promise[int]]] = []

    def tick(self, *, skipped: int) -> None:
        assert skipped >= 0
        self.ticks += 1
        for number, promise in self.wanted:
            if self.ticks >= number and not promise.done():
                promise.set_result(self.ticks)

    def reached(self, number: int) -> Any:
        if self.ticks >= number:
            return self.ticks
        promise: corps.Promise[int] = corps.Promise()
        self.wanted.append((number, promise))
        return promise

    def pid(self) -> int:
        return os.getpid()

    def dies_when_something_waits(self) -> None:
        mailbox = self._corps_own_cell().mailbox
        while not len(mailbox):
            Event().wait(0.002)
        os.kill(os.getpid(), signal.SIGKILL)

    def calls(self, name: "corps.Name[Counter]") -> None:
        corps.every(0.01, name.tick, key="calls")

    def stops(self) -> list[bool]:
        return [timer.cancel() for timer in corps.timers()]

    def calls_by_my_timer(self, name: "corps.Name[Counter]") -> None:
        self.my_timer().every(0.01, name.tick, key="calls")


@pytest.fixture
def app() -> Iterator[corps.BootedName[corps.Corps]]:
    with corps.boot(corps.Corps, envs=2) as app:
        yield app


def kill(name: corps.Name[Any]) -> None:
    ended = corps.watch(name)
    os.kill(corps.call(name, Counter.pid).result(LIMIT), signal.SIGKILL)
    assert ended.result(LIMIT).reason == "killed"


def test_timers_call_workers_of_other_envs(app: corps.BootedName[corps.Corps]) -> None:
    one, two = (corps.options(env=env).create(Counter) for env in (1, 2))
    one.calls(two).result(LIMIT)
    two.calls_by_my_timer(one).result(LIMIT)
    timer = corps.every(0.01, one.tick)
    for name in (one, two):
        assert name.reached(5).result(LIMIT) >= 5
    assert timer.cancel() is True
    assert one.stops().result(LIMIT) == two.stops().result(LIMIT) == [True]
    seen = [name.ticks.ret for name in (one, two)]
    assert [name.ticks.ret for name in (one, two)] == seen


def test_a_timer_goes_on_when_the_env_of_its_target_comes_back(app: corps.BootedName[corps.Corps]) -> None:
    name = corps.options(env=1).create(Counter)
    timer = corps.every(0.01, name.tick)
    assert name.reached(3).result(LIMIT) >= 3
    kill(name)
    assert name.reached(3).result(LIMIT) >= 3
    assert timer.cancel() is True


def test_a_timer_ends_with_the_env_of_its_owner(app: corps.BootedName[corps.Corps]) -> None:
    owner, name = (corps.options(env=env).create(Counter) for env in (1, 2))
    owner.calls(name).result(LIMIT)
    assert name.reached(3).result(LIMIT) >= 3
    kill(owner)
    owner.pid().result(LIMIT)  # it has come back, and has set no timer
    seen = name.ticks.ret
    assert owner.stops().result(LIMIT) == []
    assert name.ticks.ret == seen


def test_a_durable_timer_whose_call_waits_when_its_env_dies_calls_the_worker_that_comes_back(
    tmp_path: Path,
) -> None:
    config = {"timers": {"path": str(tmp_path / "timers.sqlite")}}
    with corps.boot(corps.Corps, envs=1, config=config):
        name = corps.options(tag="counter", register=True).create(Counter)
        for number in range(3):
            ended = corps.watch(name)
            name.dies_when_something_waits.send()
            corps.at(datetime.now(UTC), name.tick, durable=True, key=str(number))
            assert ended.result(LIMIT).reason == "killed"
            assert name.reached(1).result(LIMIT) == 1


def durable(path: Path, log: Path, what: str) -> list[str]:
    return [sys.executable, "-m", "tests.integration.durable_run", str(path), str(log), what]


@pytest.mark.parametrize("acknowledged", [1, 100])
def test_a_kill_loses_no_durable_timer_that_was_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    path, log = tmp_path / "timers.sqlite", tmp_path / "log"
    with subprocess.Popen(durable(path, log, "set"), cwd=ROOT, stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        keys = [script.stdout.readline().strip() for _ in range(acknowledged)]
        script.kill()
        keys += [line.strip() for line in script.stdout if line.endswith("\n")]
    done = subprocess.run(
        durable(path, log, "wait"), cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "done\n"
    assert set(keys) <= set(log.read_text().split())
    assert len(keys) >= acknowledged


def test_a_durable_timer_of_the_corps_object_outlives_its_env(tmp_path: Path) -> None:
    log = tmp_path / "log"
    config = {"timers": {"path": str(tmp_path / "timers.sqlite")}}
    with corps.boot(App, str(log), envs=1, config=config) as app:
        [yearly] = corps.timers(durable=True)
        assert yearly.due is not None
        assert (yearly.due.month, yearly.due.day) == (1, 1)
        name = corps.options(tag="counter", register=True).create(Counter)
        timer = corps.at("* * * * * *", name.tick, durable=True, key="every second")
        assert name.reached(1).result(LIMIT) >= 1
        kill(name)
        assert name.reached(1).result(LIMIT) >= 1
        assert timer.cancel() is True
        assert yearly.cancel() is True
        assert corps.timers(durable=True) == []
        assert app.my_tag().ret == ""
