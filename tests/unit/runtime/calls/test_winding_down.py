"""Claims about the end of all workers of an Env: from when nothing begins, and what they ask still."""

from collections.abc import Iterator
from threading import Barrier, Event
from typing import Any

import pytest

import corps
from corps.launch.patience import in_words
from corps.runtime.calls.winding_down import Unfinished, hear_last_words, still, unfinished

LIMIT = 20.0


class Diary(corps.Conc):
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def note(self, line: str) -> None:
        self._lines.append(line)

    def cleanup(self) -> None:
        self._lines.append("the diary ends")


class Writer(corps.Conc):
    def __init__(self, diary: Any) -> None:
        self._diary = diary

    def cleanup(self) -> None:
        self._diary.note("a writer ends").result()


class Meets(corps.Conc):
    def __init__(self, barrier: Barrier, met: list[int]) -> None:
        self._barrier, self._met = barrier, met

    def cleanup(self) -> None:
        self._met.append(self._barrier.wait(LIMIT))


class Holds(corps.Conc):
    restart = corps.Restart()

    def __init__(self) -> None:
        self.entered, self.go_on = Event(), Event()

    def hold(self, entered: Event, go_on: Event) -> str:
        entered.set()
        go_on.wait(LIMIT)
        return "held"

    def fail(self, entered: Event, go_on: Event) -> None:
        self.hold(entered, go_on)
        raise corps.Fail("planted")

    def make(self, entered: Event, go_on: Event) -> Any:
        self.hold(entered, go_on)
        return corps.create(Holds)

    async def idle(self) -> None:
        """Do nothing."""


@pytest.fixture
def env() -> Iterator[corps.LocalEnv]:
    with corps.env(config={"exit_timeout": 1.0}) as made:
        yield made


def test_what_waits_is_refused_at_once_and_what_runs_is_finished(env: corps.LocalEnv) -> None:
    worker, entered, go_on = env.create(Holds), Event(), Event()
    holding = worker.hold(entered, go_on)
    waiting = [worker.hold(entered, go_on) for _ in range(3)] + [worker.idle()]
    assert entered.wait(LIMIT)
    (stands,) = still(env._env)
    for future in (*waiting, worker.idle()):
        error = future.exception(LIMIT)
        assert isinstance(error, corps.WorkerGone)
        assert error.executed == "no"
    assert not stands.done()
    (busy,) = unfinished(env._env)
    assert busy.what == "hold()"
    go_on.set()
    assert holding.result(LIMIT) == "held"
    assert stands.result(LIMIT) is None


def test_an_env_that_does_nothing_stands_still_at_once(env: corps.LocalEnv) -> None:
    for _ in range(3):
        env.create(Holds)
    assert still(env._env) == []


def test_what_runs_for_too_long_is_abandoned(env: corps.LocalEnv) -> None:
    worker, entered, go_on = env.create(Holds), Event(), Event()
    holding = worker.hold(entered, go_on)
    assert entered.wait(LIMIT)
    (stands,) = still(env._env)
    stands.result(LIMIT)
    assert holding.exception(LIMIT).executed == "unknown"
    assert env._env.lives.abandoned == [f"Holds {worker._addr} in the request it runs"]
    go_on.set()


@pytest.mark.parametrize("what", ["fail", "make"])
def test_nobody_is_created_and_nobody_comes_back(env: corps.LocalEnv, what: str) -> None:
    worker, entered, go_on = env.create(Holds), Event(), Event()
    running = getattr(worker, what)(entered, go_on)
    assert entered.wait(LIMIT)
    (stands,) = still(env._env)
    go_on.set()
    assert isinstance(running.exception(LIMIT), corps.Fail | corps.ClosedError)
    stands.result(LIMIT)
    assert worker.idle().exception(LIMIT).executed == "no"


def test_last_words_are_heard_and_threads_are_not() -> None:
    lines: list[str] = []
    with corps.env() as env:
        diary = env.create(Diary, lines)
        for _ in range(3):
            env.create(Writer, diary)
        assert still(env._env) == []
        hear_last_words(env._env)
        assert isinstance(diary.note("mine").exception(LIMIT), corps.WorkerGone)
    assert lines == ["a writer ends"] * 3 + ["the diary ends"]


def test_workers_of_one_class_end_at_the_same_time() -> None:
    barrier, met = Barrier(4), list[int]()
    with corps.env() as env:
        for _ in range(4):
            env.create(Meets, barrier, met)
    assert sorted(met) == [0, 1, 2, 3]


def test_at_the_close_of_an_env_everything_is_settled() -> None:
    go_on = Event()
    entered = [Event(), Event()]
    with corps.env(config={"exit_timeout": 0.05, "grace": 0.05}) as env:
        holding = [env.create(Holds).hold(each, go_on) for each in entered]
        assert all(each.wait(LIMIT) for each in entered)
        watched = corps.watch(env.create(Holds))
    assert [type(future.exception(0)) for future in holding] == [corps.WorkerGone] * 2
    assert watched.result(0).reason == "shutdown"
    go_on.set()


def test_what_an_end_waits_for_is_said_in_words() -> None:
    found = [Unfinished(f"W {number}", "work()", number) for number in range(8)]
    assert in_words(found[:1], ["env2, which gives no answer"]) == (
        "W 0 in work() for 0.0 s, env2, which gives no answer"
    )
    assert in_words(found).startswith("W 7 in work() for 7.0 s, ")
    assert in_words(found).endswith(", 3 further workers")
    assert in_words([]) == "its workers"
