"""Claims about requests that are sent again: one answer, in time, not too often, and an honest word."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from corps.addresses import ConcAddr
from corps.errors import (
    Cancelled,
    EnvLost,
    Executed,
    Overloaded,
    PackError,
    PoisonRequest,
    Remote,
    RequestError,
    WorkerGone,
)
from corps.messages.outcomes import Outcome, Raised, Refused, Value
from corps.messages.requests import CALL, Request
from corps.runtime.calls import retrying
from corps.runtime.calls.futures import Future
from corps.runtime.calls.retrying import Retrying

TARGET = ConcAddr("0123456789abcdef", 1, 1)


class Resender:
    """Does what it is given when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], object]] = []
        self.put = self.jobs.append

    def help(self) -> None: ...

    def go_on(self) -> None:
        self.jobs.pop(0)()


class Env:
    """Sends nothing, and has a clock that the test moves."""

    readers = None
    incarnation = 1
    id, corps_id = 0, TARGET.corps

    def __init__(self) -> None:
        self.alarms = self
        self.resender = Resender()
        self.time = 100.0
        self.rings: list[tuple[float, Callable[[], object]]] = []
        self.sent: list[Request] = []
        self.raises: Exception | None = None
        self.begun = False
        self.closed = False
        self.retrying: dict[Retrying, None] = {}

    def now(self) -> float:
        return self.time

    def at(self, due: float, ring: Callable[[], object]) -> None:
        self.rings.append((due, ring))

    def ring(self) -> None:
        """Go on to the next alarm."""
        due, ring = min(self.rings, key=lambda each: each[0])
        self.rings.remove((due, ring))
        self.time = max(self.time, due)
        ring()

    def dispatch(self, request: Request) -> None:
        if self.raises is not None:
            raise self.raises
        request.route = self
        self.sent.append(request)

    def take_back(self, request: Request) -> bool:
        return not self.begun

    def help(self, promise: Any, here: Any) -> None: ...

    def withdraw(self, request: Request) -> None: ...
    def is_alive(self, _: Request) -> bool:
        return True

    def ask_back(self, request: Request) -> None: ...
    def relay(self, request: Request, answer: Any) -> None: ...


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Env:
    made = Env()
    monkeypatch.setattr(retrying, "now", made.now)
    return made


def ask(env: Env, retries: int, deadline: float | None = None) -> Future[Any]:
    future: Future[Any] = Future()
    promise = Retrying(cast("Any", env), future, (1,), {"x": 2}, retries).next_try()
    future.request = Request(CALL, TARGET, "method", (1,), {"x": 2}, promise, None, deadline)
    env.dispatch(future.request)
    return future


def lost(executed: Executed = "unknown") -> Refused:
    return Refused(EnvLost("planted", executed=executed))


def gone(executed: Executed = "unknown") -> Refused:
    return Refused(WorkerGone("planted", executed=executed))


def test_it_is_sent_again_with_the_same_arguments_after_delays_that_double(env: Env) -> None:
    future = ask(env, 3)
    env.sent[0].travelling = {"tenant": "alice"}
    waits = []
    for _ in range(3):
        env.sent[-1].settle(lost("no"))
        before = env.time
        env.ring()
        waits.append(env.time - before)
    assert [request.args for request in env.sent] == [(1,)] * 4
    assert [request.travelling for request in env.sent] == [{"tenant": "alice"}] * 4
    for wait, wanted in zip(waits, (0.05, 0.1, 0.2), strict=True):
        assert 0.8 * wanted <= wait <= 1.2 * wanted + 1e-9
    env.sent[-1].settle(Value("at last"))
    assert future.result() == "at last"


def ask_with_an_object(env: Env) -> tuple[Future[Any], object]:
    future, arg = Future[Any](), object()
    promise = Retrying(cast("Any", env), future, (arg,), {}, 3).next_try()
    future.request = Request(CALL, TARGET, "method", (arg,), {}, promise, None, None)
    env.dispatch(future.request)
    env.sent[0].settle(lost("no"))
    return future, arg


def test_what_an_author_may_pack_is_sent_again_by_no_thread_that_others_wait_for(env: Env) -> None:
    future, arg = ask_with_an_object(env)
    env.ring()
    assert len(env.sent) == 1
    env.resender.go_on()
    assert env.sent[1].args == (arg,)
    env.sent[1].settle(Value("at last"))
    assert future.result() == "at last"


def test_what_a_caller_has_given_up_meanwhile_is_not_sent_again(env: Env) -> None:
    future, _ = ask_with_an_object(env)
    env.ring()
    assert future.cancel()
    env.resender.go_on()
    assert len(env.sent) == 1


def test_what_goes_to_a_worker_of_this_env_is_not_packed_and_sent_again_at_once(env: Env) -> None:
    env.id = TARGET.env
    ask_with_an_object(env)
    env.ring()
    assert len(env.sent) == 2


def test_what_comes_late_of_a_former_try_counts_for_nothing(env: Env) -> None:
    """Was a defect: a worker that hung, and was abandoned, could settle what was being sent again."""
    future = ask(env, 3)
    env.sent[0].settle(gone())
    assert not env.sent[0].settle(Refused(Cancelled("its coroutine was cancelled")))
    assert not env.sent[0].settle(lost())
    assert not future.done()
    assert env.sent[0].promise.done()
    assert len(env.rings) == 1
    env.ring()
    env.sent[1].settle(Value(1))
    assert future.result() == 1


@pytest.mark.parametrize("last", [lost("no"), gone("no"), Refused(Overloaded("planted", executed="no"))])
def test_the_last_try_does_not_speak_for_those_before_it(env: Env, last: Refused) -> None:
    """Was a defect: a request that had perhaps been executed was said not to have been."""
    future = ask(env, 1)
    env.sent[0].settle(lost("unknown"))
    env.ring()
    env.sent[1].settle(last)
    error = future.exception()
    assert isinstance(error, RequestError)
    assert error.executed == "unknown"
    assert type(error) is type(last.error)
    assert vars(last.error).get("executed") == "no"  # others may have been told the same one


def test_a_caller_who_gives_up_hears_of_former_tries_too(env: Env) -> None:
    future = ask(env, 2)
    env.sent[0].settle(lost("unknown"))
    env.ring()
    future.cancel()
    with pytest.raises(Cancelled) as caught:
        future.result()
    assert caught.value.executed == "unknown"


def test_three_deaths_are_enough_however_many_tries_are_left(env: Env) -> None:
    future = ask(env, 100)
    for _ in range(2):
        env.sent[-1].settle(lost())
        env.ring()
        env.sent[-1].settle(lost("no"))  # it was not even begun: no evidence
        env.ring()
    env.sent[-1].settle(lost("yes"))
    error = future.exception()
    assert isinstance(error, PoisonRequest)
    assert error.executed == "yes"
    assert env.rings == []


def test_a_worker_that_ended_for_good_is_not_asked_again(env: Env) -> None:
    future = ask(env, 3)
    env.sent[0].settle(gone("no"))
    assert isinstance(future.exception(), WorkerGone)


def test_nothing_is_sent_after_the_deadline(env: Env) -> None:
    future = ask(env, 3, env.time + 0.01)
    env.sent[0].settle(lost())
    env.ring()
    assert len(env.sent) == 1
    assert not future.done()  # the alarm of its deadline settles it


def test_what_cannot_be_sent_again_fails(env: Env) -> None:
    future = ask(env, 3)
    env.sent[0].settle(lost())
    env.raises = PackError("planted")
    env.ring()
    error = future.exception()
    assert isinstance(error, RequestError)
    assert error.executed == "unknown"


OUTCOMES = st.one_of(
    st.builds(lost, st.sampled_from(["no", "unknown", "yes"])),
    st.builds(gone, st.sampled_from(["no", "unknown"])),
    st.just(Value(1)),
    st.just(Raised(Remote("ValueError", "planted"))),
    st.just(Refused(Overloaded("planted"))),
)


class AnyOrder(RuleBasedStateMachine):
    """Tries end so or so, some of them late and twice; time passes; the caller may give up."""

    @initialize(retries=st.integers(1, 5), seconds=st.one_of(st.none(), st.floats(0.01, 1.0)))
    def begin(self, retries: int, seconds: float | None) -> None:
        self.env = Env()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(retrying, "now", self.env.now)
        self.patch.setattr(retrying, "CHANCE", lambda: 0.5)
        self.retries = retries
        self.deadline = None if seconds is None else self.env.time + seconds
        self.settled: list[Outcome] = []
        self.over_at: int | None = None
        self.deaths = 0
        self.begun = False
        self.future = ask(self.env, retries, self.deadline)
        self.future.add_done_callback(lambda done: self._over(done))

    def _over(self, done: Future[Any]) -> None:
        assert done.outcome is not None
        self.settled.append(done.outcome)
        self.over_at = len(self.env.sent)

    @rule(outcome=OUTCOMES)
    def end_the_try(self, outcome: Outcome) -> None:
        last = self.env.sent[-1]
        if not last.promise.done() and isinstance(outcome, Refused):
            executed = getattr(outcome.error, "executed", "unknown")
            self.deaths += isinstance(outcome.error, EnvLost) and executed != "no"
            self.begun |= executed != "no"
        was_done = last.promise.done()
        assert last.settle(outcome) is not was_done

    @rule(which=st.integers(0, 5), outcome=OUTCOMES)
    def end_a_former_try_again(self, which: int, outcome: Outcome) -> None:
        former = [request for request in self.env.sent if request.promise.done()]
        if former:
            assert not former[which % len(former)].settle(outcome)

    @precondition(lambda self: self.env.rings)
    @rule()
    def wait(self) -> None:
        before = len(self.env.sent)
        self.env.ring()
        if self.future.done() or (self.deadline is not None and self.env.time >= self.deadline):
            assert len(self.env.sent) == before

    @rule()
    def cancel(self) -> None:
        self.future.cancel()

    @invariant()
    def it_keeps_its_word(self) -> None:
        if not hasattr(self, "env"):
            return
        assert len(self.settled) <= 1
        assert len(self.env.sent) <= self.retries + 1
        assert sum(not request.promise.done() for request in self.env.sent) <= 1
        if self.over_at is not None:
            assert len(self.env.sent) == self.over_at
        is_answered = self.future.done() and not self.future.cancelled()
        error = self.future.exception() if is_answered else None
        if isinstance(error, EnvLost | WorkerGone | Cancelled):
            assert error.executed != "no" or not self.begun
        assert isinstance(error, PoisonRequest) == (self.deaths >= 3 and not self.future.cancelled())

    def teardown(self) -> None:
        if not hasattr(self, "env"):
            return
        while not self.future.done() and (self.env.rings or not self.env.sent[-1].promise.done()):
            if self.env.rings:
                self.env.ring()
            else:
                self.end_the_try(Value(1))
        self.patch.undo()
        assert self.future.done() or self.deadline is not None


AnyOrder.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, derandomize=True, database=None
)
TestAnyOrder = AnyOrder.TestCase
