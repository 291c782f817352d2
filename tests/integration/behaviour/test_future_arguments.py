"""Claims about Futures as arguments: their values are there before the method begins, on every path."""

import asyncio
import gc
import logging
from typing import Any

import pytest

import corps
from corps.messages.requests import CALL
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Holder, Latch

LIMIT = 30.0


class Cook(corps.Conc):
    """Gives and takes values, at once or when a latch opens."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def make(self, value: Any) -> Any:
        return value

    def make_later(self, latch: corps.Name[Latch], value: Any) -> Any:
        latch.arrive.send()
        latch.wait().result()
        return value

    def fail(self, text: str) -> Any:
        raise LookupError(text)

    def fail_later(self, latch: corps.Name[Latch], text: str) -> Any:
        self.make_later(latch, None)
        raise LookupError(text)

    def take(self, *values: Any, **named: Any) -> Any:
        self.log.append((values, named))
        return [values, named]

    def kinds(self, *values: Any) -> list[str]:
        return [type(each).__name__ for each in values]

    def chain(self, one: corps.Name[Any], two: corps.Name[Any], value: Any) -> Any:
        """What one makes goes to the other one, and its answer is ours: nothing waits."""
        return two.take(one.make(value))

    def circle(self, me: corps.Name[Any], other: corps.Name[Any]) -> Any:
        """Wait for a call that waits for an answer of this very worker."""
        return other.take(me.make(1)).ret

    async def take_softly(self, value: Any) -> Any:
        await asyncio.sleep(0)
        return value

    @corps.idempotent
    def take_again(self, value: Any) -> Any:
        return value


def test_a_future_gives_its_value_before_the_method_begins(way: Way) -> None:
    one, two = way.create(Cook), way.create_far(Cook)
    assert two.take(one.make([1, 2])).ret == [([1, 2],), {}]
    assert one.take(0, two.make("a"), key=two.make("b"), plain=3).ret == [(0, "a"), {"key": "b", "plain": 3}]
    assert two.kinds(one.make(1), one.make("a"), one.log).ret == ["int", "str", "list"]


def test_one_that_is_there_already_and_one_that_is_not(way: Way) -> None:
    latch, one, two = way.create(Latch), way.create(Cook), way.create_far(Cook)
    there = one.make(1)
    assert there.ret == 1
    later = one.make_later(latch, 2)
    taken = two.take(there, later, there)
    latch.arrived().result(LIMIT)
    assert not taken.done()
    assert two.log.ret == []  # it goes on meanwhile
    latch.open().result(LIMIT)
    assert taken.result(LIMIT) == [(1, 2, 1), {}]
    assert later.ret == 2  # it is a Future as before


def test_a_chain_of_three_workers_waits_nowhere(way: Way) -> None:
    one, two, three = way.create(Cook), way.create_far(Cook), way.create(Cook)
    made = one.make(5)
    through = two.take_softly(three.take_softly(made))
    assert three.chain(one, two, through).result(LIMIT) == [(5,), {}]


def test_a_value_in_one_env_is_the_object_itself(way: Way) -> None:
    if not way.is_local:
        pytest.skip("of one Env alone")
    one, two = way.create(Cook), way.create(Cook)
    value: list[int] = []
    assert two.take(one.make(value)).ret[0][0] is value


def test_one_that_fails_fails_the_call_which_is_not_executed(way: Way) -> None:
    latch, one, two = way.create(Latch), way.create(Cook), way.create_far(Cook)
    for failing in (one.fail("no"), one.fail_later(latch, "no")):
        taken = two.take(failing, one.make(1))
        latch.open().result(LIMIT)
        with pytest.raises(LookupError, match="no") as caught:
            taken.result(LIMIT)
        assert isinstance(caught.value, corps.RemoteError)
        assert caught.value.executed == "no"
        assert caught.value.elapsed is not None
        with pytest.raises(LookupError) as own:
            failing.result(LIMIT)
        assert isinstance(own.value, corps.RemoteError)
        assert own.value.executed == "yes"
    assert two.log.ret == []


def test_it_fails_as_soon_as_one_fails(way: Way) -> None:
    latch, one, two, other = way.create(Latch), way.create(Cook), way.create_far(Cook), way.create(Cook)
    later = other.make_later(latch, 1)
    taken = two.take(later, one.fail("soon"))
    with pytest.raises(LookupError, match="soon"):
        taken.result(LIMIT)
    latch.open().result(LIMIT)
    assert later.result(LIMIT) == 1


def test_a_failure_that_was_passed_on_is_not_logged_as_unheard(
    way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = way.create(Cook), way.create_far(Cook)
    with caplog.at_level(logging.WARNING):
        taken = two.take(one.fail("heard"))
        assert isinstance(taken.failure(LIMIT), LookupError)
        del taken
        gc.collect()
        two.make(1).result(LIMIT)
    assert "heard" not in caplog.text


def test_the_end_of_a_worker_fails_what_was_to_be_made_of_it(way: Way) -> None:
    latch, two = way.create(Latch), way.create_far(Cook)
    holder, _ = way.busy(latch)
    taken = two.take(holder.note(1))
    ended = holder.kill()
    with pytest.raises(corps.WorkerGone) as caught:
        taken.result(LIMIT)
    assert caught.value.executed == "no"
    ended.result(LIMIT)


def test_a_call_that_waits_for_its_arguments_can_be_cancelled(way: Way) -> None:
    latch, one, two = way.create(Latch), way.create(Cook), way.create_far(Cook)
    later = one.make_later(latch, 1)
    taken, other = two.take(later), two.take(later)
    assert taken.cancel()
    assert other.cancel(only_if="waiting")
    with pytest.raises(corps.Cancelled) as caught:
        taken.result(LIMIT)
    assert caught.value.executed == "no"
    latch.open().result(LIMIT)
    assert later.result(LIMIT) == 1  # that one goes on
    assert two.log.ret == []


def test_a_future_that_is_cancelled_cancels_the_call(way: Way) -> None:
    latch, one, two = way.create(Latch), way.create(Cook), way.create_far(Cook)
    later = one.make_later(latch, 1)
    taken = two.take(later)
    later.cancel()
    with pytest.raises(corps.Cancelled):
        taken.result(LIMIT)
    latch.open().result(LIMIT)
    assert two.log.ret == []


def test_its_deadline_counts_from_the_call(way: Way) -> None:
    latch, one, two = way.create(Latch), way.create(Cook), way.create_far(Cook)
    later = one.make_later(latch, 1)
    with pytest.raises(corps.DeadlineExceeded) as caught:
        two.options(deadline=0.05).take(later).result(LIMIT)
    assert caught.value.executed == "no"
    latch.open().result(LIMIT)
    assert later.result(LIMIT) == 1
    assert two.log.ret == []


def test_a_deadline_that_passes_before_the_request_is_sent_says_that_it_did_not_run() -> None:
    with corps.env() as env:
        cook = env.create(Cook)
        held = env._env.ask(CALL, cook._addr, "make", (1,), {}, 0.001, is_held=True)
        error = held.failure(LIMIT)
        assert isinstance(error, corps.DeadlineExceeded)
        assert error.executed == "no"


def test_what_cannot_be_packed_fails_the_call(way: Way) -> None:
    latch, one, two = way.create(Latch), way.create(Cook), way.create_far(Cook)
    later = one.make_later(latch, 1)
    taken = two.kinds(later, gc.collect, (each for each in "ab"))
    latch.open().result(LIMIT)
    if way.is_local:
        assert taken.result(LIMIT) == ["int", "builtin_function_or_method", "generator"]
    else:
        with pytest.raises(corps.PackError, match="generator"):
            taken.result(LIMIT)


def test_what_wants_no_answer_waits_too(way: Way) -> None:
    latch, one, two = way.create(Latch), way.create(Cook), way.create_far(Cook)
    later = one.make_later(latch, 1)
    two.take.send(later)
    two.take.send(one.make(2), key=later)
    latch.open().result(LIMIT)
    later.result(LIMIT)
    while len(log := two.log.ret) < 2:
        pass
    assert sorted(log, key=repr) == sorted([((1,), {}), ((2,), {"key": 1})], key=repr)


def test_coroutines_and_pinned_names_and_sends_without_an_answer_do_the_same(way: Way) -> None:
    latch, one, two = way.create(Latch), way.create(Cook), way.create_far(Cook)

    async def ask() -> Any:
        later = one.make_later(latch, 1)
        asked = asyncio.ensure_future(corps.asking(two.take_softly, later))
        pinned = two.pinned.take_softly(later)
        await latch.open()
        results = [await asked, await pinned, await corps.asking(two.take_softly, later)]
        await two.take.asend(one.make(2))
        return [*results, await two.take_again(one.make(3)), await two.pinned.take_again(one.make(4))]

    assert asyncio.run(ask()) == [1, 1, 1, 3, 4]
    while not two.log.ret:
        pass


def test_joined_futures_and_attributes_are_futures_as_well(way: Way) -> None:
    one, two = way.create(Cook), way.create_far(Cook)
    joined = corps.gather(one.make(1), two.make(2))
    assert two.take(joined, one.log).ret == [([1, 2], []), {}]


def test_a_future_inside_of_something_is_left_alone(way: Way) -> None:
    one, two = way.create(Cook), way.create_far(Cook)
    future = one.make(1)
    if way.is_local:
        assert two.take([future]).ret[0][0][0] is future
    else:
        with pytest.raises(corps.PackError, match="a Future cannot be packed"):
            two.take([future])
    assert future.ret == 1


def test_a_circle_through_an_argument_is_found(way: Way) -> None:
    one, two = way.create(Cook), way.create_far(Cook)
    with pytest.raises(corps.DeadlockError):
        one.circle(one, two).result(LIMIT)


def test_what_is_held_up_ends_with_its_worker(way: Way) -> None:
    latch, two = way.create(Latch), way.create_far(Cook)
    holder, held = way.busy(latch)
    taken = two.take(held)
    ended = two.exit()
    ended.result(LIMIT)
    latch.open().result(LIMIT)
    with pytest.raises(corps.WorkerGone) as caught:
        taken.result(LIMIT)
    assert caught.value.executed == "no"
    assert holder.log.ret == ["held"]


def test_an_env_that_closes_gives_up_what_waits_for_arguments() -> None:
    with corps.env(config={"exit_timeout": 0.2}) as env:
        latch, one, two = env.create(Latch), env.create(Cook), env.create(Cook)
        promise: corps.Promise[int] = corps.Promise()
        taken = two.take(one.make_later(latch, 1))
        latch.arrived().result(LIMIT)
        assert two.take(promise).ret[0][0] is promise  # what an author settles is no answer to a request
    assert isinstance(taken.failure(LIMIT), corps.CorpsError)


def test_many_calls_each_get_their_own_values(way: Way) -> None:
    one, two, holder = way.create(Cook), way.create_far(Cook), way.create(Holder)
    for n in range(0, 100, 2):  # two at a time, or this Env begins more threads than the leak check knows
        taken = [two.take(one.make(each), holder.note(-each)) for each in (n, n + 1)]
        assert [each.result(LIMIT)[0] for each in taken] == [(n, -n), (n + 1, -n - 1)]


def test_hundreds_that_wait_for_one_all_get_it() -> None:
    with corps.env() as env:
        latch, one, two = env.create(Latch), env.create(Cook), env.create(Cook)
        later = one.make_later(latch, 1)
        taken = [two.take_softly(later) for _ in range(300)]
        latch.open().result(LIMIT)
        assert [each.result(LIMIT) for each in taken] == [1] * 300


@corps.func
def doubled(value: int) -> int:
    return 2 * value


def test_names_of_any_and_functions_do_the_same(way: Way) -> None:
    one = way.create(Cook)
    group = corps.options().replicate(1, Cook)
    latch = way.create(Latch)
    later = one.make_later(latch, 1)
    taken = group.any.take(later)
    asked = doubled.ask(later)
    group.any.take.send(later)
    latch.open().result(LIMIT)
    assert taken.result(LIMIT) == [(1,), {}]
    assert asked.result(LIMIT) == doubled.ask(one.make(1)).result(LIMIT) == 2
    assert isinstance(group.any.take(one.fail("no")).failure(LIMIT), LookupError)
    while sum(len(each.log.ret) for each in group.names()) < 2:
        pass
