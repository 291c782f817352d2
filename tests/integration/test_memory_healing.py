"""Claims about whole Envs that die and come back: every Future is settled, truly, and nothing runs twice."""

import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

import corps
from corps.errors import EnvLost, RequestError, WorkerGone
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.settings import Settings, Window
from corps.testing.memory_corps import MemoryEnv, memory_corps
from corps.testing.network import MemoryNetwork

LONG = 30.0  # seconds until a Future counts as one that is never settled


class World:
    """What workers do in the sight of the test. A dead Env's threads live on: they must not be seen."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.starts: Counter[int] = Counter()
        self.dead: set[int] = set()
        self.gate = Event()
        self.is_over = Event()  # for what dead Envs still run

    def start(self, env: Env, serial: int) -> None:
        with self.lock:
            is_dead = id(env) in self.dead
            if not is_dead:
                self.starts[serial] += 1
        if is_dead:
            self.is_over.wait()
            raise SystemExit

    def kill(self, env: MemoryEnv, *, returns: bool) -> None:
        with self.lock:
            self.dead.add(id(env.env))
        env.die(returns=returns)


class Worker(corps.Conc):
    restart = corps.Restart(max=10_000, within=0.001, backoff=(0.0, 0.0))
    world: World

    def _start(self, serial: int) -> None:
        Worker.world.start(self._corps_cell.env, serial)

    def once(self, serial: int) -> int:
        self._start(serial)
        return serial

    @corps.idempotent(retries=5)
    def again(self, serial: int) -> int:
        self._start(serial)
        return serial

    def gated(self, serial: int) -> int:
        self._start(serial)
        Worker.world.gate.wait()
        return serial

    async def later(self, serial: int) -> int:
        self._start(serial)
        return serial

    def fail(self, serial: int) -> None:
        self._start(serial)
        raise corps.Fail("planted")


class Parent(Worker):
    """Lives in Env 3, and has a child in Env 2 that ends with it."""

    def __init__(self) -> None:
        self.child: Any = None
        try:
            self.child = corps.options(env=2).create(Worker)
        except (corps.ConfigError, corps.RequestError):  # that Env is gone for good
            pass

    def forward(self, serial: int) -> int:
        if self.child is None:
            raise LookupError("no child")
        answer: int = self.child.once(serial).ret
        return answer


@pytest.fixture
def world() -> World:
    Worker.world = World()
    return Worker.world


def executed(future: Future[Any]) -> str:
    error = future.exception(LONG)
    assert isinstance(error, RequestError), error
    return error.executed


# What was found, and must stay so


def test_a_worker_comes_back_under_its_name(world: World) -> None:
    with memory_corps(2) as (one, two):
        worker = one.options(env=two.id).create(Worker)
        world.kill(two, returns=True)
        waiting = worker.once(1)
        two.revive()
        assert waiting.result(LONG) == 1
        assert world.starts[1] == 1
        world.is_over.set()


def test_a_watch_that_is_sent_while_the_worker_is_away_hears_of_its_next_end(world: World) -> None:
    """Was a defect: it stopped the whole Env, on a lock that was taken twice."""
    with memory_corps(2) as (one, two):
        worker = one.options(env=two.id).create(Worker)
        world.kill(two, returns=True)
        with corps_env(one):
            watched = corps.watch(worker)
        two.revive()
        assert worker.once(1).result(LONG) == 1
        assert not watched.done()
        world.kill(two, returns=True)
        assert watched.result(LONG).reason == "killed"
        two.revive()
        assert worker.once(2).result(LONG) == 2
        world.is_over.set()


def test_requests_that_fill_the_window_do_not_keep_their_worker_from_coming_back(world: World) -> None:
    """Was a defect: what starts it waited behind them until the time limit."""
    few = Settings(window=Window(requests=4), send_timeout=LONG)
    with memory_corps(2, settings=few) as (one, two):
        worker = one.options(env=two.id).create(Slow)
        world.kill(two, returns=True)
        two.revive()
        assert worker.once(0).result(LONG) == 0
        world.kill(two, returns=True)
        waiting = [worker.once(serial) for serial in range(1, 5)]  # before it is started
        two.revive()
        assert [future.result(LONG) for future in waiting] == [1, 2, 3, 4]
        world.is_over.set()


class Slow(Worker):
    restart = corps.Restart(backoff=(0.2, 0.2))


def test_a_coroutine_that_dies_with_its_incarnation_is_called_again(world: World) -> None:
    """Was a defect: its caller heard that it was cancelled, and nothing was tried."""
    with memory_corps(2) as (one, two):
        worker = one.options(env=two.id).create(Sleeper)
        future = worker.sleep()
        Sleeper.sleeps.wait()
        Sleeper.is_awake = True
        assert isinstance(worker.fail().exception(LONG), corps.RemoteError)
        assert future.result(LONG) == "awake"


class Sleeper(corps.Conc):
    restart = corps.Restart(backoff=(0.0, 0.0))
    interleave = True
    sleeps = Event()
    is_awake = False

    @corps.idempotent()
    async def sleep(self) -> str:
        if not Sleeper.is_awake:
            Sleeper.sleeps.set()
            await Future[None]()
        return "awake"

    async def fail(self) -> None:
        raise corps.Fail("planted")


def corps_env(of: MemoryEnv) -> Any:
    """Act for an Env of a `memory_corps`."""
    from contextlib import contextmanager

    from corps.runtime.context import Activity, current

    @contextmanager
    def act() -> Any:
        token = current.set(Activity(of.env))
        try:
            yield
        finally:
            current.reset(token)

    return act()


# All of it in any order


@dataclass
class Asked:
    future: Future[Any]
    serial: int
    method: str


@dataclass
class Created:
    future: Future[Any]
    env: int
    is_parent: bool = False
    watches: list[Future[corps.Ended]] = field(default_factory=list)
    told: list[object] = field(default_factory=list)


class AnyOrder(RuleBasedStateMachine):
    """Env 1 creates, calls and watches workers in Envs 2 and 3, which die and come back."""

    def __init__(self) -> None:
        super().__init__()
        self.world = Worker.world = World()
        self.directory = tempfile.mkdtemp(prefix="healing-")
        self.network = MemoryNetwork()
        self.stack = ExitStack()
        self.envs = self.stack.enter_context(
            memory_corps(
                3, network=self.network, settings=Settings(exit_timeout=LONG), journals=self.directory
            )
        )
        self.one = self.envs[0]
        self.serial = 0
        self.asked: list[Asked] = []
        self.created: list[Created] = []
        self.gone: set[int] = set()
        self.kills = 0

    @rule(where=st.sampled_from([1, 2, 2, 3]))
    def create(self, where: int) -> None:
        if where not in self.gone and len(self.created) < 5:
            made = self.one.options(env=where).create_nowait(Worker)
            self.created.append(Created(made, where))

    @rule()
    def create_parent(self) -> None:
        if 3 not in self.gone and len(self.created) < 5:
            made = self.one.options(env=3).create_nowait(Parent)
            self.created.append(Created(made, 3, is_parent=True))

    def _name(self, which: int) -> tuple[Created, Any] | None:
        """A worker that was created, as far as is known at this moment."""
        if not self.created:
            return None
        each = self.created[which % len(self.created)]
        is_there = not self.envs[each.env - 1].is_dead and not self._is_cut(each.env)
        is_there = is_there and not (each.is_parent and self.envs[1].is_dead)
        if not each.future.done() and is_there:
            each.future.exception(LONG)
        if not each.future.done() or each.future.exception() is not None:
            return None
        return each, each.future.result()

    def _is_cut(self, env: int) -> bool:
        return any(line.is_cut for ends, line in self.network._lines.items() if set(ends) == {1, env})

    @rule(
        which=st.integers(0, 4),
        method=st.sampled_from(["once", "once", "again", "gated", "later", "fail"]),
        n=st.integers(1, 3),
    )
    def call(self, which: int, method: str, n: int) -> None:
        known = self._name(which)
        if known is None or (method == "gated" and known[0].env == 1):
            return
        if known[0].is_parent and method == "once":
            method = "forward"
        for _ in range(n):
            self.serial += 1
            future = getattr(known[1], method)(self.serial)
            self.asked.append(Asked(future, self.serial, method))

    @rule(which=st.integers(0, 4))
    def watch(self, which: int) -> None:
        known = self._name(which)
        if known is not None and len(known[0].watches) < 3:
            with corps_env(self.one):
                watched = corps.watch(known[1])
            watched.add_done_callback(known[0].told.append)
            known[0].watches.append(watched)

    @rule(which=st.integers(0, 30))
    def wait_for_one(self, which: int) -> None:
        """Else nothing would be over before the next death."""
        if self.asked and self.world.gate.is_set():
            asked = self.asked[which % len(self.asked)]
            try:
                asked.future.exception(0.05)
            except corps.WaitTimeout:
                pass

    @precondition(lambda self: self.kills < 6)
    @rule(env=st.sampled_from([2, 3]), returns=st.sampled_from([True, True, True, True, False]))
    def die(self, env: int, returns: bool) -> None:
        each = self.envs[env - 1]
        if not each.is_dead:
            self.kills += 1
            self.world.kill(each, returns=returns)
            if not returns:
                self.gone.add(env)

    @rule(env=st.sampled_from([2, 3]), gives_up=st.sampled_from([False, False, False, False, False, True]))
    def revive(self, env: int, gives_up: bool) -> None:
        each = self.envs[env - 1]
        if each.returns and gives_up:
            each.tell_lost("it cannot be started again", returns=False)
            self.gone.add(env)
        elif each.returns:
            each.revive()

    @rule(env=st.sampled_from([2, 3]))
    def die_again(self, env: int) -> None:
        if self.envs[env - 1].returns:
            self.envs[env - 1].tell_lost("it was killed while it started", returns=True)

    @rule(env=st.sampled_from([2, 3]))
    def cut(self, env: int) -> None:
        self.network.cut(1, env)

    @rule(seconds=st.sampled_from([0.0, 0.002]), env=st.sampled_from([2, 3]))
    def delay(self, seconds: float, env: int) -> None:
        self.network.delay(1, env, seconds)
        self.network.delay(env, 1, seconds)

    @rule()
    def heal(self) -> None:
        self.network.heal_all()

    @rule(is_open=st.booleans())
    def turn_gate(self, is_open: bool) -> None:
        if is_open:
            self.world.gate.set()
        else:
            self.world.gate.clear()

    def teardown(self) -> None:
        try:
            self.world.gate.set()
            self.network.heal_all()
            for env in self.envs:
                if env.returns:
                    env.revive()
            self._check_answers()
            self._check_workers()
        finally:
            self.world.is_over.set()
            self.stack.close()
            shutil.rmtree(self.directory)

    def _check_answers(self) -> None:
        for asked in self.asked:
            error = asked.future.exception(LONG)  # a WaitTimeout fails the test
            starts = self.world.starts[asked.serial]
            if asked.method != "again":
                assert starts <= 1, asked
            if error is None:
                assert starts >= 1, asked
            else:
                assert isinstance(error, EnvLost | WorkerGone | corps.RemoteError), repr(error)
                if asked.method == "forward":  # what it says is about the parent
                    continue
                if error.executed == "no":
                    assert starts == 0, (asked, error)
                if error.executed == "yes":
                    assert starts >= 1, (asked, error)

    def _check_workers(self) -> None:
        for each in self.created:
            if each.future.exception(LONG) is not None:
                continue
            name = each.future.result()
            self.serial += 1
            error = name.once(self.serial).exception(LONG)
            assert (error is not None) == (each.env in self.gone), repr(error)
            if error is None:  # its Mgr knows its incarnation, so it comes back again
                assert isinstance(name.fail(self.serial + 1).exception(LONG), corps.RemoteError)
                assert name.once(self.serial + 2).exception(LONG) is None
                self.serial += 2
            name.exit().exception(LONG)
            for watched in each.watches:
                assert watched.exception(LONG) is None
            assert len(each.told) == len(each.watches)


AnyOrder.TestCase.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None, derandomize=True, database=None
)
TestAnyOrder = pytest.mark.timeout(180)(AnyOrder.TestCase)
