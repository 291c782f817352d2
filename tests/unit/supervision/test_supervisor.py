"""Claims about the decisions of a Mgr: whatever happens in whatever order, nobody stays down for ever."""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from corps.messages.endings import ORDERLY, Failure, Reason
from corps.supervision.restarts import POLICIES, STRATEGIES, Restart, Strategy
from corps.supervision.supervisor import Dropped, GivenUp, Plan, Steps, Supervisor

OFTEN = Restart(max=1000, backoff=(1.0, 1.0))
FAILED = Failure("error", "planted")
REASONS: list[Reason] = [reason for reason in get_args(Reason) if reason != "shutdown"]


def supervisor(strategy: Strategy, *children: str, restart: Restart = OFTEN) -> Supervisor[str]:
    made: Supervisor[str] = Supervisor(strategy, lambda: 0.5)
    for child in children:
        made.add(child, restart)
    return made


def fail(of: Supervisor[str], child: str, at: float = 0.0) -> Plan[str]:
    plan = of.failed(child, of.incarnation_of(child), FAILED, at)
    assert isinstance(plan, Plan)
    return plan


def carry_out(of: Supervisor[str], plan: Plan[str]) -> list[str]:
    """Who is started."""
    steps = of.steps(plan)
    return [child for child, number in steps.start if of.started(child, number, 0.0)] if steps else []


def test_one_for_one_touches_the_child_alone() -> None:
    of = supervisor("one_for_one", "a", "b", "c")
    assert of.steps(fail(of, "b")) == Steps((), (), (("b", 2),), is_ordered=False)


def test_one_for_all_halts_in_reverse_and_starts_in_order() -> None:
    of = supervisor("one_for_all", "a", "b", "c")
    assert of.steps(fail(of, "b")) == Steps((), ("c", "a"), (("a", 2), ("b", 2), ("c", 2)), is_ordered=True)


def test_rest_for_one_spares_the_older_ones() -> None:
    of = supervisor("rest_for_one", "a", "b", "c", "d")
    assert of.steps(fail(of, "b")) == Steps((), ("d", "c"), (("b", 2), ("c", 2), ("d", 2)), is_ordered=True)


def test_siblings_that_are_not_brought_along_end() -> None:
    of = supervisor("one_for_all", "a")
    of.add("temporary", Restart("temporary"))
    of.add("undeclared", None)
    of.add("transient", Restart("transient"))
    steps = of.steps(fail(of, "a"))
    assert steps is not None
    assert steps.end == ("undeclared", "temporary")
    assert steps.start == (("a", 2), ("transient", 2))


def test_what_is_told_of_a_former_incarnation_makes_no_difference() -> None:
    of = supervisor("one_for_one", "a")
    carry_out(of, fail(of, "a"))
    assert of.failed("a", 1, FAILED, 0.0) is None
    assert of.down() == []


def test_a_sibling_that_came_back_by_its_own_plan_is_not_halted_for_ever() -> None:
    """Was a defect: the first plan halted b, and then could not start it under the number it had noted."""
    of = supervisor("one_for_all", "a", "b")
    carry_out(of, fail(of, "a"))
    late = fail(of, "a")
    assert late.delay == 1.0
    soon = fail(of, "b")
    assert carry_out(of, soon) == ["a", "b"]
    assert carry_out(of, late) == []
    assert of.down() == []


def test_nobody_is_started_before_those_that_it_depends_on() -> None:
    """Was a defect: b came back before a, and was not started again after it."""
    of = supervisor("rest_for_one", "a", "b", "c")
    of_b = fail(of, "b")
    of_a = fail(of, "a")
    assert of.steps(of_b) is None
    assert carry_out(of, of_a) == ["a", "b", "c"]


def test_those_that_waited_for_one_that_ended_for_good_come_back_with_its_plan() -> None:
    of = supervisor("rest_for_one", "a", "b")
    of_a, of_b = fail(of, "a"), fail(of, "b")
    assert of.steps(of_b) is None
    of.remove("a")
    assert carry_out(of, of_a) == ["b"]


def test_one_that_ended_for_good_is_not_started() -> None:
    of = supervisor("one_for_all", "a", "b")
    steps = of.steps(fail(of, "a"))
    of.remove("b")
    assert steps is not None
    assert [of.started(*start, 0.0) for start in steps.start] == [True, False]


def test_failures_that_lie_back_too_far_do_not_count() -> None:
    of = supervisor("one_for_one", "a", restart=Restart(max=2, within=10.0))
    for at in (0.0, 5.0, 10.0, 15.0, 20.0):
        carry_out(of, fail(of, "a", at))
    carried = of.failed("a", of.incarnation_of("a"), FAILED, 20.1)
    assert carried == GivenUp("a", 3, pytest.approx(5.1), FAILED)  # type: ignore[arg-type]
    assert of.failed("a", 6, FAILED, 20.2) is None


def test_the_delay_grows_only_while_those_who_come_back_die_young() -> None:
    restart = Restart(max=1000, within=1000.0, backoff=(2.0, 8.0))
    of = supervisor("one_for_one", "a", restart=restart)
    delays, now = [], 0.0
    for lived in (0.0, 0.5, 1.9, 3.9, 7.9, 8.0, 0.9, 2.1):
        now += lived
        plan = fail(of, "a", now)
        delays.append(plan.delay)
        assert of.steps(plan)
        assert of.started("a", plan.incarnation + 1, now)
    assert delays == [0.0, 2.0, 4.0, 8.0, 8.0, 0.0, 2.0, 0.0]


def test_no_restart_at_all_is_given_up_at_once() -> None:
    of = supervisor("one_for_one", "a", restart=Restart(max=0))
    assert isinstance(of.failed("a", 1, FAILED, 0.0), GivenUp)


def test_a_limit_that_was_passed_below_goes_up_through_those_who_declare_nothing() -> None:
    of = supervisor("one_for_one")
    of.add("a", None)
    assert isinstance(of.failed("a", 1, Failure("error", "planted", is_final=True), 0.0), GivenUp)


@dataclass
class Child:
    restart: Restart | None
    incarnation: int = 1
    is_up: bool = True
    failed_at: list[float] = field(default_factory=list)
    started_at: float = -math.inf
    early: int = 0
    delay: float = 0.0


RESTARTS = st.one_of(
    st.none(),
    st.builds(
        Restart,
        policy=st.sampled_from(sorted(POLICIES)),
        max=st.integers(0, 4),
        within=st.sampled_from([1.0, 30.0]),
        backoff=st.sampled_from([(0.0, 0.0), (0.1, 10.0), (5.0, 5.0)]),
    ),
)


class AnyOrder(RuleBasedStateMachine):
    """A Mgr's children fail, halt, start and end, plans wait and are carried out, step by step."""

    @initialize(strategy=st.sampled_from(sorted(STRATEGIES)), chance=st.floats(0, 1))
    def begin(self, strategy: Strategy, chance: float) -> None:
        self.strategy = strategy
        self.of: Supervisor[int] = Supervisor(strategy, lambda: chance)
        self.children: dict[int, Child] = {}
        self.count = 0
        self.now = 0.0
        self.waiting: list[tuple[float, Plan[int]]] = []
        self.due: deque[Plan[int]] = deque()
        self.to_start: deque[tuple[int, int]] = deque()
        self.given_up = 0

    @precondition(lambda self: self.count < 6)
    @rule(restart=RESTARTS)
    def add(self, restart: Restart | None) -> None:
        self.count += 1
        self.children[self.count] = Child(restart)
        self.of.add(self.count, restart)

    def _some(self, which: int) -> int | None:
        return list(self.children)[which % len(self.children)] if self.children else None

    @rule(which=st.integers(0, 5), reason=st.sampled_from(REASONS), is_final=st.booleans())
    def fail(self, which: int, reason: Reason, is_final: bool) -> None:
        number = self._some(which)
        if number is None:
            return
        child = self.children[number]
        failure = Failure(reason, "planted", is_final=is_final)
        decision = self.of.failed(number, child.incarnation, failure, self.now)
        if not child.is_up or self.given_up:
            assert decision is None
            return
        child.is_up = False
        restart = child.restart
        if restart is None:
            if is_final:
                assert isinstance(decision, GivenUp)
                self.given_up += 1
            else:
                self._dropped(number, decision)
            return
        if restart.policy == "temporary" or (restart.policy == "transient" and reason in ORDERLY):
            self._dropped(number, decision)
            return
        child.failed_at = [at for at in child.failed_at if self.now - at < restart.within] + [self.now]
        nth = len(child.failed_at)
        if nth > restart.max:
            assert isinstance(decision, GivenUp)
            assert (decision.child, decision.failures) == (number, nth)
            self.given_up += 1
            return
        assert isinstance(decision, Plan)
        assert (decision.child, decision.incarnation) == (number, child.incarnation)
        is_young = self.now - child.started_at < max(1.0, child.delay)
        child.early = child.early + 1 if is_young else 1
        wanted = child.delay = restart.delay_before(child.early)
        assert 0.8 * wanted <= decision.delay <= 1.2 * wanted + 1e-9
        self.waiting.append((self.now + decision.delay, decision))

    def _dropped(self, number: int, decision: object) -> None:
        assert decision == Dropped(number)
        del self.children[number]
        self.of.remove(number)

    @rule(which=st.integers(0, 5), back=st.integers(1, 3))
    def hear_of_a_former_incarnation(self, which: int, back: int) -> None:
        number = self._some(which)
        if number is not None and self.children[number].incarnation - back > 0:
            late = self.children[number].incarnation - back
            assert self.of.failed(number, late, FAILED, self.now) is None

    @rule()
    def hear_of_a_stranger(self) -> None:
        assert self.of.failed(99, 0, FAILED, self.now) is None
        self.of.remove(99)

    @rule(which=st.integers(0, 5))
    def end(self, which: int) -> None:
        number = self._some(which)
        if number is not None:
            del self.children[number]
            self.of.remove(number)

    @rule(seconds=st.sampled_from([0.05, 0.5, 3.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.due.extend(plan for at, plan in sorted(self.waiting, key=lambda each: each[0]) if at <= self.now)
        self.waiting = [each for each in self.waiting if each[0] > self.now]

    @precondition(lambda self: self.due and not self.to_start)
    @rule()
    def begin_a_plan(self) -> None:
        steps = self.of.steps(self.due.popleft())
        if steps is None:
            return
        order = list(self.children)
        assert list(steps.end) == sorted(steps.end, key=order.index, reverse=True)
        assert list(steps.halt) == sorted(steps.halt, key=order.index, reverse=True)
        started = [number for number, _ in steps.start]
        assert started == sorted(started, key=order.index)
        assert not set(steps.end) & set(started)
        touched = {*steps.end, *started}
        down = [number for number in order if not self.children[number].is_up]
        match self.strategy:
            case "one_for_one":
                assert steps.end == steps.halt == ()
                assert len(started) == 1
            case "one_for_all":
                assert touched == set(order)
            case "rest_for_one":
                assert down
                assert touched == set(order[order.index(down[0]) :])
        assert steps.is_ordered == (self.strategy != "one_for_one")
        for number in steps.end:
            restart = self.children[number].restart
            assert restart is None or restart.policy == "temporary"
        for number in steps.halt:
            assert self.children[number].is_up
            self.children[number].is_up = False
        for number, incarnation in steps.start:
            assert not self.children[number].is_up  # a plan never starts a child that is up
            assert incarnation == self.children[number].incarnation + 1
        self.to_start.extend(steps.start)

    @precondition(lambda self: self.to_start)
    @rule()
    def go_on(self) -> None:
        number, incarnation = self.to_start.popleft()
        if self.of.started(number, incarnation, self.now):
            child = self.children[number]
            assert not child.is_up
            assert incarnation == child.incarnation + 1
            child.incarnation, child.is_up, child.started_at = incarnation, True, self.now
        else:
            assert number not in self.children
        assert not self.of.started(number, incarnation, self.now)

    @invariant()
    def it_knows_who_is_down(self) -> None:
        if hasattr(self, "of"):
            assert self.of.down() == [number for number, child in self.children.items() if not child.is_up]
            for number, child in self.children.items():
                assert self.of.incarnation_of(number) == child.incarnation
            assert self.given_up <= 1

    def teardown(self) -> None:
        if not hasattr(self, "of"):
            return
        while self.waiting or self.due or self.to_start:
            self.wait(100.0)
            while self.to_start:
                self.go_on()
            if self.due:
                self.begin_a_plan()
        if not self.given_up:
            assert self.of.down() == []


AnyOrder.TestCase.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, derandomize=True, database=None
)
TestAnyOrder = AnyOrder.TestCase
