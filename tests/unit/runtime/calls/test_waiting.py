"""Claims about waiting for many Futures, mostly without any Env."""

import concurrent.futures
import random
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corps
from corps.errors import Cancelled, WaitTimeout
from corps.messages.outcomes import Raised, Refused, Value
from corps.runtime.calls.futures import Future
from corps.runtime.calls.waiting import as_completed, gather, wait_all, wait_any
from corps.settings import Settings
from corps.testing.memory_corps import memory_corps


def some(number: int) -> "list[Future[Any]]":
    return [Future() for _ in range(number)]


def undone(futures: "list[Future[Any]]") -> int:
    return sum(len(future._callbacks or ()) for future in futures)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.permutations(range(n)), st.integers(0, n))))
def test_as_completed_follows_the_order_of_completion(plan: tuple[list[int], int]) -> None:
    order, before = plan
    futures = some(len(order))
    early = order[:before]
    for place in early:
        futures[place].settle(Value(place))
    iterator = as_completed(futures + futures)
    for place in order[before:]:
        futures[place].settle(Value(place))
    # What was done before has no order of its own; what came later follows in the order in which it came.
    assert [future.result() for future in iterator] == sorted(early) + order[before:]
    assert undone(futures) == 0


def test_wait_any_of_done_ones_gives_the_first_that_was_given() -> None:
    futures = some(3)
    futures[2].settle(Value(2))
    futures[1].settle(Value(1))
    assert wait_any(futures) is futures[1]
    assert wait_any(reversed(futures)) is futures[2]
    assert undone(futures) == 0


def test_waits_that_end_too_early_can_be_repeated_and_leave_nothing() -> None:
    futures = some(3)
    for _ in range(3):
        with pytest.raises(WaitTimeout):
            wait_any(futures, timeout=0.0)
        with pytest.raises(WaitTimeout, match="3 of 3"):
            wait_all(futures, timeout=0.0)
        with pytest.raises(WaitTimeout):
            list(as_completed(futures, timeout=0.0))
    assert undone(futures) == 0


def test_wait_all_is_over_when_the_last_one_is_done() -> None:
    futures = some(3)
    futures[0].settle(Value(0))
    futures[1].cancel()
    with pytest.raises(WaitTimeout, match="1 of 3"):
        wait_all(futures, timeout=0.0)
    futures[2].settle(Raised.capture(ValueError("x"), None))
    assert wait_all(futures, timeout=0.0) == futures


class Waiter(corps.Conc):
    def wait(self) -> int:
        """Wait for two, both of which are done while it is looked for a cycle of workers that wait."""
        futures = some(2)
        graph = self._corps_cell.env.waits

        def probe(_: Any) -> None:
            for future in futures:
                future.settle(Value(1))

        graph.probe = probe  # type: ignore[method-assign,assignment]
        return sum(future.result() for future in wait_all(futures))


def test_what_is_done_while_a_deadlock_is_searched_for_ends_the_wait() -> None:
    """Was a defect: nobody was woken between the two halves of the wait."""
    with memory_corps(1, settings=Settings(deadlock_probe=0.01)) as (one,):
        assert one.create(Waiter).wait().result(30.0) == 2


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(5)), st.sets(st.integers(0, 4)))
def test_gather_gives_all_values_or_the_first_failure(order: list[int], failing: set[int]) -> None:
    futures = some(5)
    joined = gather(*futures)
    first = next((place for place in order if place in failing), None)
    for place in order:
        assert joined.done() == (first is not None and futures[first].done())
        failure = Raised.capture(LookupError(place), None)
        futures[place].settle(failure if place in failing else Value(place))
    if first is None:
        assert joined.result() == list(range(5))
    else:
        error = joined.exception()
        assert isinstance(error, LookupError)
        assert str(error) == str(first)


def test_a_gathered_cancellation_is_one() -> None:
    futures = some(2)
    joined = gather(*futures)
    futures[1].cancel()
    assert joined.cancelled()
    with pytest.raises(Cancelled):
        joined.exception()


def test_ten_thousand_completions_are_one_callback_each() -> None:
    futures = some(10_000)
    iterator = as_completed(futures)
    assert undone(futures) == 10_000
    order = random.Random(1).sample(range(10_000), 10_000)
    for place in order:
        futures[place].settle(Value(place))
    assert [future.result() for future in iterator] == order


def test_refusals_count_as_done() -> None:
    (future,) = some(1)
    future.settle(Refused(Cancelled("no")))
    assert wait_any([future]) is future


def test_futures_are_given_one_by_one_or_as_an_iterable() -> None:
    futures = some(2)
    for place, future in enumerate(futures):
        future.settle(Value(place))
    for iterable in (futures, tuple(futures), iter(futures), dict.fromkeys(futures)):
        assert gather(iterable).ret == [0, 1]
    assert gather(*futures).ret == gather(futures).ret == [0, 1]
    assert wait_any(*futures, timeout=0.0) is wait_any(iter(futures), 0.0) is futures[0]
    assert wait_all(*futures) == wait_all(iter(futures), 0) == futures
    assert set(as_completed(*futures)) == set(as_completed(iter(futures), timeout=0.0)) == set(futures)
    assert gather([]).ret == gather().ret == wait_all([]) == list(as_completed([])) == []


def test_futures_of_other_executors_are_waited_for_and_given_back() -> None:
    other: concurrent.futures.Future[str] = concurrent.futures.Future()
    failed: concurrent.futures.Future[str] = concurrent.futures.Future()
    [mine] = some(1)
    with pytest.raises(WaitTimeout, match="2 of 2"):
        wait_all(other, mine, timeout=0.0)
    joined = gather(other, mine)
    other.set_result("other")
    assert wait_any(other, mine) is other
    mine.settle(Value("mine"))
    assert joined.ret == ["other", "mine"]
    failed.set_exception(LookupError("failed"))
    assert set(as_completed(other, failed, mine)) == {other, failed, mine}
    assert wait_all(failed) == [failed]
    with pytest.raises(LookupError, match="failed"):
        gather(failed, mine).result()
    assert isinstance(gather(failed).exception(), LookupError)


def test_a_cancelled_future_of_another_executor_cancels_what_joins_it() -> None:
    other: concurrent.futures.Future[str] = concurrent.futures.Future()
    other.cancel()
    with pytest.raises(Cancelled, match="was cancelled"):
        gather(other).result()


@pytest.mark.parametrize("function", [wait_any, wait_all, as_completed, gather])
@pytest.mark.parametrize("wrong", [3, [3], None, "ab", object()])
def test_what_is_no_future_is_refused_at_once(function: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"{function.__name__} got .* it takes Futures, or one iterable of"):
        function(wrong)


@pytest.mark.parametrize("wrong", [3, 0.5, True])
def test_gather_has_no_time_limit_and_takes_no_number_for_one(wrong: Any) -> None:
    future: Future[int] = Future()
    for futures in ((future, wrong), ([future], wrong)):
        with pytest.raises(TypeError, match=r"gather got .* it takes Futures, or one iterable of them"):
            gather(*futures)


def test_what_only_asyncio_can_wait_for_is_refused_with_advice() -> None:
    async def soft() -> None: ...

    coroutine = soft()
    with pytest.raises(TypeError, match="can only be awaited is for asyncio"):
        gather(coroutine)  # type: ignore[call-overload]  # that is what is tested
    coroutine.close()


def test_as_completed_keeps_nothing_that_it_has_given() -> None:
    class Result:
        pass

    def futures() -> Iterator[Future[Result]]:
        for _ in range(3):
            future: Future[Result] = Future()
            future.settle(Value(Result()))
            yield future

    seen: list[weakref.ref[Result]] = []
    for future in as_completed(futures()):
        assert [each for each in seen if each() is not None] == []
        seen.append(weakref.ref(future.ret))
        del future
    assert len(seen) == 3
