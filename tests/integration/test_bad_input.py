"""Claims about what cannot be: it gets a typed error, in one Env and over two, and nothing is lost."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

import corps

LIMIT = 30.0
LOCK = threading.Lock()


class Index(corps.Conc):
    def __init__(self) -> None:
        self.ticks = 0

    def tick(self) -> int:
        self.ticks += 1
        return self.ticks


class App(corps.Corps):
    """It has Envs."""


def number(value: int) -> int:
    return value


def locked(_: object = None) -> Any:
    return LOCK


class Place:
    """Where a test is, and a worker there that is registered: in another Env if there is one."""

    def __init__(self, where: int | None) -> None:
        self.where = where
        self.index: corps.Name[Index] = corps.options(
            env=where, tag="index", register="unique", properties={"size": 1}
        ).create(Index)

    def gone(self) -> corps.Name[Index]:
        """A worker that has ended."""
        gone: corps.Name[Index] = corps.options(env=self.where).create(Index)
        gone.exit().result(LIMIT)
        return gone


@pytest.fixture(params=["one Env", "two Envs"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with corps.env() if request.param == "one Env" else corps.boot(App, envs=2):
        place = Place(None if request.param == "one Env" else 2)
        before = corps.find_all()
        yield place
        assert set(corps.find_all()) == set(before)
        assert corps.find("index", size=1) == place.index
        assert place.index.tick().result(LIMIT) == 1
        assert corps.timers() == []


WRONG: dict[str, tuple[type[Exception], Callable[[Place], object]]] = {
    "a property to find that none can be": (corps.PropertyError, lambda at: corps.find("index", size=[1])),
    "one to find all by": (corps.PropertyError, lambda at: corps.find_all("index", size={1: 2})),
    "one to watch": (corps.PropertyError, lambda at: corps.watch_dir("index", size=bytes(5000))),
    "one to find elsewhere": (corps.PropertyError, lambda at: corps.find("index", where="ext", user=[1])),
    "one of a Future": (corps.PropertyError, lambda at: corps.afind("index", timeout=1.0, size=[]).result()),
    "an unhashable property": (corps.PropertyError, lambda at: corps.register(at.index, tag="x", size=[1])),
    "a property of 1 MiB": (
        corps.PropertyError,
        lambda at: corps.register(at.index, tag="x", size="x" * 2**20),
    ),
    "one of a new worker": (
        corps.PropertyError,
        lambda at: corps.options(env=at.where, register=True, properties={"size": {}}).create(Index),
    ),
    "one of a group": (
        corps.PropertyError,
        lambda at: corps.options(where="corps", register=True, properties={"size": {}}).replicate(1, Index),
    ),
    "a tag that is taken": (
        corps.NameTaken,
        lambda at: corps.register(corps.options(env=at.where).create(Index), tag="index"),
    ),
    "one of a new worker that is taken": (
        corps.NameTaken,
        lambda at: corps.options(env=at.where, tag="index", register=True).create(Index),
    ),
    "one of a group that is taken": (
        corps.NameTaken,
        lambda _: corps.options(where="corps", tag="index").replicate(1, Index),
    ),
    "a worker that has ended, in a Dir": (corps.WorkerGone, lambda at: corps.register(at.gone(), tag="x")),
    "no cron expression": (corps.ConfigError, lambda at: corps.at("every other day", at.index.tick)),
    "a cron expression of a minute 61": (
        corps.ConfigError,
        lambda at: corps.at("61 0 * * *", at.index.tick),
    ),
    "no time zone": (corps.ConfigError, lambda at: corps.at("0 3 * * *", at.index.tick, zone="Mars/North")),
    "a moment without a zone": (corps.ConfigError, lambda at: corps.at(datetime(2030, 1, 1), at.index.tick)),
    "a timer for a plain function": (corps.ConfigError, lambda _: corps.after(0.01, number)),
    "seconds below 0": (corps.ConfigError, lambda at: corps.after(-1.0, at.index.tick)),
    "a durable timer for a worker that has ended": (
        corps.ConfigError,
        lambda at: corps.at(datetime(2130, 1, 1, tzinfo=UTC), at.gone().tick, durable=True, key="x"),
    ),
    "what is no function, of Funcs": (corps.DefinitionError, lambda _: corps.create_funcs(three=3)),  # type: ignore[arg-type]
    "two functions of one name": (corps.DefinitionError, lambda _: corps.create_funcs(number, number=number)),
    "what is no function, of a map": (TypeError, lambda _: list(corps.map(3, [1]))),  # type: ignore[call-overload]
    "chunks of nothing": (corps.ConfigError, lambda _: list(corps.map(number, [1], chunk=0))),
    "a level that is none": (corps.ConfigError, lambda _: corps.log_level("LOUD")),
    "a log that cannot be": (corps.ConfigError, lambda _: corps.log_to(file="/nowhere/at/all")),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_gets_its_error(place: Place, what: str) -> None:
    kind, attempt = WRONG[what]
    with pytest.raises(kind) as caught:
        attempt(place)
    assert str(caught.value)


def test_a_timer_for_a_worker_that_has_ended_says_so_at_once_or_when_it_is_due(place: Place) -> None:
    gone = place.gone()
    if place.where is None:
        with pytest.raises(corps.WorkerGone):
            corps.after(0.0, gone.tick)
        return
    corps.after(0.0, gone.tick)
    corps.every(0.01, gone.tick)
    deadline = time.monotonic() + LIMIT
    while corps.timers() or not any(letter.method == "tick" for letter in corps.dead_letters()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_functions_and_items_that_cannot_be_packed_are_refused_by_what_packs_them() -> None:
    with corps.boot(App, envs=2):
        lock = threading.Lock()
        with pytest.raises(corps.PackError):
            corps.options(env=2).create_funcs(bad=lambda: lock)
        with pytest.raises(corps.PackError):
            corps.options().replicate_funcs(1, bad=lambda: lock)
        with pytest.raises(corps.PackError):
            corps.options(where="corps").replicate_funcs(1, bad=lambda: lock)
        with pytest.raises(corps.PackError):
            list(corps.map(lambda _: lock, range(3)))
        with pytest.raises(corps.PackError):
            list(corps.map(str, [1, lock]))
        with corps.Executor() as executor:
            with pytest.raises(corps.PackError):
                executor.submit(lambda: lock).result(LIMIT)
            with pytest.raises(corps.PackError):
                executor.submit(locked).result(LIMIT)
            assert executor.submit(number, 1).result(LIMIT) == 1
        assert list(corps.map(number, range(3))) == [0, 1, 2]
