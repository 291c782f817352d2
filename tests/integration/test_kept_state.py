"""Claims about state that is kept outside the Env: the next incarnation begins with it."""

import os
import signal
import threading
from typing import Any

import pytest

import corps

LIMIT = 20.0


class Counter(corps.Conc):
    restart = corps.Restart(max=50, backoff=(0, 0))
    keep_every = 0.0

    def __init__(self, first: Any = 0) -> None:
        self.number = first
        self.handed: Any = "nothing yet"

    def keep_state(self) -> Any:
        return {"number": self.number}

    def after_restart(self, state: Any) -> None:
        self.handed = state
        if state is not None:
            self.number = state["number"]

    def add(self) -> int:
        self.number += 1
        return int(self.number)

    async def add_later(self) -> int:
        return self.add()

    def set(self, value: Any) -> None:
        self.number = value

    def fail(self) -> None:
        raise corps.Fail("planted")

    def pid(self) -> int:
        return os.getpid()


class Slow(Counter):
    keep_every = 0.05


class Forgetful(Counter):
    def keep_state(self) -> Any:
        raise ValueError("planted")


class Stateless(corps.Conc):
    restart = corps.Restart(max=50, backoff=(0, 0))

    def __init__(self) -> None:
        self.handed: Any = "nothing yet"

    def after_restart(self, state: Any) -> None:
        self.handed = state

    def fail(self) -> None:
        raise corps.Fail("planted")


class App(corps.Corps):
    def make(self, cls: type, env: int) -> Any:
        return corps.options(env=env).create(cls)


def kill(worker: Any) -> None:
    """End the process of a worker, and wait until that is known."""
    gone = corps.watch(worker)
    os.kill(worker.pid().result(LIMIT), signal.SIGKILL)
    assert gone.result(LIMIT).reason == "killed"


def test_each_answered_change_survives_the_death_of_the_process() -> None:
    with corps.boot(App, envs=2, config={"env_restart": {"max": 50}}) as app:
        counter = app.make(Counter, 2).ret
        for round_ in range(1, 4):
            assert counter.add().ret == 2 * round_ - 1
            assert counter.add_later().ret == 2 * round_
            kill(counter)
        assert counter.add().ret == 7


@pytest.mark.parametrize("env", ["here", 2])
def test_a_conc_that_fails_begins_again_with_what_it_knew(env: Any) -> None:
    with corps.boot(App, envs=2):
        counter = corps.options(env=env).create(Counter, 40)
        assert [counter.add().ret, counter.add().ret] == [41, 42]
        with pytest.raises(corps.Fail):
            counter.fail().result(LIMIT)
        assert counter.handed.ret == {"number": 42}
        assert counter.add().ret == 43


def test_an_env_that_is_alone_keeps_states_too() -> None:
    with corps.env() as env:
        counter = env.create(Counter)
        counter.add().result(LIMIT)
        with pytest.raises(corps.Fail):
            counter.fail().result(LIMIT)
        assert counter.add().result(LIMIT) == 2


def test_at_a_slower_pace_the_last_state_is_kept_in_time() -> None:
    with corps.env() as env:
        counter = env.create(Slow)
        for _ in range(20):
            counter.add().result(LIMIT)
        inner: Any = env._env
        pause = threading.Event()
        while inner.upper.unpack(inner.lives.kept.kept(counter._addr, 1) or inner.upper.pack(None)) != {
            "number": 20
        }:
            pause.wait(0.01)  # nobody tells when a state is kept
        with pytest.raises(corps.Fail):
            counter.fail().result(LIMIT)
        assert counter.add().result(LIMIT) == 21


def test_without_keep_state_nothing_is_handed_over() -> None:
    with corps.env() as env:
        worker = env.create(Stateless)
        with pytest.raises(corps.Fail):
            worker.fail().result(LIMIT)
        assert worker.handed.result(LIMIT) is None


@pytest.mark.parametrize("value", [threading.Lock(), "keep_state raises"])
def test_a_state_that_cannot_be_kept_leaves_the_answer_and_the_last_state(
    value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with corps.env() as env:
        worker = env.create(Forgetful if isinstance(value, str) else Counter, 5)
        worker.add().result(LIMIT)
        worker.set(value).result(LIMIT)
        with pytest.raises(corps.Fail):
            worker.fail().result(LIMIT)
        assert worker.number.result(LIMIT) == (5 if isinstance(value, str) else 6)
    assert "could not be kept" in caplog.text


def test_what_has_ended_leaves_no_state_behind() -> None:
    with corps.env() as env:
        counter = env.create(Counter)
        counter.add().result(LIMIT)
        assert env._env.lives.kept.kept(counter._addr, 1) is not None
        counter.exit().result(LIMIT)
        assert env._env.lives.kept.kept(counter._addr, 1) is None


@pytest.mark.parametrize("pace", [-1, "often", True, None])
def test_a_bad_pace_is_an_error_of_the_class(pace: Any) -> None:
    with pytest.raises(corps.DefinitionError, match="keep_every"):
        type("Bad", (corps.Conc,), {"keep_every": pace})
