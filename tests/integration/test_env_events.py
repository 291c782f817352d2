"""Claims about what iterators, and workers that override `on_env_event`, hear of Envs that come and go."""

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any, Final

import pytest

import corps

LIMIT: Final = 30.0


class Probe(corps.Conc):
    def pid(self) -> int:
        return os.getpid()


class Watcher(corps.Conc):
    def __init__(self) -> None:
        self._events: list[corps.EnvEvent] = []
        self._wanted: list[tuple[int, corps.Promise[Any]]] = []

    def on_env_event(self, event: corps.EnvEvent) -> None:
        self._events.append(event)
        for n, promise in self._wanted:
            if n <= len(self._events):
                promise.set_result(self._events)
        self._wanted = [each for each in self._wanted if each[0] > len(self._events)]

    def events(self, n: int) -> Any:
        """What has come, when there are so many."""
        if len(self._events) >= n:
            return self._events
        promise: corps.Promise[Any] = corps.Promise()
        self._wanted.append((n, promise))
        return promise


class App(corps.Corps):
    pass


@pytest.fixture
def app() -> Iterator[corps.BootedName[App]]:
    with corps.boot(App, envs=2) as app:
        yield app


def kinds(events: list[corps.EnvEvent]) -> list[tuple[str, int, bool, str | None]]:
    return [(each.kind, each.env, each.returns, each.reason) for each in events]


LOST: Final = ("lost", 2, True, "killed")
REPLACED: Final = ("replaced", 2, False, None)
ADDED: Final = ("added", 3, False, None)
REMOVED: Final = ("removed", 3, False, "shutdown")


def test_each_env_hears_of_a_loss_and_of_what_replaces_it(app: corps.BootedName[App]) -> None:
    watchers = [corps.options(env=env).create(Watcher) for env in (1, "front")]
    victim = corps.options(env=2).create(Probe)
    with corps.env_events() as events:
        os.kill(victim.pid().ret, signal.SIGKILL)
        heard = [events.take(LIMIT), events.take(LIMIT)]
    assert kinds(heard) == [LOST, REPLACED]
    assert "SIGKILL" in heard[0].text
    assert corps.options(env=2).create(Probe).pid().ret  # it can have workers
    for watcher in watchers:
        assert kinds(corps.call(watcher, Watcher.events, 2).result(LIMIT)) == [LOST, REPLACED]


def test_they_hear_of_an_env_that_is_added_and_removed(app: corps.BootedName[App]) -> None:
    watcher = corps.options(env=1).create(Watcher)
    with app.env_events() as events:
        assert app.add_env().result(LIMIT) == 3
        assert kinds([events.take(LIMIT)]) == [ADDED]
        app.remove_env(3).result(LIMIT)
        assert kinds([events.take(LIMIT)]) == [REMOVED]
    assert kinds(corps.call(watcher, Watcher.events, 2).result(LIMIT)) == [ADDED, REMOVED]


def test_an_env_that_gets_no_other_process_does_not_return() -> None:
    app = corps.boot(App, envs=2, config={"env_restart.max": 0})
    with app.env_events() as events:
        os.kill(app.options(env=2).create(Probe).pid().ret, signal.SIGKILL)
        assert kinds([events.take(LIMIT)]) == [("lost", 2, False, "killed")]
    with pytest.raises(corps.RestartLimit):
        app.exit().result(LIMIT)


def test_a_coroutine_iterates_over_them(app: corps.BootedName[App]) -> None:
    async def first_two() -> list[corps.EnvEvent]:
        heard = []
        async with app.env_events() as events:
            pid = await corps.call(victim, Probe.pid)
            os.kill(pid, signal.SIGKILL)
            async for event in events:
                heard.append(event)
                if len(heard) == 2:
                    return heard
        raise AssertionError("the events have ended")

    victim = corps.options(env=2).create(Probe)
    assert kinds(asyncio.run(asyncio.wait_for(first_two(), LIMIT))) == [LOST, REPLACED]


def test_the_end_of_the_corps_ends_the_events_and_is_none_itself() -> None:
    with corps.boot(App, envs=1):
        events = corps.env_events()
    assert list(events) == []


def test_an_env_that_is_alone_has_no_events_and_ends_them() -> None:
    with corps.env() as env:
        events = env.env_events()
        with pytest.raises(corps.WaitTimeout):
            events.take(0.0)
        env.create(Watcher)
    assert list(events) == []
    with pytest.raises(EOFError):
        events.take()
