"""Claims about what stands for a Corps or an Env outside of its block: in notebooks, frameworks, threads."""

import asyncio
import contextvars
import gc
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import corps
from corps.runtime.context import current
from corps.runtime.this_process import this_process


class Worker(corps.Conc):
    def where(self) -> int:
        return self.my_env()


class App(corps.Corps):
    def greet(self) -> str:
        return "hi"


class Threaded(corps.Corps):
    """A thread of it, which is no worker, creates a worker in another Env."""

    def create_in_a_thread(self) -> int:
        with ThreadPoolExecutor(1) as threads:
            place: int = threads.submit(corps.create, Worker).result().where().ret
            return place


class Busy(corps.Corps):
    """Has methods with the names of what a booted Name offers."""

    def create(self, what: str) -> str:
        return f"made {what}"

    def envs(self) -> str:
        return "mine"


class Failing(corps.Corps):
    def __init__(self) -> None:
        raise ValueError("not today")


@pytest.fixture(autouse=True)
def _nothing_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a fresh process: other tests keep Envs open from one to the next."""
    monkeypatch.setattr(this_process, "_opened", {})


def test_a_booted_name_creates_and_tells_from_any_thread() -> None:
    app = corps.boot(App, envs=2)
    try:
        with ThreadPoolExecutor(1) as threads:
            created = threads.submit(app.create_many, 2, Worker).result()
            assert [name.where().ret for name in created] == app.envs() == [1, 2]
            assert threads.submit(app.options(env=2, tag="x").create, Worker).result().where().ret == 2
            assert sorted(app.statistics()) == [-1, 0, 1, 2]
            assert app.dead_letters().counts() == {}
            assert app.dead_letters("here").counts() == {}
            assert threads.submit(corps.create, Worker).result().where().ret in {1, 2}
            limited = app.options(deadline=20.0)
            assert limited == app
            assert limited.greet().ret == "hi"
            made = limited.create(Worker)
            assert made.where().ret in {1, 2}
            assert made._deadline == 20.0
        with pytest.raises(corps.ConfigError):
            app.dead_letters(7)
    finally:
        app.exit().result()
    assert current.get() is None
    with pytest.raises(corps.ContextError, match="no Env here"):
        corps.create(Worker)


def test_what_a_plain_thread_of_an_env_creates_ends_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    with corps.boot(Threaded, envs=2) as app:
        assert {app.create_in_a_thread().ret, app.create_in_a_thread().ret} == {1, 2}
    assert capfd.readouterr().err == ""


def test_a_method_of_the_corps_goes_before_what_its_booted_name_offers() -> None:
    with corps.boot(Busy, envs=1) as booted:
        app: Any = booted
        assert app.create("it").ret == "made it"
        assert app.envs().ret == "mine"
        assert app.options(deadline=9).create("it").ret == "made it"
        assert app.options(env=1).create_many(1, Worker)[0].where().ret == 1


def test_blocks_are_left_in_any_order_thread_and_context() -> None:
    local, app = corps.env(), corps.boot(App, envs=1)
    local.__enter__()
    app.__enter__()
    local.__exit__(None, None, None)
    assert corps.create(Worker).where().ret == 1
    with ThreadPoolExecutor(1) as threads:
        threads.submit(contextvars.Context().run, app.__exit__, None, None, None).result()
    with pytest.raises((corps.ContextError, corps.ClosedError)):
        corps.create(Worker)
    with corps.env():
        assert corps.create(Worker).where().ret == 0


async def _env() -> AsyncIterator[Any]:
    with corps.env() as env:
        yield env


async def _boot() -> AsyncIterator[Any]:
    async with corps.boot(App, envs=1) as app:
        yield app


@pytest.mark.parametrize("fixture", [_env, _boot])
def test_a_block_is_entered_in_one_task_and_left_in_another(fixture: Callable[[], Any]) -> None:
    async def use() -> int:
        steps = fixture()
        handle = await asyncio.create_task(anext(steps))
        worker = await corps.options().create_nowait(Worker)
        assert await worker.where() in handle.envs()
        with pytest.raises(StopAsyncIteration):
            await asyncio.create_task(anext(steps))
        return 5

    assert asyncio.run(use()) == 5


def test_a_coroutine_boots_and_ends_a_corps_while_its_loop_goes_on() -> None:
    async def use() -> list[str]:
        went_on: list[str] = []
        loop = asyncio.get_running_loop()
        loop.call_soon(went_on.append, "start")
        async with corps.boot(App, envs=1) as app:
            assert went_on == ["start"]
            went_on.append(await app.greet())
            assert corps.envs() == [1]
            loop.call_soon(went_on.append, "end")
        loop.call_soon(went_on.append, "awaited")
        app = await corps.aboot(App, envs=1)
        went_on.append(await app.greet())
        await app.exit()
        loop.call_soon(went_on.append, "local")
        async with corps.env() as env:
            loop.call_soon(went_on.append, await env.create(Worker).where())
        return went_on

    assert asyncio.run(use()) == ["start", "hi", "end", "awaited", "hi", "local", 0]


def test_a_boot_in_a_coroutine_is_usable_at_once_and_raises_when_it_is_used() -> None:
    async def use() -> None:
        app = corps.boot(App, envs=1)
        assert await app.greet() == "hi"
        assert isinstance(app, corps.BootedName)
        with app as same:
            assert same is app
        with pytest.raises(corps.CorpsStartError, match="not today"):
            async with corps.boot(Failing, envs=1):
                pass
        failing = corps.boot(Failing, envs=1)
        for _ in range(2):
            with pytest.raises(corps.CorpsStartError, match="not today"):
                failing.greet()
        with pytest.raises(corps.LoadError):
            corps.boot("missing.py")

    asyncio.run(use())


def test_a_boot_that_fails_and_is_not_used_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def use() -> None:
        failing = corps.boot(Failing, envs=1)
        await asyncio.to_thread(vars(failing)["_starting"].booted.exception)

    asyncio.run(use())
    gc.collect()
    assert "test_handles.py, line" in caplog.text
    assert "not today" in caplog.text


def test_a_cancelled_boot_ends_what_it_has_started() -> None:
    async def use() -> None:
        boots = asyncio.create_task(corps.aboot(App, envs=1))
        await asyncio.sleep(0)
        boots.cancel()
        with pytest.raises(asyncio.CancelledError):
            await boots

    asyncio.run(use())  # the leak check looks for what is left
