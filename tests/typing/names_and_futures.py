"""What type checkers know of Names and Futures. Read by mypy with the other tests, never run.

A ``type: ignore`` here is a claim: the line is wrong, and the checker has to say so (unused ones are errors).
"""

import concurrent.futures
import logging
from collections.abc import AsyncIterator, Generator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, assert_type

import corps


class Counter(corps.Conc):
    def __init__(self, start: int, *, step: int = 1) -> None:
        self.value = start
        self.step = step

    def add(self, n: int = 1) -> int:
        return self.value + n

    async def later(self, text: str) -> bytes:
        return text.encode()

    def numbers(self) -> Generator[int, None, str]:
        yield 1
        return "end"

    async def letters(self) -> AsyncIterator[str]:
        yield "a"

    def lines(self) -> Iterator[str]:
        yield "b"

    def me(self) -> "corps.Name[Counter]":
        name = self.my_name()
        again: corps.Name[Counter] = self.my_self()
        assert again == name
        assert_type(self.my_env(), int)
        return name


class Other(corps.Conc):
    def size(self) -> int:
        return 1


class Sized(corps.Corps):
    def __init__(self, size: int) -> None:
        self.size = size


class App(corps.Corps):
    def __init__(self) -> None:
        self.counters = corps.options(tag="c").create_per_env(2, Counter, 1)

    def total(self) -> int:
        return sum(corps.gather(*[corps.call(counter, Counter.add) for counter in self.counters]).ret)


def constructors_are_checked() -> None:
    assert_type(corps.create(Counter, 1, step=2), corps.Name[Counter])
    corps.create(Counter)  # type: ignore[call-arg]
    corps.create(Counter, "one")  # type: ignore[arg-type]
    corps.create(Counter, 1, stride=2)  # type: ignore[call-arg]


def options_keep_the_check() -> None:
    chosen = corps.options(tag="a", env=1, mailbox=10, deadline=1.5)
    assert_type(chosen, corps.Options)
    assert_type(chosen.create(Counter, 1), corps.Name[Counter])
    assert_type(chosen.create_nowait(Counter, 1), corps.Future[corps.Name[Counter]])
    assert_type(chosen.create_many(3, Counter, 1, step=1), list[corps.Name[Counter]])
    assert_type(chosen.create_per_env(1, Counter, 1), list[corps.Name[Counter]])
    chosen.create(Counter, "one")  # type: ignore[arg-type]
    chosen.create_many(3, Counter)  # type: ignore[call-arg]
    chosen.create_per_env(3, Counter, 1, 2)  # type: ignore[call-arg]
    corps.options(colour="a")  # type: ignore[call-arg]
    corps.options(label="gpu").create(Counter, 1)
    corps.options(label=1)  # type: ignore[arg-type]
    corps.options(env="there")  # type: ignore[arg-type]


def corps_in_their_own_processes_are_typed() -> None:
    wanted = corps.options(tag="app", external=True, managed=True)
    assert_type(wanted.boot(App), corps.Name[App])
    assert_type(wanted.boot(App, envs=2), corps.Name[App])
    assert_type(wanted.boot(Sized, 4, envs=2), corps.Name[Sized])
    assert_type(wanted.boot("app.py", 4, envs=2), corps.Name[Any])
    assert_type(wanted.boot(Path("app.py")), corps.Name[Any])
    wanted.boot(Sized, "four", envs=2)  # type: ignore[call-arg, arg-type]
    wanted.boot(3)  # type: ignore[call-overload]
    corps.options(contained="yes")  # type: ignore[arg-type]


def connections_have_the_class(name: corps.Name[App]) -> None:
    assert_type(corps.connect("app", App), corps.ConnectedName[App])
    as_name: corps.Name[App] = corps.connect("app", App)
    assert as_name == name
    assert_type(corps.connect("app"), corps.ConnectedName[Any])
    assert_type(corps.call(corps.connect("app", App), App.total), corps.Future[int])
    with corps.connect(Path("app.json"), App) as app:
        assert_type(app, corps.ConnectedName[App])
        corps.call(app, App.total, 1)  # type: ignore[call-overload]
    assert_type(corps.find("app", where="ext"), corps.Name[Any])
    assert_type(corps.find(App, tag="app", where="ext"), corps.Name[App])
    corps.find("app", where="host")  # type: ignore[call-overload]


def an_env_keeps_the_check() -> None:
    with corps.env(threads=2) as env:
        assert_type(env, corps.LocalEnv)
        assert_type(env.create(Counter, 1), corps.Name[Counter])
        assert_type(env.options(tag="a").create(Counter, 1), corps.Name[Counter])
        env.create(Counter)  # type: ignore[call-arg]


def calls_are_typed(name: corps.Name[Counter]) -> None:
    assert_type(corps.call(name, Counter.add, 1), corps.Future[int])
    assert_type(corps.call(name, Counter.add, n=1).ret, int)
    assert_type(corps.call(name, Counter.later, "a"), corps.Future[bytes])
    assert_type(corps.call(name, Counter.numbers), corps.Future[corps.RemoteIterator[int]])
    assert_type(corps.call(name, Counter.letters), corps.Future[corps.RemoteIterator[str]])
    assert_type(corps.call(name, Counter.lines), corps.Future[Iterator[str]])
    corps.call(name, Counter.add, "one")  # type: ignore[call-overload]
    corps.call(name, Counter.add, m=1)  # type: ignore[call-overload]
    corps.call(name, Other.size)  # type: ignore[call-overload]


def requests_are_typed_as_they_are_written(name: corps.Name[Counter]) -> None:
    assert_type(corps.ask(name, lambda c: c.add(1)), corps.Future[int])
    assert_type(corps.ask(name, lambda c: c.later("a")), corps.Future[bytes])
    assert_type(corps.ask(name, lambda c: c.letters()), corps.Future[corps.RemoteIterator[str]])
    assert_type(corps.ask(name, lambda c: c.lines()), corps.Future[corps.RemoteIterator[str]])
    assert_type(corps.ask(name, lambda c: c.value), corps.Future[int])
    corps.ask(name, lambda c: c.add("one"))  # type: ignore[arg-type, return-value]
    corps.ask(name, lambda c: c.ad(1))  # type: ignore[attr-defined]
    corps.ask(name, 3)  # type: ignore[call-overload]


def iterators_keep_their_items(name: corps.Name[Counter]) -> None:
    with corps.call(name, Counter.numbers).ret as numbers:
        for number in numbers:
            assert_type(number, int)


def calls_by_attribute_are_not_typed(name: corps.Name[Counter]) -> None:
    assert_type(name.add(1), Any)
    assert_type(name.value, Any)


def names_of_names(name: corps.Name[Counter]) -> None:
    assert_type(corps.call(name, Counter.me), corps.Future[corps.Name[Counter]])
    assert_type(name.options(deadline=1.0), corps.Name[Counter])
    assert_type(name.exit(), corps.Future[None])
    base: corps.Name[corps.Conc] = name  # what is a Name of a Counter is one of a Conc
    assert base == name
    name.options(deadlin=1.0)  # type: ignore[call-arg]


def futures_give_their_values(future: corps.Future[int]) -> None:
    assert_type(future.ret, int)
    assert_type(future.result(timeout=1), int)
    assert_type(future.exception(), BaseException | None)
    assert_type(future.cancel(), bool)


async def futures_can_be_awaited(name: corps.Name[Counter], future: corps.Future[int]) -> None:
    assert_type(await future, int)
    assert_type(await corps.call(name, Counter.later, "a"), bytes)
    iterator = await corps.call(name, Counter.letters)
    async for letter in iterator:
        assert_type(letter, str)


def waits_keep_the_type(futures: list[corps.Future[int]]) -> None:
    assert_type(corps.wait_any(futures), corps.Future[int])
    assert_type(corps.wait_any(dict.fromkeys(futures, "tag")), corps.Future[int])
    assert_type(corps.wait_all(futures, timeout=1.0), list[corps.Future[int]])
    assert_type(corps.as_completed(futures), Iterator[corps.Future[int]])
    assert_type(corps.gather(*futures), corps.Future[list[int]])
    assert_type(corps.wait_any(futures[0], futures[1], timeout=1.0), corps.Future[int])
    corps.wait_any([1])  # type: ignore[type-var]
    corps.gather(1)  # type: ignore[call-overload]


def values_of_different_types_keep_theirs(
    a: corps.Future[int], b: corps.Future[str], c: concurrent.futures.Future[bytes]
) -> None:
    assert_type(corps.gather(a, b), corps.Future[tuple[int, str]])
    assert_type(corps.gather(a, b, c).ret, tuple[int, str, bytes])
    assert_type(corps.gather(a, a).ret, list[int])
    assert_type(corps.gather(future for future in (a, a)).ret, list[int])
    assert_type(corps.wait_any(c), concurrent.futures.Future[bytes])


def boot_takes_what_can_be_booted() -> None:
    with corps.boot(App, envs=2, config={"transport": "ipc"}) as app:
        app.total().result()
    corps.boot("app.py", 1, 2, word="x")
    corps.boot(Path("app.py"), config=Path("corps.toml"))
    corps.boot(3)  # type: ignore[call-overload]
    corps.boot("app.py", envs="2")  # type: ignore[call-overload]


class Pool(corps.Corps):
    def __init__(self, size: int, label: str = "", *, step: int = 1) -> None:
        self.size = size


def constructors_of_a_corps_are_checked_too() -> None:
    with corps.boot(Pool, 4, envs=2) as app:
        assert_type(app, corps.BootedName[Pool])
        assert_type(corps.ask(app, lambda a: a.size), corps.Future[int])
    assert_type(corps.boot(Pool, 4, "a"), corps.BootedName[Pool])
    assert_type(corps.boot(Pool, 4, step=2), corps.BootedName[Pool])
    assert_type(corps.boot(Pool, size=4, envs=2, tag="a"), corps.BootedName[Pool])
    assert_type(corps.boot("app.py", 4, envs=2), corps.BootedName[Any])
    name: corps.Name[Pool] = corps.boot(Pool, 4)
    assert name == app
    corps.boot(Pool)  # type: ignore[call-arg, arg-type]
    corps.boot(Pool, "four")  # type: ignore[arg-type]
    corps.boot(Pool, "four", envs=2)  # type: ignore[call-arg, arg-type]
    corps.boot(Pool, 4, envs="2")  # type: ignore[call-arg]
    corps.boot(Pool, step="2", size=4)  # type: ignore[call-overload]


async def coroutines_boot_too() -> None:
    assert_type(await corps.aboot(Pool, 4, envs=2), corps.BootedName[Pool])
    async with corps.boot(Pool, 4) as app:
        assert_type(app, corps.BootedName[Pool])


def dirs_keep_the_class() -> None:
    assert_type(corps.find(Counter), corps.Name[Counter])
    assert_type(corps.find(Counter, tag="a", zone="b", timeout=1.0), corps.Name[Counter])
    assert_type(corps.find("a", zone=...), corps.Name[Any])
    assert_type(corps.afind(Counter, timeout=1.0), corps.Future[corps.Name[Counter]])
    assert_type(corps.find_all(Counter), list[corps.Name[Counter]])
    assert_type(corps.find_all(), list[corps.Name[Any]])
    assert_type(corps.singleton(Counter, 1, step=2), corps.Name[Counter])
    assert_type(corps.options(per="env").singleton_nowait(Counter, 1), corps.Future[corps.Name[Counter]])
    corps.singleton(Counter, "one")  # type: ignore[arg-type]
    corps.find(5)  # type: ignore[call-overload]
    corps.options(register="alone")  # type: ignore[arg-type]
    with corps.env() as env:
        assert_type(env.find(Counter), corps.Name[Counter])
        assert_type(env.find_all(Counter), list[corps.Name[Counter]])
        assert_type(env.singleton(Counter, 1), corps.Name[Counter])
    with corps.boot(App) as app:
        assert_type(app.find(Counter), corps.Name[Counter])
        assert_type(app.singleton(Counter, 1), corps.Name[Counter])
    with corps.watch_dir(Counter) as changes:
        for change in changes:
            if isinstance(change, corps.Entered):
                assert_type(change.name, corps.Name[Counter])
    with corps.watch_dir("a") as others:
        assert_type(others.take().name, corps.Name[Any])


@corps.func
def resize(path: str, width: int = 10) -> Path:
    return Path(path)


@corps.func
async def fetch(path: str) -> bytes:
    return path.encode()


@corps.func(at_once=4)
def pages(path: str) -> Generator[str, None, int]:
    yield path
    return 1


@corps.func
async def chunks(path: str) -> AsyncIterator[bytes]:
    yield path.encode()


async def functions_that_can_be_asked_keep_their_types() -> None:
    assert_type(resize("a.png", 10), Path)
    assert_type(resize.ask("a.png", width=10), corps.Future[Path])
    assert_type(await fetch("a"), bytes)
    assert_type(fetch.ask("a"), corps.Future[bytes])
    assert_type(pages.ask("a"), corps.Future[corps.RemoteIterator[str]])
    assert_type(chunks.ask("a"), corps.Future[corps.RemoteIterator[bytes]])
    resize.send("a")
    resize(1)  # type: ignore[arg-type]
    resize.ask("a.png", height=10)  # type: ignore[call-arg]
    fetch.send()  # type: ignore[call-arg]


class Tools(corps.Funcs):
    at_once = 8

    @staticmethod
    def scale(path: str, width: int) -> Path:
        return Path(path)


def sets_of_functions_and_any_of_a_group_are_names() -> None:
    tools = corps.create(Tools)
    assert_type(tools, corps.Name[Tools])
    assert_type(Tools.scale("a", 1), Path)
    assert_type(corps.ask(tools, lambda t: t.scale("a", 1)), corps.Future[Path])
    assert_type(corps.create_funcs(len, sorted), corps.Name[Any])
    assert_type(corps.options(at_once=2).replicate_funcs(2, len), corps.Name[Any])
    group = corps.options().replicate(2, Counter, 1)
    assert_type(group.any, corps.Name[Counter])
    assert_type(corps.call(group.any_by("round", key="n"), Counter.add, 1), corps.Future[int])
    group.any_by("nearest")  # type: ignore[arg-type]


def pools_know_what_their_workers_can_do() -> None:
    pool = corps.pool(8, Counter, 1)
    assert_type(pool, corps.Pool[Counter])
    assert_type(pool.submit(Counter.add, 3), corps.Future[int])
    assert_type(pool.submit(Counter.later, "a"), corps.Future[bytes])
    assert_type(pool.submit(Counter.numbers), corps.Future[corps.RemoteIterator[int]])
    pool.submit(Counter.add, "3")  # type: ignore[call-overload]


class Marked(corps.Conc):
    @corps.readonly
    def look(self, n: int) -> str:
        return str(n)

    @corps.interleave
    async def meet(self) -> int:
        async with self.my_turn_given_up():
            return 1

    async def start(self) -> None: ...
    async def cleanup(self) -> None: ...
    async def before_restart(self, error: BaseException | None) -> None: ...


def marks_keep_the_types_of_methods(name: corps.Name[Marked]) -> None:
    assert_type(corps.call(name, Marked.look, 1), corps.Future[str])
    assert_type(corps.call(name, Marked.meet), corps.Future[int])


def the_log(counter: corps.Name[Counter], handler: logging.Handler) -> None:
    assert_type(corps.log_to(console=True), corps.LogSink)
    assert_type(corps.log_to(handler, level="INFO"), corps.LogSink)
    with corps.log_to(worker=counter, method="take") as sink:
        assert_type(sink, corps.LogSink)
    corps.log_level("DEBUG", "app", env=2, cls=Counter, tag="eu")
    corps.log_level(None, env="front")
    corps.log_level(1.5)  # type: ignore[arg-type]
    corps.log_to(worker=Counter(1))  # type: ignore[arg-type]


class Timed(corps.Conc):
    def __init__(self, other: "corps.Name[Other]") -> None:
        assert_type(self.my_timer(), corps.Timers)
        assert_type(self.my_timer().after(1.0, other.size), corps.Timer)
        assert_type(self.my_timer().timers(), list[corps.Timer])


def timers_are_typed(other: corps.Name[Other]) -> None:
    timer = corps.every(1.0, other.size, rate="delay", jitter=0.1, key=("a", 1))
    assert_type(timer, corps.Timer)
    assert_type(timer.cancel(), bool)
    assert_type(timer.due, datetime | None)
    assert_type(corps.at("0 3 * * *", other.size, zone="Europe/Berlin", durable=True, key="k"), corps.Timer)
    assert_type(corps.timers(durable=True), list[corps.Timer])
    assert_type(corps.clock_offset(["localhost"]).bound, float)
    corps.every(1.0, other.size, rate="often")  # type: ignore[arg-type]
    corps.after("soon", other.size)  # type: ignore[arg-type]
    corps.at(3.0, other.size)  # type: ignore[arg-type]
