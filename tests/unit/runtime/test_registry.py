"""Claims about those who may come back: no request for them is lost, run twice, or overtaken."""

from collections.abc import Iterable
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from corps.addresses import ConcAddr, first_number
from corps.errors import NoSuchWorker, WorkerGone
from corps.messages.endings import End
from corps.messages.outcomes import Outcome, Refused, Value
from corps.messages.requests import CALL, EXIT, EXIT_DOWN, WATCH, WITHDRAWN, Kind, Request
from corps.runtime.registry import Registry

CORPS = "0123456789abcdef"
KILLED = End(1, "killed", "planted")


class Kept:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def settle(self, outcome: Outcome) -> bool:
        self.outcomes.append(outcome)
        return len(self.outcomes) == 1

    def done(self) -> bool:
        return bool(self.outcomes)


class Cell:
    """A worker that runs what the test says."""

    readers = None
    incarnation = 1

    def __init__(self, registry: Registry, number: int) -> None:
        self.registry = registry
        self.number = number
        self.mailbox: list[Request] = []
        self.watches: list[Request] = []

    def deliver(self, request: Request) -> None:
        request.route = self
        if request.kind == WATCH:
            self.watches.append(request)
            ended = self.registry.ended(self.number)  # as Watchers do
            if ended is not None:
                request.settle(Value(ended))
        else:
            self.mailbox.append(request)

    def take_back(self, request: Request) -> bool:
        request.stage = WITHDRAWN
        return True

    def help(self, promise: Any, here: Any) -> None: ...

    def withdraw(self, request: Request) -> None: ...
    def is_alive(self, _: Request) -> bool:
        return True

    def ask_back(self, request: Request) -> None: ...
    def relay(self, request: Request, answer: Any) -> None: ...


def registry(generation: int = 1, undecided: Iterable[int] = ()) -> Registry:
    made = Registry(generation)
    assert made.next_number() == 0  # the EnvMgr
    made.await_word_of(undecided)
    return made


def request(number: int, kind: Kind = CALL, method: str = "method") -> Request:
    return Request(kind, ConcAddr(CORPS, 1, number), method, (), {}, Kept())


def outcomes(of: Request) -> list[Outcome]:
    assert isinstance(of.promise, Kept)
    return of.promise.outcomes


def refuse(of: Registry, requests: list[Request]) -> None:
    for each in requests:
        if each.stage != WITHDRAWN:
            each.settle(of.outcome_without_cell(each))


def test_a_watch_that_waits_is_handed_on_when_its_worker_comes_back() -> None:
    """Was a defect: the lock was taken twice, and the Env stood still."""
    of = registry(undecided=[2])
    watch = request(5, WATCH)
    assert of.hold(watch)
    cell = Cell(of, 5)
    of.add(5, cast("Any", cell))
    assert cell.watches == [watch]
    assert outcomes(watch) == []


def test_a_watch_that_waits_hears_of_the_incarnation_that_comes() -> None:
    of = registry()
    number = of.next_number()
    of.add(number, cast("Any", Cell(of, number)))
    of.remove(number, KILLED, 2)
    watch = request(number, WATCH)
    assert of.hold(watch)
    of.add(number, cast("Any", Cell(of, number)))
    assert outcomes(watch) == []
    of.remove(number, KILLED, None)
    assert of.ended(number) == KILLED


def test_what_an_abandoned_worker_left_is_run_before_what_comes_later() -> None:
    """Was a defect: a request could be held before those that had waited in the mailbox."""
    of = registry()
    number = of.next_number()
    of.add(number, cast("Any", Cell(of, number)))
    early, late = request(number), request(number)
    of.remove(number, KILLED, 2, [early])
    assert of.hold(late)
    cell = Cell(of, number)
    of.add(number, cast("Any", cell))
    assert cell.mailbox == [early, late]


def test_a_word_that_was_overtaken_by_an_end_brings_nobody_back() -> None:
    """Was a defect: requests waited for ever for one whose Mgr ended as it said whom it would start."""
    of = registry(undecided=[2, 3])
    waiting = request(5)
    assert of.hold(waiting)
    assert of.despair([5]) == [waiting]
    assert of.decide(2, [5]) == []
    assert not of.hold(request(5))


def test_an_abandoned_worker_that_is_abandoned_again_holds_nothing_up() -> None:
    """Was a defect: its number counted as one that leaves for ever, whatever cell had it by then."""
    of = registry()
    number = of.next_number()
    former, cell = Cell(of, number), Cell(of, number)
    of.add(number, cast("Any", former))
    of.will_leave(number, cast("Any", former))
    assert of.hold(request(number))
    of.remove(number, KILLED, 2)
    of.will_leave(number, cast("Any", former))
    of.add(number, cast("Any", cell))
    of.will_leave(number, cast("Any", former))
    assert not of.hold(request(number))


def test_a_worker_that_has_ended_for_good_holds_no_request_though_envs_are_undecided() -> None:
    of = registry(undecided=[2, 3])
    of.add(5, cast("Any", Cell(of, 5)))
    of.remove(5, KILLED, None)
    assert not of.hold(request(5))


def test_who_never_was_there_is_another_matter_than_who_has_ended() -> None:
    of = registry()
    gone, never = (of.outcome_without_cell(request(number)) for number in (5, first_number(1) + 5))
    assert isinstance(gone, Refused)
    assert isinstance(gone.error, WorkerGone)
    assert gone.error.executed == "no"
    assert isinstance(never, Refused)
    assert isinstance(never.error, NoSuchWorker)


@pytest.mark.parametrize("kind", [EXIT, WATCH])
def test_an_end_is_no_error_for_who_wants_it_or_hears_of_it(kind: Kind) -> None:
    of = registry()
    assert isinstance(of.outcome_without_cell(request(5, kind)), Value)


MGR_ENVS = [2, 3, 4]
NUMBERS = [1, 2, 3]


class AnyOrder(RuleBasedStateMachine):
    """A new process of an Env: requests come, other Envs say whom they start or die, workers come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.of = registry(undecided=MGR_ENVS)
        self.undecided = set(MGR_ENVS)
        self.sent: list[Request] = []
        self.ran: list[Request] = []
        self.cells: dict[int, Cell] = {}

    def _deliver(self, sent: Request) -> None:
        """As `Env.deliver`."""
        cell = self.of.find(sent.target.conc)
        if cell is not None:
            cell.deliver(sent)
        elif not self.of.hold(sent):
            if sent.kind == EXIT:
                refuse(self.of, self.of.despair([sent.target.conc]))
            sent.settle(self.of.outcome_without_cell(sent))

    @rule(number=st.sampled_from(NUMBERS), kind=st.sampled_from([CALL, CALL, WATCH]))
    def ask(self, number: int, kind: Kind) -> None:
        self.sent.append(request(number, kind))
        self._deliver(self.sent[-1])

    @rule(which=st.integers(0, 20))
    def give_up(self, which: int) -> None:
        open_ones = [each for each in self.sent if not each.promise.done() and each not in self.ran]
        if open_ones:
            each = open_ones[which % len(open_ones)]
            assert each.route is not None
            if each.route.take_back(each):
                each.settle(Refused(WorkerGone("given up")))

    @rule(number=st.sampled_from(NUMBERS))
    def end(self, number: int) -> None:
        if number in self.cells:
            self._leave(number, None)
        else:
            ends = request(number, EXIT)
            ends.method = EXIT_DOWN
            self._deliver(ends)

    @precondition(lambda self: self.undecided)
    @rule(which=st.integers(0, 2), numbers=st.sets(st.sampled_from(NUMBERS)))
    def decide(self, which: int, numbers: set[int]) -> None:
        env = sorted(self.undecided)[which % len(self.undecided)]
        self.undecided.discard(env)
        refuse(self.of, self.of.decide(env, numbers))

    @rule(env=st.sampled_from(MGR_ENVS))
    def lose(self, env: int) -> None:
        self.undecided.discard(env)
        refuse(self.of, self.of.mgr_env_lost(env))

    @rule(number=st.sampled_from(NUMBERS))
    def start(self, number: int) -> None:
        if number not in self.cells:
            cell = self.cells[number] = Cell(self.of, number)
            self.of.add(number, cast("Any", cell))

    @rule(number=st.sampled_from(NUMBERS), n=st.integers(1, 3))
    def run_some(self, number: int, n: int) -> None:
        if number in self.cells:
            mailbox = self.cells[number].mailbox
            for each in mailbox[:n]:
                if each.stage != WITHDRAWN:
                    self.ran.append(each)
                    each.settle(Value(None))
            del mailbox[:n]

    @rule(number=st.sampled_from(NUMBERS), env=st.sampled_from(MGR_ENVS))
    def abandon(self, number: int, env: int) -> None:
        if number in self.cells:
            self._leave(number, env)

    def _leave(self, number: int, env: int | None) -> None:
        cell = self.cells.pop(number)
        waiting = [each for each in cell.mailbox if each.stage != WITHDRAWN]
        self.of.remove(number, KILLED, env, waiting)
        for each in cell.watches:
            if not each.promise.done():
                each.settle(Value(KILLED))
        if env is None:
            refuse(self.of, waiting)

    @invariant()
    def nothing_is_settled_twice(self) -> None:
        assert all(len(outcomes(each)) <= 1 for each in self.sent)

    @invariant()
    def nothing_is_overtaken(self) -> None:
        for number in NUMBERS:
            ran = [self.sent.index(each) for each in self.ran if each.target.conc == number]
            assert ran == sorted(ran)

    def teardown(self) -> None:
        for env in MGR_ENVS:
            self.lose(env)
        for number in NUMBERS:
            self.run_some(number, 1000)
            self.end(number)
        assert all(len(outcomes(each)) == 1 for each in self.sent)


AnyOrder.TestCase.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, derandomize=True, database=None
)
TestAnyOrder = AnyOrder.TestCase
