"""Claims about what one Env knows of the others: between the death of a process and its news."""

from typing import Any, cast

import pytest

from corps.addresses import ConcAddr, first_number
from corps.messages.endings import Failure
from corps.runtime.other_envs import in_turn
from corps.testing.memory_corps import memory_corps

KILLED = Failure("killed", "planted")
LONG = 30.0


class Family:
    def __init__(self) -> None:
        self.lost: list[tuple[ConcAddr, Failure, bool]] = []

    def child_lost(self, child: ConcAddr, failure: Failure, *, returns: bool) -> None:
        self.lost.append((child, failure, returns))


def test_a_worker_whose_process_died_before_it_was_adopted_has_failed() -> None:
    """Was a defect: its Mgr heard of the death first, knew no such child, and never started it again."""
    with memory_corps(2) as (one, two):
        others, family = one.env.others, Family()
        mgr = cast("Any", family)
        child = ConcAddr(one.env.corps_id, two.id, 7)
        others.adopted(mgr, child)
        assert family.lost == []
        others.lost(two.id, KILLED, returns=True)
        others.adopted(mgr, child)
        assert family.lost == [(child, KILLED, True)]
        others.adopted(mgr, child._replace(conc=first_number(1)))  # of its next process
        assert len(family.lost) == 1


def test_an_env_is_gone_only_if_it_gets_no_other_process() -> None:
    with memory_corps(2) as (one, two):
        assert not one.env.others.is_gone(two.id)
        one.env.others.lost(two.id, KILLED, returns=True)
        assert not one.env.others.is_gone(two.id)
        one.env.others.lost(two.id, KILLED, returns=False)
        assert one.env.others.is_gone(two.id)


def test_who_waits_until_an_env_can_or_cannot_be_used_hears_of_it_once_it_is_so() -> None:
    with memory_corps(2) as (one, two):
        others = one.env.others
        assert others.when_known(two.id, is_there=True).result(LONG) is None
        left = others.when_known(two.id, is_there=False)
        assert not left.done()
        others.retire(two.id)
        assert left.result(LONG) is None


def test_envs_are_taken_in_turn_from_that_of_the_creator_on() -> None:
    assert in_turn([3, 1, 2], 2) == [2, 3, 1]
    assert in_turn([3, 1, 2], 7) == [1, 2, 3]


def test_an_env_that_has_ended_before_this_one_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    with memory_corps(2) as (one, two):
        one.env.others.unreachable(two.id, "planted")
        assert "cannot reach" in caplog.text
        caplog.clear()
        one.env.lives.is_winding_down = True
        one.env.others.unreachable(two.id, "planted")
        assert caplog.text == ""
