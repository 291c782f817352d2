"""Claims about workers whose failures cross: in one Env, and between the death of an Env and its news."""

from threading import Event
from typing import Any, ClassVar

import pytest

import corps
from corps.addresses import ConcAddr, first_number
from corps.messages.endings import Failure
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


class Family:
    def __init__(self) -> None:
        self.lost: list[tuple[ConcAddr, Failure, bool]] = []

    def child_lost(self, child: ConcAddr, failure: Failure, *, returns: bool) -> None:
        self.lost.append((child, failure, returns))


def test_a_worker_whose_process_died_before_it_was_adopted_has_failed() -> None:
    """Was a defect: its Mgr was told of the death first, knew no such child, and never started it again."""
    with memory_corps(2) as (one, two):
        lives, family = one.env.lives, Family()
        child = ConcAddr(one.env.corps_id, two.id, 7)
        lives.adopted(family, child)
        assert family.lost == []
        lives.env_lost(two.id, KILLED, returns=True)
        lives.adopted(family, child)
        assert family.lost == [(child, KILLED, True)]
        lives.adopted(family, child._replace(conc=first_number(1)))  # of its next process
        assert len(family.lost) == 1


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
        two.die_again()
        two.die_again()
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
