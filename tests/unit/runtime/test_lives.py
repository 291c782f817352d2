"""Claims about workers whose failures cross: in one Env, and between the death of an Env and its news."""

from threading import Event, Thread
from typing import Any, ClassVar

import pytest

import corps
from corps.messages.endings import Failure
from corps.runtime.cells import halting
from corps.settings import Settings
from corps.supervision.restarts import Strategy
from corps.testing.memory_corps import memory_corps

LONG = 30.0
QUICK = Settings(exit_timeout=0.5)
ALWAYS = corps.Restart(max=100, backoff=(0.0, 0.0))
KILLED = Failure("killed", "planted")


class Child(corps.Conc):
    restart = ALWAYS
    halting = Event()
    may_halt = Event()

    def fail(self) -> None:
        raise corps.Fail("planted")

    def before_restart(self, error: BaseException | None) -> None:
        if self.my_tag() == "slow":
            Child.halting.set()
            Child.may_halt.wait()

    def number(self) -> int:
        number: int = self._corps_cell.incarnation
        return number


class Together(corps.Conc):
    strategy: ClassVar[Strategy] = "one_for_all"

    def __init__(self) -> None:
        self.slow = corps.options(tag="slow").create(Child)
        self.quick = corps.create(Child)

    def names(self) -> tuple[Any, Any]:
        return self.slow, self.quick


@pytest.fixture(autouse=True)
def _fresh_events() -> None:
    Child.halting.clear()
    Child.may_halt.clear()


def test_a_worker_that_fails_while_it_is_to_be_halted_is_not_abandoned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Was a defect: the second HALT stayed in the mailbox of the halted worker until its time was over."""
    with memory_corps(1, settings=Settings(exit_timeout=LONG)) as (one,):
        slow, quick = one.create(Together).names().ret
        failing = slow.fail()
        Child.halting.wait()
        quick.fail().exception(LONG)
        Child.may_halt.set()
        assert isinstance(failing.exception(LONG), corps.Fail)
        assert (slow.number().result(LONG), quick.number().result(LONG)) == (2, 2)
    assert "abandoned" not in caplog.text


def test_a_worker_that_is_halted_already_is_halted_at_once() -> None:
    with memory_corps(1, settings=Settings(exit_timeout=LONG)) as (one,):
        together = one.create(Together)
        slow, quick = together.names().ret
        Child.may_halt.set()
        for number in range(2, 12):
            failing = [slow.fail(), quick.fail()]
            for each in failing:
                each.exception(LONG)
            assert min(slow.number().result(LONG), quick.number().result(LONG)) >= number


class Sender:
    """Stands between a Mgr and the process that dies: what it is about to ask for waits a moment."""

    def __init__(self, env: Any) -> None:
        self.ask = env.ask_manager
        self.may_ask, self.asks = Event(), Event()
        env.ask_manager = self

    def __call__(self, env_id: int, method: str, *args: Any, **kwargs: Any) -> Any:
        if method == "start":
            self.asks.set()
            self.may_ask.wait()
        return self.ask(env_id, method, *args, **kwargs)


def test_a_process_that_dies_before_it_was_met_does_not_count_again() -> None:
    """Was a defect: the child was started twice, its Mgr counted one more than there was, and never heard of
    its next failure."""
    with memory_corps(2) as (one, two):
        child = one.options(env=two.id).create(Child)
        two.die(returns=True)
        two.tell_lost("it was killed while it started", returns=True)
        two.tell_lost("it was killed while it started", returns=True)
        two.revive()
        assert child.number().result(LONG) == 2
        for number in range(3, 6):
            assert isinstance(child.fail().exception(LONG), corps.Fail)
            assert child.number().result(LONG) == number


def test_a_start_that_reaches_a_process_which_does_not_know_the_worker_is_made_good() -> None:
    with memory_corps(2) as (one, two):
        child = one.options(env=two.id).create(Child)
        sender = Sender(one.env)
        assert isinstance(child.fail().exception(LONG), corps.Fail)
        assert sender.asks.wait(LONG)  # it asks for the next incarnation in a cell that is there
        two.die(returns=True)
        two.revive()
        sender.may_ask.set()
        assert child.number().result(LONG) == 2
        assert isinstance(child.fail().exception(LONG), corps.Fail)
        assert child.number().result(LONG) == 3


class Mgr(corps.Conc):
    """Has one child, in another Env."""

    restart = ALWAYS

    def __init__(self, env: int, patience: float = 0.0) -> None:
        restart = corps.Restart(max=100, backoff=(patience, patience))
        self.child = corps.options(env=env, restart=restart).create(Child)

    def get(self) -> Any:
        return self.child


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_a_child_whose_start_is_under_way_when_its_mgr_ends_ends_too(how: str) -> None:
    """Was a defect: it was constructed, and nobody was its Mgr."""
    with memory_corps(2) as (one, two):
        mgr = one.options(env=one.id).create(Mgr, two.id)
        child = mgr.get().ret
        sender = Sender(one.env)
        two.die(returns=True)
        assert sender.asks.wait(LONG)
        sender.may_ask.set()  # from here on it waits for the next process
        ended = getattr(mgr, how)()
        two.revive()
        assert ended.exception(LONG) is None
        while (error := child.number().exception(LONG)) is None:  # it may have been started, to end at once
            pass
        assert isinstance(error, corps.WorkerGone)


def corps_watch(of: Any, name: Any) -> Any:
    from corps.runtime.context import Activity, current

    token = current.set(Activity(of.env))
    try:
        return corps.watch(name)
    finally:
        current.reset(token)


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_nobody_waits_for_a_child_whose_mgr_has_ended_meanwhile(how: str) -> None:
    """Was a defect: a Mgr that was killed left requests behind for a child that nobody started."""
    with memory_corps(2) as (one, two):
        mgr = one.options(env=one.id).create(Mgr, two.id, LONG)
        child = one.name(mgr.get().ret)
        two.die(returns=True)
        two.revive()
        assert child.number().result(LONG) == 2
        two.die(returns=True)  # it has died young, so its next start has to wait
        two.revive()
        waiting = child.number()
        assert getattr(mgr, how)().exception(LONG) is None
        assert isinstance(waiting.exception(LONG), corps.WorkerGone)


def test_grandchildren_end_when_a_worker_kills_its_child() -> None:
    """Was a defect: they took the killer for a stranger."""
    with memory_corps(1) as (one,):
        top = one.create(Top)
        grandchild = top.grandchild().ret
        ended = corps_watch(one, grandchild)
        top.kill_child().result(LONG)
        assert ended.result(LONG).reason in ("killed", "shutdown")
        assert isinstance(grandchild.number().exception(LONG), corps.WorkerGone)


class Top(corps.Conc):
    def __init__(self) -> None:
        self.child = corps.create(Mgr, 1)

    def grandchild(self) -> Any:
        return self.child.get().ret

    def kill_child(self) -> None:
        self.child.kill().result()


class Slow(Child):
    def hang(self) -> None:
        Child.halting.set()
        Child.may_halt.wait()


class Keeper(Slow):
    keep_every = 0

    def __init__(self) -> None:
        self.kept: list[str] = []

    def keep_state(self) -> list[str]:
        return self.kept

    def after_restart(self, state: Any) -> None:
        self.kept = state or []

    def hang(self) -> None:
        super().hang()
        self.kept.append("of one that was abandoned")

    def keep(self, what: str) -> list[str]:
        self.kept.append(what)
        return self.kept


class Pair(corps.Conc):
    strategy: ClassVar[Strategy] = "one_for_all"

    def __init__(self, cls: type[Slow] = Slow) -> None:
        self.pair = [corps.options(mailbox=2).create(cls) for _ in range(2)]

    def get(self) -> Any:
        return self.pair


def test_senders_that_wait_for_room_reach_the_cell_that_follows() -> None:
    """Was a defect: they were refused, though what was in the mailbox was run."""
    with memory_corps(1, settings=QUICK) as (one,):
        slow, other = one.create(Pair).get().ret
        hanging = slow.hang()
        assert Child.halting.wait(LONG)
        waiting = [slow.number() for _ in range(2)]  # now the mailbox is full
        got: list[int] = []
        senders = [Thread(target=lambda: got.append(slow.number().result(LONG))) for _ in range(3)]
        for sender in senders:
            sender.start()
        other.fail()
        assert isinstance(hanging.exception(LONG), corps.WorkerGone)
        for sender in senders:
            sender.join()
        assert [each.result(LONG) for each in waiting] == [2, 2]
        assert got == [2, 2, 2]
        Child.may_halt.set()


def test_an_abandoned_incarnation_keeps_no_state_for_the_next_one() -> None:
    """Was a defect: what the thread of the former one kept came in place of what the next one had."""
    with corps.env(config={"exit_timeout": 0.3}) as env:
        slow, other = env.create(Pair, Keeper).get().ret
        assert slow.keep("mine").result(LONG) == ["mine"]
        hanging = slow.hang()
        assert Child.halting.wait(LONG)
        other.fail()
        assert isinstance(hanging.exception(LONG), corps.WorkerGone)
        assert slow.number().result(LONG) == 2
        Child.may_halt.set()
        other.fail().exception(LONG)
        while slow.number().result(LONG) < 3:
            pass
        assert slow.keep("too").result(LONG) == ["mine", "too"]


def test_an_exit_while_a_worker_is_abandoned_is_an_end_for_good() -> None:
    """Was a defect: it was held for a return that nobody was there to bring about."""
    with memory_corps(1, settings=QUICK) as (one,):
        pair = one.create(Pair)
        slow, other = pair.get().ret
        hanging = slow.hang()
        assert Child.halting.wait(LONG)
        waiting = slow.number()
        begun, ended = Event(), []

        def end(_: Any) -> None:  # in the thread that abandons it
            ended.append(pair.exit())
            begun.set()

        hanging.add_done_callback(end)
        other.fail()
        assert begun.wait(LONG)
        assert ended[0].exception(LONG) is None
        assert isinstance(waiting.exception(LONG), corps.WorkerGone | None)  # its return may have been faster
        assert isinstance(slow.number().exception(LONG), corps.WorkerGone)
        Child.may_halt.set()


def test_an_env_that_closes_sends_nothing_again() -> None:
    """Was a defect: the caller of an idempotent method waited for ever."""
    with memory_corps(2, settings=QUICK) as (one, two):
        worker = one.options(env=two.id).create(Patient)
        waiting = worker.wait()
        one.env.close(1.0)
        assert isinstance(waiting.exception(LONG), corps.EnvLost)
        one.is_dead = True
        Child.may_halt.set()


class Patient(Child):
    @corps.idempotent(retries=5)
    def wait(self) -> None:
        Child.may_halt.wait()


def test_who_is_halted_and_told_to_fail_keeps_what_waits() -> None:
    """Was a defect: it ended, and its requests with it."""
    with memory_corps(1) as (one,):
        mgr = one.create(Mgr, one.id, 0.5)
        child = mgr.get().ret
        assert isinstance(child.fail().exception(LONG), corps.Fail)
        assert child.number().result(LONG) == 2
        assert isinstance(
            child.fail().exception(LONG), corps.Fail
        )  # died young: it is away for half a second
        waiting = child.number()
        cell = one.env.registry.find(child._addr.conc)
        assert cell is not None
        if cell.is_halted:
            halting.fail(cell, KILLED)
        assert waiting.result(LONG) == 3
