"""Claims about the Future as a state machine: one outcome, whatever comes in whatever order."""

import asyncio
import concurrent.futures
import contextvars
import threading
import types
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corps.addresses import ConcAddr
from corps.errors import Cancelled, DeadlineExceeded, WaitTimeout
from corps.messages.outcomes import Outcome, Refused, Value
from corps.messages.promises import Promise
from corps.messages.requests import CALL, Request
from corps.runtime.calls.futures import Future, by_others
from corps.runtime.calls.waiting import gather, shield, wait_all
from corps.runtime.context import Activity, current
from tests.depths import at_each_depth

STEPS = ["settle", "settle otherwise", "cancel", "give up", "callback", "remove", "alarm", "open"]


class Packed:
    """An outcome that has yet to be unpacked; each time gives another object."""

    failed = is_cancelled = False

    def __init__(self) -> None:
        self.times = 0

    def unwrap(self) -> Any:
        return self.opened().unwrap()

    def opened(self) -> Outcome:
        self.times += 1
        return Value([self.times])


class Alarm:
    def __init__(self) -> None:
        self.cancelled = 0

    def cancel(self) -> None:
        self.cancelled += 1


class Route:
    """Holds the request, and can take it back or not."""

    readers = None
    incarnation = 3

    def __init__(self, *, can: bool = True) -> None:
        self.can = can
        self.lives = True
        self.calls: list[str] = []

    def take_back(self, request: Request) -> bool:
        self.calls.append("take back")
        return self.can

    def relay(self, request: Request, answer: Any) -> None: ...

    def ask_back(self, request: Request) -> None:
        self.calls.append("ask back")

    def is_alive(self, _: Request) -> bool:
        return self.lives

    def withdraw(self, request: Request) -> None:
        self.calls.append("withdraw")

    def help(self, promise: Promise, here: object) -> None: ...


def sent(route: Route | None = None) -> "Future[Any]":
    future: Future[Any] = Future()
    request = Request(CALL, ConcAddr("0" * 16, 1, 2), "add", (), {}, future)
    request.route = route
    future.request = request
    return future


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_the_first_outcome_counts_and_each_callback_is_called_once(steps: list[str]) -> None:
    route = Route()
    future = sent(route)
    first: Outcome | None = None
    alarms: list[Alarm] = []
    called: list[int] = []
    added = removed = 0

    def callback(_: object) -> None:
        called.append(1)

    for step in steps:
        before = future.outcome
        if step in ("settle", "settle otherwise"):
            outcome = Value(step)
            assert future.settle(outcome) == (before is None)
        elif step == "cancel":
            assert future.cancel() == (before is None or future.cancelled())
        elif step == "give up":
            assert future.give_up(DeadlineExceeded("late")) == (before is None)
        elif step == "callback":
            future.when_settled(callback)
            added += 1
        elif step == "remove":
            removed += before is None and added > removed
            future.remove_callback(callback)
        elif step == "alarm":
            alarms.append(Alarm())
            future.set_alarm(cast("Any", alarms[-1]))
        elif before is not None:
            assert future.cancelled() or future.exception() is None or before.failed
        if first is None:
            first = future.outcome
        assert future.outcome is first
        assert future.done() == (not future.running()) == (first is not None)
        assert future.cancelled() == (isinstance(first, Refused) and isinstance(first.error, Cancelled))
    if first is not None:
        assert len(called) == added - removed
        assert all(alarm.cancelled == 1 for alarm in alarms[-1:])
        assert future.request is None
        assert not future._callbacks
    else:
        assert called == []
    assert route.calls.count("withdraw") <= 1


@pytest.mark.parametrize("turn", range(20))
def test_of_many_threads_one_settles_it(turn: int) -> None:
    future, ready = sent(Route(can=bool(turn % 2))), threading.Barrier(5)
    called: list[Any] = []
    firsts: list[bool] = []
    future.add_done_callback(called.append)

    def race(how: int) -> None:
        ready.wait()
        if how == 0:
            future.cancel()
        elif how == 1:
            firsts.append(future.give_up(DeadlineExceeded("late")))
        else:
            firsts.append(future.settle(Value(how)))

    threads = [threading.Thread(target=race, args=(how,)) for how in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
    wait_all([future])
    for thread in threads:
        thread.join()
    assert firsts.count(True) + future.cancelled() == 1
    assert called == [future]


@pytest.mark.parametrize(("can", "executed"), [(True, "no"), (False, "unknown")])
def test_giving_up_says_whether_the_request_can_still_begin(can: bool, executed: str) -> None:
    route = Route(can=can)
    future = sent(route)
    assert future.cancel()
    with pytest.raises(Cancelled) as caught:
        future.exception()
    assert caught.value.executed == executed
    assert route.calls == ["take back", "withdraw"]


def test_what_waits_is_taken_back_and_what_has_begun_goes_on() -> None:
    waiting, begun = Route(can=True), Route(can=False)
    future = sent(waiting)
    assert future.cancel(only_if="waiting")
    assert future.cancelled()
    assert waiting.calls == ["take back", "withdraw"]
    future = sent(begun)
    assert not future.cancel(only_if="waiting")
    assert not future.done()
    assert begun.calls == ["take back", "ask back"]
    future.settle(Value(1))
    assert not future.cancel(only_if="waiting")
    with pytest.raises(ValueError, match="only_if='begun'"):
        future.cancel(only_if="begun")  # type: ignore[arg-type]


def test_the_exception_of_a_cancelled_one_is_raised_as_the_base_class_has_it() -> None:
    future = sent()
    future.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        future.exception()


def test_the_task_that_awaits_cancels_the_request_unless_it_is_shielded() -> None:
    async def wait_for(future: Future[Any]) -> None:
        task = asyncio.ensure_future(future)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    plain, shielded, gathered = sent(), sent(), sent()
    asyncio.run(wait_for(plain))
    asyncio.run(wait_for(shield(shielded)))
    asyncio.run(wait_for(gather(gathered)))
    assert [each.cancelled() for each in (plain, shielded, gathered)] == [True, False, True]
    assert not shielded._callbacks or shielded.settle(Value(1))


def test_giving_up_too_late_withdraws_nothing() -> None:
    route = Route()
    future = sent(route)
    future.settle(Value(1))
    assert not future.cancel()
    assert "withdraw" not in route.calls


def test_everybody_sees_the_objects_that_were_unpacked_first() -> None:
    future, packed = sent(), Packed()
    future.settle(packed)
    first = future.result()
    assert future.result() is first
    assert future.ret is first
    assert packed.times == 1


def test_an_outcome_is_unpacked_while_the_standard_library_holds_the_future() -> None:
    future = sent()
    future.settle(Packed())
    with future._condition:
        assert future.exception() is None


def test_a_wait_that_is_over_leaves_nothing_behind() -> None:
    future = sent()
    for _ in range(3):
        with pytest.raises(WaitTimeout, match="'add' of"):
            future.result(timeout=0.0)
    assert not future._callbacks


ENDS_PROGRAMS = [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError]


@pytest.mark.parametrize("kind", ENDS_PROGRAMS)
def test_what_a_callback_raises_reaches_nobody(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    future: Future[int] = Future()
    called: list[str] = []

    def leave(_: object) -> None:
        called.append("first")
        raise kind("out of a callback")

    future.add_done_callback(leave)
    future.add_done_callback(lambda _: called.append("second"))
    assert future.settle(Value(1))
    future.add_done_callback(leave)
    assert called == ["first", "second", "first"]
    assert future.ret == 1
    assert [record.message for record in caplog.records] == ["a callback of a Future raised"] * 2


def test_an_error_that_cannot_be_shown_is_logged_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    class Shy(BaseException):
        def __str__(self) -> str:
            raise SystemExit(1)

    def leave(_: object) -> None:
        raise Shy

    future: Future[int] = Future()
    future.add_done_callback(leave)
    assert future.settle(Value(1))
    assert "a callback of a Future raised" in caplog.text


def somebody() -> Activity:
    """What a worker does, of an Env of its own."""
    return Activity(cast("Any", types.SimpleNamespace()), cast("Any", types.SimpleNamespace()))


def test_a_callback_runs_as_the_one_who_registered_it_without_its_deadline() -> None:
    env: Any = types.SimpleNamespace()
    cell: Any = types.SimpleNamespace()
    registrant, settling = Activity(env, cell), somebody()
    registrant.deadline = settling.deadline = 1.0
    seen: list[Activity | None] = []
    future: Future[int] = Future()
    token = current.set(registrant)
    future.add_done_callback(lambda _: seen.append(current.get()))
    current.set(settling)
    future.settle(Value(1))
    assert current.get() is settling
    current.reset(token)
    (here,) = seen
    assert here is not None
    assert (here.env, here.cell, here.deadline, here.reading) == (env, cell, None, True)


def test_a_callback_of_a_plain_thread_is_no_worker() -> None:
    settling = somebody()
    seen: list[Activity | None] = []
    future: Future[int] = Future()
    future.add_done_callback(lambda _: seen.append(current.get()))
    token = current.set(settling)
    future.settle(Value(1))
    current.reset(token)
    (here,) = seen
    assert here is not None
    assert (here.env, here.cell, here.reading) == (settling.env, None, True)


def test_a_callback_sees_the_variables_of_its_registration() -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
    seen: list[str] = []
    future: Future[int] = Future()
    token = who.set("the registrant")

    def look(_: object) -> None:
        seen.append(who.get())
        who.set("a callback")

    future.add_done_callback(look)
    who.reset(token)
    future.settle(Value(1))
    assert seen == ["the registrant"]
    assert who.get() == "nobody"


def test_a_future_is_alive_as_its_holder_says_until_its_outcome_is_there() -> None:
    route = Route()
    future = sent(route)
    seen = [future.alive]
    route.lives = False
    seen.append(future.alive)
    future.settle(Value(1))
    seen.append(future.alive)
    assert seen == [True, False, True]
    assert Future[int]().alive
    assert sent(None).alive


def test_what_must_not_be_broken_off_begins_only_with_room_in_the_stack_for_it() -> None:
    steps: list[str] = []

    def needs(levels: int) -> None:
        if levels:
            needs(levels - 1)

    def act() -> None:
        steps.append("begun")
        needs(25)
        steps.append("done")

    outcomes = set()
    for was_done in at_each_depth(lambda: by_others(None, act)):
        assert steps == ["begun", "done"] * was_done
        steps.clear()
        outcomes.add(was_done)
    assert outcomes == {True, False}
