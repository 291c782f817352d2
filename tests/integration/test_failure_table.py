"""What a Future raises when: each row of the table in docs/guides/when-things-fail.md is a small scenario."""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

import corps
from corps.testing.memory_corps import memory_corps

PAGE: Final = Path(__file__).parents[2] / "docs" / "guides" / "when-things-fail.md"
LIMIT: Final = 20.0
AT_ONCE: Final = (0.0, 0.0)

APP: Final = """
import corps, os, signal, threading

class Last:
    '''Kills its process while it is packed.'''

    def __reduce__(self):
        os.kill(os.getpid(), signal.SIGKILL)

class OneWay:
    '''Can be packed, and not unpacked.'''

    def __reduce__(self):
        return int, ("no number",)

class Child(corps.Conc):
    def pid(self):
        return os.getpid()

    def hold(self, bell):
        bell.ring().result()
        threading.Event().wait()

    def last(self):
        return Last()

    def one_way(self):
        return OneWay()

    def lock(self):
        return threading.Lock()

    @corps.idempotent(retries=5)
    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)

    @corps.idempotent()
    def die_once(self, log):
        with open(log, "a") as file:
            file.write("x")
        if len(open(log).read()) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return "came back"

class App(corps.Corps):
    def __init__(self, comes_back):
        restart = corps.Restart() if comes_back else None
        self.child = corps.options(env=2, restart=restart).create(Child)

    def far(self):
        return self.child
"""


class Gate:
    """Where a method of a worker waits: the same object on both sides."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def wait(self) -> str:
        self.entered.set()
        assert self.open.wait(LIMIT)
        return "through"


class Bell(corps.Conc):
    def __init__(self, rung: threading.Event) -> None:
        self.rung = rung

    def ring(self) -> None:
        self.rung.set()


class Works(corps.Conc):
    restart = corps.Restart(backoff=AT_ONCE)
    fails_on = (KeyError,)
    interleave = True

    def __init__(self) -> None:
        self.calls = 0

    def count(self) -> int:
        self.calls += 1
        return self.calls

    def hold(self, gate: Gate) -> str:
        return gate.wait()

    def numbers(self) -> Iterator[int]:
        yield from range(10)

    def raises(self, error: BaseException) -> None:
        raise error

    async def raises_too(self, error: BaseException) -> None:
        raise error

    async def never(self, begun: threading.Event) -> None:
        begun.set()
        await corps.Future[None]()

    async def ring_and_stay(self, bell: corps.Name[Bell]) -> None:
        await bell.ring()
        await corps.Future[None]()

    def ask_myself(self) -> BaseException | None:
        error: BaseException | None = self.my_self().count().exception()
        return error

    def end(self, other: corps.Name[Any]) -> None:
        other.exit().result()


class Frail(Works):
    """Comes back once, and then never."""

    restart = corps.Restart(max=1, backoff=AT_ONCE)


class Breaks(Works):
    """Cannot be constructed again."""

    restart = corps.Restart(max=2, backoff=AT_ONCE)

    def __init__(self, made: list[int]) -> None:
        super().__init__()
        made.append(1)
        if len(made) > 1:
            raise RuntimeError("not again")


class Holder(corps.Conc):
    """Heals its children as often as they allow, and is not healed itself."""

    restart = corps.Restart("temporary")

    def make(self, cls: Any, *args: Any) -> Any:
        return corps.options(env="here").create(cls, *args)


class Fragile(corps.Conc):
    def __init__(self) -> None:
        raise ValueError("not today")


Scenario = Callable[[Path], Any]
SCENARIOS: Final[dict[str, Scenario]] = {}


def row(what: str) -> Callable[[Scenario], Scenario]:
    """The scenario gives the error that the Future raises, or the Future that raises none."""

    def keep(scenario: Scenario) -> Scenario:
        assert what not in SCENARIOS
        SCENARIOS[what] = scenario
        return scenario

    return keep


@contextmanager
def held(worker: Any) -> Iterator[tuple[Gate, Any]]:
    """A worker that is busy: the gate that its method waits at, and the Future of that."""
    gate = Gate()
    running = worker.hold(gate)
    assert gate.entered.wait(LIMIT)
    try:
        yield gate, running
    finally:
        gate.open.set()


def same(errors: list[Any]) -> Any:
    """One of them, if they are all alike."""
    assert len({(kind_of(error), error.executed) for error in errors}) == 1
    return errors[0]


# A method, and its worker


def raised(error: BaseException) -> Any:
    with corps.env() as env:
        worker = env.create(Works)
        outcome = worker.raises(error).exception(LIMIT)
        assert worker.count().result(LIMIT) == 1
        return outcome


@row("the method raises")
def method_raises(_: Path) -> Any:
    return raised(ValueError("no"))


@row("it raises `corps.Fail`, MemoryError, or what `fails_on` names: its worker fails")
def method_fails(_: Path) -> Any:
    errors = [raised(error) for error in (corps.Fail("no"), KeyError("no"), MemoryError())]
    assert isinstance(errors[0], corps.Fail)
    assert isinstance(errors[1], KeyError)
    return same(errors)


@row("it raises SystemExit or its like: its worker fails")
def method_leaves(_: Path) -> Any:
    return raised(SystemExit(3))


@row("it is a coroutine under way when its worker fails, or ends and has no time left")
def coroutine_under_way(_: Path) -> Any:
    errors = []
    with corps.env(config={"exit_timeout": 0.05}) as env:
        for fails in (True, False):
            worker, begun = env.create(Works), threading.Event()
            running = worker.never(begun)
            assert begun.wait(LIMIT)
            ending = worker.raises_too(corps.Fail("no")) if fails else worker.exit()
            ending.exception(LIMIT)
            errors.append(running.exception(LIMIT))
    return same(errors)


@row("it runs when its worker is killed")
def running_when_killed(_: Path) -> Any:
    with corps.env() as env:
        worker = env.create(Works)
        with held(worker) as (_gate, running):
            worker.kill().result(LIMIT)
            return running.exception(LIMIT)


@row("it runs for longer than `exit_timeout` when its worker is to end")
def running_too_long(_: Path) -> Any:
    with corps.env(config={"exit_timeout": 0.05}) as env:
        worker = env.create(Works)
        with held(worker) as (_gate, running):
            assert isinstance(worker.exit().exception(LIMIT), corps.WorkerGone)
            return running.exception(LIMIT)


@row("it waits in the mailbox of a worker that fails and comes back")
def waiting_for_the_next_incarnation(_: Path) -> Any:
    with corps.env() as env:
        worker = env.create(Works)
        with held(worker) as (gate, running):
            failing, waiting = worker.raises(corps.Fail("no")), worker.count()
            gate.open.set()
            assert running.result(LIMIT) == "through"
            assert failing.exception(LIMIT).executed == "yes"
            assert waiting.result(LIMIT) == 1
            return waiting


@row("it waits there when the worker ends or is killed, or is sent after that")
def waiting_at_the_end(_: Path) -> Any:
    errors = []
    with corps.env(config={"exit_timeout": 0.05}) as env:
        for end in ("exit", "kill"):
            worker = env.create(Works)
            with held(worker):
                waiting = worker.count()
                getattr(worker, end)().exception(LIMIT)
                errors += [waiting.exception(LIMIT), worker.count().exception(LIMIT)]
    return same(errors)


@row("it waits for a worker that fails once too often, or cannot be constructed again")
def waiting_for_nobody(_: Path) -> Any:
    errors = []
    with corps.env() as env:
        for cls, args, failures in ((Frail, (), 2), (Breaks, ([],), 1)):
            worker = env.create(Holder).make(cls, *args).result(LIMIT)
            with held(worker) as (gate, _running):
                for _number in range(failures):
                    worker.raises(corps.Fail("no"))
                waiting = worker.count()
                gate.open.set()
                errors.append(waiting.exception(LIMIT))
    return same(errors)


@row("it is for `name.pinned`, whose incarnation has ended")
def pinned(_: Path) -> Any:
    with corps.env() as env:
        worker = env.create(Works)
        first = worker.pinned
        assert first.count().result(LIMIT) == 1
        assert worker.raises(corps.Fail("no")).exception(LIMIT).executed == "yes"
        return same([first.count().exception(LIMIT), first.calls.exception(LIMIT)])


@row("it is for the next item of a generator, and that incarnation has ended")
def next_item(_: Path) -> Any:
    with corps.env() as env:
        worker = env.create(Works)
        former = worker.numbers().result(LIMIT)
        assert next(former) == 0
        assert worker.raises(corps.Fail("no")).exception(LIMIT).executed == "yes"
        later = worker.numbers().result(LIMIT)
        with pytest.raises(corps.WorkerGone) as caught:
            next(former)
        former.close()
        assert list(later) == list(range(10)), "nobody else took of it, or closed it"
        return caught.value


@row("it is a constructor, and raises")
def constructor_raises(_: Path) -> Any:
    with corps.env() as env, pytest.raises(ValueError, match="not today") as caught:
        env.create(Fragile)
    return caught.value


# A process


@contextmanager
def two_envs(directory: Path, *, comes_back: bool = True) -> Iterator[Any]:
    """A worker that lives in the second one."""
    path = directory / "app.py"
    path.write_text(APP)
    with corps.boot(path, comes_back, envs=2) as app:
        yield app.far().result(LIMIT)


def kill_while_it_runs(far: Any) -> tuple[Any, Any]:
    """The Future of what ran, and of what waited."""
    rung = threading.Event()
    bell = corps.options(env="here").create(Bell, rung)
    pid = far.pid().result(LIMIT)
    running, waiting = far.hold(bell), far.pid()
    assert rung.wait(LIMIT)
    os.kill(pid, signal.SIGKILL)
    return running, waiting


@row("it runs when the process dies")
def running_when_the_process_dies(directory: Path) -> Any:
    with two_envs(directory) as far:
        return kill_while_it_runs(far)[0].exception(LIMIT)


@row("it waits in a mailbox when the process dies")
def waiting_when_the_process_dies(directory: Path) -> Any:
    with two_envs(directory) as far:
        return kill_while_it_runs(far)[1].exception(LIMIT)


@row("it has ended, and the process dies before the answer leaves")
def ended_when_the_process_dies(directory: Path) -> Any:
    with two_envs(directory) as far:
        return far.last().exception(LIMIT)


@row("it is sent while the Env has no process, and the worker comes back")
def sent_meanwhile(directory: Path) -> Any:
    with two_envs(directory) as far:
        former = far.pid().result(LIMIT)
        assert kill_while_it_runs(far)[0].exception(LIMIT).executed == "unknown"
        parked = far.pid()
        assert parked.result(LIMIT) != former
        return parked


@row("it is sent then, and the worker does not come back")
def sent_in_vain(directory: Path) -> Any:
    with two_envs(directory, comes_back=False) as far:
        assert kill_while_it_runs(far)[0].exception(LIMIT).executed == "unknown"
        return far.pid().exception(LIMIT)


@row("the Env gets no process any more")
def no_process(_: Path) -> Any:
    with memory_corps(2) as (one, two):
        worker = one.options(env=two.id).create(Works)
        two.die()
        return worker.count().exception(LIMIT)


@row("the connection breaks, and the process is not known to have died")
def broken_connection(_: Path) -> Any:
    with memory_corps(2) as (one, two):
        rung = threading.Event()
        bell = one.options(env=one.id).create(Bell, rung)
        running = one.options(env=two.id).create(Works).ring_and_stay(bell)
        assert rung.wait(LIMIT)
        one.peers.lose(two.id, "its connection broke")
        return running.exception(LIMIT)


@row("it is idempotent, the process dies while it runs, and the worker comes back")
def idempotent(directory: Path) -> Any:
    with two_envs(directory) as far:
        log = directory / "log"
        again = far.die_once(str(log))
        assert again.result(LIMIT) == "came back"
        assert log.read_text() == "xx"
        return again


@row("it is idempotent, and three processes have died while it ran")
def poison(directory: Path) -> Any:
    with two_envs(directory) as far:
        return far.die().exception(LIMIT)


# What travels


@row("its arguments cannot be unpacked")
def arguments(directory: Path) -> Any:
    class OneWay:
        def __reduce__(self) -> Any:
            return int, ("no number",)

    with two_envs(directory) as far:
        return far.die_once(OneWay()).exception(LIMIT)


@row("its result cannot be packed")
def result_out(directory: Path) -> Any:
    with two_envs(directory) as far:
        return far.lock().exception(LIMIT)


@row("its result cannot be unpacked")
def result_in(directory: Path) -> Any:
    with two_envs(directory) as far:
        return far.one_way().exception(LIMIT)


# The caller's side


@row("its deadline passes while it waits in a mailbox of the caller's own Env")
def deadline_in_the_mailbox(_: Path) -> Any:
    with corps.env() as env:
        worker = env.create(Works)
        with held(worker):
            return worker.options(deadline=0.001).count().exception(LIMIT)


@row("its deadline passes otherwise")
def deadline_while_it_runs(_: Path) -> Any:
    with corps.env() as env:
        running = env.create(Works).options(deadline=0.05).never(threading.Event())
        return running.exception(LIMIT)


@row("it is cancelled while it waits in a mailbox of the caller's own Env")
def cancelled_in_the_mailbox(_: Path) -> Any:
    with corps.env() as env:
        worker = env.create(Works)
        with held(worker):
            waiting = worker.count()
            assert waiting.cancel()
            return waiting.failure(LIMIT)


@row("it is cancelled otherwise")
def cancelled_while_it_runs(_: Path) -> Any:
    with corps.env() as env, held(env.create(Works)) as (_gate, running):
        assert running.cancel()
        return running.failure(LIMIT)


@row("its worker waits for itself, and this request is what it waits for")
def circle(_: Path) -> Any:
    with corps.env() as env:
        return env.create(Works).ask_myself().result(LIMIT)


@row("there never was a worker at that address")
def no_worker(_: Path) -> Any:
    with corps.env() as env:
        worker = env.create(Works)
        nobody: corps.Name[Works] = corps.Name(
            worker._addr._replace(conc=999), worker._interface, worker._env
        )
        return nobody.count().exception(LIMIT)


@row("there is no such data attribute")
def no_attribute(_: Path) -> Any:
    with corps.env() as env:
        return env.create(Works).typo.exception(LIMIT)


@row("it is an `exit`, `drain` or `kill` that its caller may not ask for")
def not_permitted(_: Path) -> Any:
    with corps.env() as env:
        error = env.create(Works).end(env.create(Works)).exception(LIMIT)
        assert isinstance(error, corps.RemoteError)
        return error.origin


@row("its caller's Env has been closed")
def closed(_: Path) -> Any:
    with corps.env() as env:
        worker = env.create(Works)
    return worker.count().exception(LIMIT)


# The call itself


@row("at the call: there is no room in time")
def no_room(_: Path) -> Any:
    with corps.env(config={"send_timeout": 0.0}) as env:
        worker = env.options(mailbox=1).create(Works)
        with held(worker):
            worker.count()
            with pytest.raises(corps.Overloaded) as caught:
                worker.count()
        return caught.value


@row("at the call: the class has no such method")
def no_method(_: Path) -> Any:
    with corps.env() as env:
        with pytest.raises(corps.NoSuchMethod) as caught:
            env.create(Works).typo()
        return caught.value


@row("at the call: an argument cannot be packed")
def argument_out(_: Path) -> Any:
    with memory_corps(2) as (one, two):
        worker = one.options(env=two.id).create(Works)
        with pytest.raises(corps.PackError) as caught:
            worker.hold(threading.Lock())
        return caught.value


def kind_of(error: Any) -> str:
    """The name of its class in `corps`. A RemoteError is of a class of its own, made of two."""
    if isinstance(error, corps.Future):
        return "nothing"
    if isinstance(error, corps.RemoteError):
        return "RemoteError"
    kinds: tuple[type, ...] = type(error).__mro__
    return next(str(kind.__name__) for kind in kinds if getattr(corps, kind.__name__, None) is kind)


def table() -> dict[str, tuple[str, str]]:
    """What happens, and then: which error, and what it says in `executed`."""
    text = PAGE.read_text("utf-8").partition("## What a Future raises when")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return {what: (raises.strip("`"), executed.strip('`"')) for what, raises, executed, _ in rows[1:]}


@pytest.mark.parametrize("what", SCENARIOS)
def test_a_row_of_the_table_is_true(what: str, tmp_path: Path) -> None:
    raises, executed = table()[what]
    outcome = SCENARIOS[what](tmp_path)
    assert kind_of(outcome) == raises, repr(outcome)
    assert str(getattr(outcome, "executed", "-")) == executed, repr(outcome)


def test_every_row_of_the_table_has_a_scenario() -> None:
    assert list(table()) == list(SCENARIOS)
