"""Claims about answers that are not the worker's own, or not yet: Futures that are returned, and Promises."""

import asyncio
import concurrent.futures
import gc
import threading
from typing import Any, ClassVar

import pytest

import corps
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Counter, Holder, Latch, Talker


class Front(corps.Conc):
    """Answers with what others answer."""

    def __init__(self) -> None:
        self._promises: dict[str, corps.Promise[Any]] = {}

    def relay(self, other: corps.Name[Any], method: str, *args: Any) -> Any:
        return getattr(other, method)(*args)

    async def relay_softly(self, other: corps.Name[Any], method: str, *args: Any) -> Any:
        return getattr(other, method)(*args)

    def relay_all(self, others: list[corps.Name[Any]], method: str) -> Any:
        return corps.gather([getattr(other, method)() for other in others])

    def relay_later(self, other: corps.Name[Any], method: str, latch: corps.Name[Latch]) -> Any:
        latch.wait().result()
        return getattr(other, method)()

    def compute(self, n: int) -> Any:
        future: concurrent.futures.Future[int] = concurrent.futures.Future()
        threading.Thread(target=lambda: future.set_result(n * n)).start()
        return future

    def later(self, key: str) -> Any:
        if key not in self._promises:
            self._promises[key] = corps.Promise()
        return self._promises[key]

    async def later_softly(self, key: str) -> Any:
        return self.later(key)

    def settle(self, key: str, value: Any) -> bool:
        self._promises[key].set_result(value)
        return True

    def fail(self, key: str) -> None:
        self._promises[key].set_exception(LookupError("not found"))

    def settle_elsewhere(self, other: corps.Name["Front"], key: str, value: Any) -> Any:
        return other.settle_given(self._promises[key], value)

    def settle_given(self, promise: Any, value: Any) -> bool:
        promise.set_result(value)
        return True

    def forget(self) -> None:
        self._promises.clear()
        gc.collect()

    def present(self) -> str:
        return "present"


class Asker(corps.Conc):
    def ask(self, front: corps.Name[Front], latch: corps.Name[Latch]) -> Any:
        return front.relay_later(self.my_name(), "present", latch).ret

    def present(self) -> str:
        return "present"


class Stepping(Front):
    """Its steps see the request when the method has returned."""

    keep_every: ClassVar[float] = 0.0

    def after(self, request: corps.Request, outcome: corps.Outcome) -> corps.Outcome | None:
        return None


class Answering(corps.Conc):
    def __init__(self, other: corps.Name[Any]) -> None:
        self._other = other

    def main(self) -> None:
        while (request := self.receive()) is not None:
            request.answer(self._other.add())

    def add(self) -> int:
        raise AssertionError("main answers")


@pytest.fixture
def latch(way: Way) -> corps.Name[Latch]:
    return way.create(Latch)


@pytest.mark.parametrize("method", ["relay", "relay_softly"])
@pytest.mark.parametrize("cls", [Front, Stepping])
def test_a_future_that_is_returned_gives_the_answer(way: Way, method: str, cls: type[Front]) -> None:
    front, counter = way.create(cls), way.create_far(Counter)
    assert getattr(front, method)(counter, "add", 3).ret == 3
    with pytest.raises(TypeError):
        getattr(front, method)(counter, "add", "x").result()
    twice = getattr(way.create(cls), method)(front, "relay", counter, "add")
    assert twice.ret == 4


def test_the_worker_goes_on_while_its_answer_is_another_ones(way: Way, latch: corps.Name[Latch]) -> None:
    front, holder = way.create(Front), way.create_far(Holder)
    answer = front.relay(holder, "hold", latch)
    latch.arrived().result()
    assert front.present().ret == "present"
    assert not answer.done()
    latch.open().result()
    assert answer.ret == "held"


def test_what_is_returned_may_be_any_future(way: Way) -> None:
    front, counters = way.create(Front), [way.create_far(Counter, n) for n in (1, 2)]
    assert front.relay_all(counters, "add").ret == [2, 3]
    assert front.compute(7).ret == 49
    talker = way.create_far(Talker)
    assert list(front.relay(talker, "count", 3).ret) == [0, 1, 2]
    counter = way.create_far(Counter, 5)
    assert way.create(Answering, counter).add().ret == 6


def test_cancelling_a_relayed_request_cancels_what_it_waits_for(way: Way, latch: corps.Name[Latch]) -> None:
    front, holder = way.create(Front), way.create_far(Holder)
    answer = front.relay(holder, "hold_softly", latch)
    latch.arrived().result()
    assert answer.cancel()
    assert holder.note("next").result(20) == "next"
    assert holder.log.ret == ["cancelled", "next"]


def test_a_circle_of_waits_is_seen_through_a_relayed_answer(way: Way, latch: corps.Name[Latch]) -> None:
    front, asker = way.create(Front), way.create_far(Asker)
    circle = asker.ask(front, latch)
    latch.open().result()
    with pytest.raises(corps.DeadlockError):
        circle.result(30)
    assert asker.present().ret == "present"


@pytest.mark.parametrize("method", ["later", "later_softly"])
def test_a_promise_is_settled_by_another_method_for_all_who_wait(way: Way, method: str) -> None:
    front = way.create(Front)
    waiting = [getattr(front, method)("a") for _ in range(3)]
    assert front.present().ret == "present"
    assert not any(future.done() for future in waiting)
    assert front.settle("a", [1, 2]).ret
    assert [future.result(20) for future in waiting] == [[1, 2]] * 3
    assert front.later("a").ret == [1, 2]


def test_a_promise_fails_as_the_method_would(way: Way) -> None:
    front = way.create(Front)
    waiting = front.later("a")
    front.fail("a").result()
    with pytest.raises(LookupError, match="not found"):
        waiting.result(20)


def test_a_promise_is_settled_once(way: Way) -> None:
    front = way.create(Front)
    waiting = front.later("a")
    front.settle("a", 1).result()
    with pytest.raises(corps.AlreadySettled):
        front.settle("a", 2).result()
    with pytest.raises(concurrent.futures.InvalidStateError):
        front.fail("a").result()
    assert waiting.ret == 1


def test_another_worker_of_its_process_may_settle_a_promise(way: Way) -> None:
    front, other = way.create(Front), way.create(Front)
    waiting = front.later("a")
    assert front.settle_elsewhere(other, "a", 7).ret
    assert waiting.result(20) == 7


def test_a_promise_that_nobody_can_settle_any_more_fails_those_who_wait(way: Way) -> None:
    front = way.create(Front)
    waiting = front.later("a")
    assert front.present().ret == "present"
    front.forget().result()
    with pytest.raises(corps.BrokenPromise, match="Front"):
        waiting.result(20)
    again = front.later("b")
    assert front.present().ret == "present"
    front.exit().result()
    with pytest.raises(corps.BrokenPromise):
        _collected(again)


def _collected(waiting: corps.Future[Any]) -> None:
    gc.collect()
    waiting.result(20)


def test_callers_who_give_up_leave_a_promise_as_it_is(way: Way) -> None:
    front = way.create(Front)
    others = front.later("a")
    with pytest.raises(corps.DeadlineExceeded):
        front.options(deadline=0.05).later("a").result(20)
    assert front.later("a").cancel()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(front.later("a"), 0.01)

    asyncio.run(give_up())
    assert front.settle("a", 1).ret
    assert others.ret == 1
