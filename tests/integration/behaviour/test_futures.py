"""Claims about one Future: its values, its waits, its callbacks and its cancelling, over every path."""

import asyncio
import concurrent.futures
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest

import corps
from corps.runtime.context import current
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Counter, Holder, Latch, Talker


@pytest.fixture
def latch(way: Way) -> corps.Name[Latch]:
    return way.create(Latch)


@pytest.fixture
def open_fifo(tmp_path: Path) -> tuple[str, Callable[[], None]]:
    """A pipe on which a method can hang outside of corps, and what lets it go."""
    path = str(tmp_path / "fifo")
    os.mkfifo(path)

    def let_go() -> None:
        with open(path, "w"):
            pass

    return path, let_go


def test_a_future_gives_the_same_value_again_and_again(way: Way) -> None:
    future = way.create(Counter).same([1, 2])
    assert future.ret is future.ret
    assert future.result() is future.ret
    assert future.result(timeout=0) == [1, 2]
    assert future.exception() is None


def test_a_future_is_running_until_it_is_done(way: Way, latch: corps.Name[Latch]) -> None:
    _, future = way.busy(latch)
    assert (future.done(), future.running(), future.cancelled()) == (False, True, False)
    latch.open().result()
    assert future.ret == "held"
    assert (future.done(), future.running(), future.cancelled()) == (True, False, False)


def test_a_wait_that_is_too_short_leaves_the_request_alone(way: Way, latch: corps.Name[Latch]) -> None:
    _, future = way.busy(latch)
    with pytest.raises(corps.WaitTimeout, match="still under way") as caught:
        future.result(timeout=0.001)
    assert isinstance(caught.value, TimeoutError)
    with pytest.raises(corps.WaitTimeout):
        future.exception(timeout=0.0)
    latch.open().result()
    assert future.result(timeout=30.0) == "held"


def test_many_threads_wait_for_one_future(way: Way, latch: corps.Name[Latch]) -> None:
    _, future = way.busy(latch)
    answers: list[str] = []
    ready = Barrier(9)

    def wait() -> None:
        ready.wait()
        answers.append(future.ret)

    threads = [Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    ready.wait()
    latch.open().result()
    for thread in threads:
        thread.join()
    assert answers == ["held"] * 8


def test_callbacks_are_called_once_with_the_future(way: Way, latch: corps.Name[Latch]) -> None:
    _, future = way.busy(latch)
    seen: list[Any] = []
    called = Event()
    future.add_done_callback(seen.append)
    future.add_done_callback(lambda _: called.set())
    latch.open().result()
    assert called.wait(20)
    assert seen == [future]
    future.add_done_callback(seen.append)
    assert seen == [future, future]


def test_a_callback_that_raises_is_logged_and_the_others_are_called(
    way: Way, latch: corps.Name[Latch], caplog: pytest.LogCaptureFixture
) -> None:
    _, future = way.busy(latch)
    called = Event()
    future.add_done_callback(lambda _: 1 / 0)
    future.add_done_callback(lambda _: called.set())
    with caplog.at_level(logging.ERROR, "corps.futures"):
        latch.open().result()
        assert called.wait(20)
        future.add_done_callback(lambda _: 1 / 0)
    assert [record.message for record in caplog.records] == ["a callback of a Future raised"] * 2
    assert future.ret == "held"


@pytest.mark.parametrize("method", ["hold", "hold_softly"])
def test_a_callback_that_ends_programs_ends_nothing(
    way: Way, latch: corps.Name[Latch], caplog: pytest.LogCaptureFixture, method: str
) -> None:
    holder = way.create(Holder)
    future = getattr(holder, method)(latch)
    called = Event()
    for kind in (SystemExit, asyncio.CancelledError, KeyboardInterrupt, GeneratorExit):
        future.add_done_callback(lambda _, kind=kind: (_ for _ in ()).throw(kind()))
    future.add_done_callback(lambda _: called.set())
    latch.arrived().result()
    with caplog.at_level(logging.CRITICAL, "corps.futures"):
        latch.open().result()
        assert called.wait(20)
    assert holder.note("still there").result(20) == "still there"
    assert holder.exit().exception(20) is None


def test_a_callback_is_not_the_worker_that_was_called(way: Way, latch: corps.Name[Latch]) -> None:
    holder, future = way.busy(latch)
    victim = way.create(Counter)
    seen: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def look(_: object) -> None:
        try:
            here = current.get()
            assert here is not None
            seen.set_result((here.cell, here.deadline, victim.exit(), _blocked(holder)))
        except BaseException as error:
            seen.set_exception(error)

    future.add_done_callback(look)
    latch.open().result()
    cell, deadline, ended, blocked = seen.result(20)
    assert (cell, deadline) == (None, None)
    assert ended.exception(20) is None
    assert blocked


def _blocked(holder: corps.Name[Holder]) -> bool:
    try:
        holder.note("from a callback").result(20)
    except corps.LoopBlocked:
        return True
    return False


def test_a_callback_may_ask_further_workers(way: Way) -> None:
    counter = way.create(Counter)
    further: concurrent.futures.Future[Any] = concurrent.futures.Future()
    counter.add(1).add_done_callback(lambda _: further.set_result(counter.add(1)))
    assert further.result(20).ret == 2


def test_a_queued_request_that_is_cancelled_never_begins(way: Way, latch: corps.Name[Latch]) -> None:
    holder, busy = way.busy(latch)
    queued = holder.note("unwanted")
    behind = holder.note("wanted")
    assert queued.cancel()
    assert queued.cancelled()
    assert queued.done()
    assert queued.cancel(), "cancelled once is cancelled"
    latch.open().result()
    assert behind.ret == "wanted"
    assert holder.log.ret == ["held", "wanted"]
    assert not busy.cancel()
    with pytest.raises(corps.Cancelled) as caught:
        queued.result()
    assert isinstance(caught.value, concurrent.futures.CancelledError)
    with pytest.raises(corps.Cancelled):
        queued.exception()
    assert caught.value.executed == ("no" if way.is_local else "unknown")


def test_a_running_coroutine_is_cancelled(way: Way, latch: corps.Name[Latch]) -> None:
    holder = way.create(Holder)
    future = holder.hold_softly(latch)
    latch.arrived().result()
    assert future.cancel()
    assert holder.note("next").ret == "next"
    assert holder.log.ret == ["cancelled", "next"]
    with pytest.raises(corps.Cancelled) as caught:
        future.result()
    assert caught.value.executed == "unknown"


def test_a_running_method_goes_on_and_its_answer_is_dropped(
    way: Way, latch: corps.Name[Latch], open_fifo: tuple[str, Callable[[], None]]
) -> None:
    fifo, let_go = open_fifo
    holder = way.create(Holder)
    future = holder.hold_hard(latch, fifo)
    latch.arrived().result()
    assert future.cancel()
    assert future.cancelled()
    let_go()
    assert holder.note("next").ret == "next"
    assert holder.log.ret == ["held hard", "next"]
    assert future.cancelled()


def test_a_future_that_is_done_cannot_be_cancelled(way: Way) -> None:
    future = way.create(Counter).add(1)
    assert future.ret == 1
    assert not future.cancel()
    assert not future.cancelled()


def test_a_coroutine_that_cancels_itself_has_failed_and_cancels_nothing_of_its_caller(way: Way) -> None:
    future = way.create(Quitter).quit()
    with pytest.raises(corps.RemoteError, match="CancelledError") as caught:
        future.result()
    assert type(caught.value) is corps.RemoteError
    assert not future.cancelled()


def test_a_future_is_awaited_on_a_loop_of_the_scripts_own(way: Way, latch: corps.Name[Latch]) -> None:
    counter = way.create(Counter)
    _, slow = way.busy(latch)

    async def script() -> list[Any]:
        first = await counter.add(1)
        waiting = asyncio.ensure_future(_await(slow))
        await asyncio.sleep(0)
        latch.open()
        several = await asyncio.gather(*(counter.add(1) for _ in range(3)))
        with pytest.raises(TypeError):
            await counter.add("x")
        return [first, await waiting, several, await slow]

    assert asyncio.run(script()) == [1, "held", [2, 3, 4], "held"]


def test_a_shielded_await_can_be_given_up_without_harm_to_the_request(
    way: Way, latch: corps.Name[Latch]
) -> None:
    _, slow = way.busy(latch)

    async def script() -> str:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await corps.shield(slow)
        assert not slow.done()
        await latch.open()
        result: str = await slow
        return result

    assert asyncio.run(script()) == "held"


def test_a_task_that_is_cancelled_cancels_what_it_awaits(way: Way, latch: corps.Name[Latch]) -> None:
    holder, _ = way.busy(latch)

    async def script() -> None:
        for wait in (_with_timeout, _with_wait_for, _in_task_group):
            queued = holder.note("unwanted")
            with pytest.raises(TimeoutError):
                await wait(queued)
            assert queued.cancelled()

    asyncio.run(script())
    behind = holder.note("wanted")
    latch.open().result()
    assert behind.ret == "wanted"
    assert holder.log.ret == ["held", "wanted"]


async def _with_timeout(future: corps.Future[Any]) -> None:
    async with asyncio.timeout(0.001):
        await future


async def _with_wait_for(future: corps.Future[Any]) -> None:
    await asyncio.wait_for(future, 0.001)


async def _in_task_group(future: corps.Future[Any]) -> None:
    async def fail() -> None:
        raise TimeoutError

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_once_begun(future))
            await asyncio.sleep(0)
            group.create_task(fail())
    except* TimeoutError as caught:
        error = caught.exceptions[0]
    raise error


async def _once_begun(future: corps.Future[Any]) -> None:
    await future


def test_a_request_that_is_cancelled_cancels_what_its_coroutine_awaits(
    way: Way, latch: corps.Name[Latch]
) -> None:
    asker, holder = way.create(Holder), way.create_far(Holder)
    outer = asker.ask_softly(holder, "hold_softly", latch)
    latch.arrived().result()
    assert outer.cancel()
    assert holder.note("next").result(20) == "next"
    assert holder.log.ret == ["cancelled", "next"]


def test_what_waits_can_be_taken_back_and_what_has_begun_goes_on(way: Way, latch: corps.Name[Latch]) -> None:
    holder, busy = way.busy(latch)
    queued, behind = holder.note("unwanted"), holder.note("wanted")
    assert not busy.cancel(only_if="waiting")
    # Between Envs the answer may come a moment later.
    assert queued.cancel(only_if="waiting") or not way.is_local
    with pytest.raises(corps.Cancelled) as caught:
        queued.result(20)
    assert caught.value.executed == "no"
    assert queued.cancelled()
    latch.open().result()
    assert (busy.ret, behind.ret) == ("held", "wanted")
    assert holder.log.ret == ["held", "wanted"]


def test_wrap_future_takes_it(way: Way, latch: corps.Name[Latch]) -> None:
    holder, _ = way.busy(latch)
    queued = holder.note("unwanted")

    async def script() -> None:
        counter = way.create(Counter)
        assert await asyncio.wrap_future(counter.add(3)) == 3
        with pytest.raises(TypeError):
            await asyncio.wrap_future(counter.add("x"))
        wrapped = asyncio.wrap_future(queued)
        wrapped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wrapped

    asyncio.run(script())
    assert queued.cancelled()
    latch.open().result()


def test_the_standard_librarys_functions_take_it(way: Way, latch: corps.Name[Latch]) -> None:
    counter = way.create(Counter)
    holder, slow = way.busy(latch)
    queued = holder.note("unwanted")
    futures = [counter.add(), counter.add("x"), slow, queued]
    done, not_done = concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED)
    assert done
    done, not_done = concurrent.futures.wait([slow], timeout=0.001)
    assert not_done == {slow}
    done, _ = concurrent.futures.wait(futures[1:], return_when=concurrent.futures.FIRST_EXCEPTION)
    assert futures[1] in done
    queued.cancel()
    arrived = concurrent.futures.as_completed(futures, timeout=30)
    first = {next(arrived), next(arrived), next(arrived)}
    assert first == {futures[0], futures[1], queued}
    latch.open().result()
    assert list(arrived) == [slow]


def test_a_future_is_awaited_inside_async_methods(way: Way) -> None:
    counter, talker = way.create_far(Counter, 5), way.create(Holder)
    assert talker.ask_softly(counter, "add", 2).ret == 7
    with pytest.raises(TypeError):
        talker.ask_softly(counter, "add", "x").result()


def test_a_blocking_wait_in_an_async_method_is_refused(way: Way, latch: corps.Name[Latch]) -> None:
    talker = way.create_far(Talker)
    with pytest.raises(corps.LoopBlocked, match="await future"):
        talker.block_the_loop(latch).result()
    assert talker.later(1).ret == 1
    latch.open().result()


def test_a_future_says_what_it_is(way: Way, latch: corps.Name[Latch]) -> None:
    counter = way.create(Counter)
    holder, slow = way.busy(latch)
    queued = holder.note(1)
    assert repr(slow).startswith("<Future of 'hold' of ")
    assert repr(slow).endswith(", under way>")
    queued.cancel()
    assert repr(queued) == "<Future, cancelled>"
    good, bad = counter.add(), counter.add("x")
    corps.wait_all([good, bad])
    assert repr(good) == "<Future, done>"
    assert repr(bad) == "<Future, failed>"
    latch.open().result()


def test_only_the_runtime_settles_it(way: Way) -> None:
    future = way.create(Counter).add()
    with pytest.raises(concurrent.futures.InvalidStateError):
        future.set_result(3)
    with pytest.raises(concurrent.futures.InvalidStateError):
        future.set_exception(ValueError())
    with pytest.raises(concurrent.futures.InvalidStateError):
        future.set_running_or_notify_cancel()
    assert future.ret == 1


def test_a_future_cannot_be_sent_and_says_what_to_do(way: Way) -> None:
    counter = way.create(Counter)
    future = counter.add()
    with pytest.raises(corps.PackError, match=r"future\.ret"):
        pickle.dumps(future)
    if not way.is_local:
        with pytest.raises(corps.PackError, match="a Future cannot be packed"):
            counter.same({"it": future})
    assert future.ret == 1


def test_a_future_nobody_waits_for_is_forgotten_in_peace(way: Way) -> None:
    counter = way.create(Counter)
    for _ in range(100):
        counter.add()
    assert counter.add(0).ret == 100


class Quitter(corps.Conc):
    async def quit(self) -> None:
        raise asyncio.CancelledError


async def _await(future: "corps.Future[Any]") -> Any:
    return await future
