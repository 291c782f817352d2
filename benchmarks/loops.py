"""Calls from event loops: one after the other, and by a thousand coroutines at once."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import corps
from benchmarks.cases import AWAIT, AWAIT_MANY, LOOPS, N_COROUTINES, Subject
from benchmarks.ours import CORPS
from benchmarks.timing import Effort, Works, each_coroutine, shared, timed
from benchmarks.workers import Worker

TWO_LOOPS: Final = "two loops, call_soon_threadsafe"


async def _at_once(one: Callable[[], Awaitable[object]], number: int) -> None:
    async def alone() -> None:
        await one()

    await asyncio.gather(*[alone() for _ in range(number)])


class Awaiter(corps.Conc):
    """Awaits another worker."""

    def __init__(self, other: "corps.Name[Worker]") -> None:
        self.other = other

    async def one_by_one(self, effort: Effort) -> list[float]:
        """Await one call after the other."""
        return await timed(lambda: self.other.add(1), effort)

    async def at_once(self, effort: Effort) -> list[float]:
        """Await many calls in as many coroutines; a sample is the time of all, shared among them."""
        batches = Effort(max(1, effort.operations // N_COROUTINES), effort.seconds)
        samples = await timed(lambda: _at_once(lambda: self.other.add(1), N_COROUTINES), batches)
        return [sample / N_COROUTINES for sample in samples]


@contextmanager
def in_one_env(share: float) -> Iterator[Works]:
    """A coroutine of an Env that awaits a worker beside it."""
    with corps.env() as env:
        awaiter = env.create(Awaiter, env.create(Worker))
        yield {
            AWAIT: lambda effort: awaiter.one_by_one(effort).ret,
            AWAIT_MANY: lambda effort: awaiter.at_once(effort).ret,
        }


@contextmanager
def two_loops(share: float) -> Iterator[Works]:
    """A callback on the loop of another thread, and one back."""
    with asyncio.Runner() as runner:
        here, there = runner.get_loop(), asyncio.new_event_loop()
        thread = threading.Thread(target=there.run_forever)
        thread.start()

        def settle(future: "asyncio.Future[None]") -> None:
            here.call_soon_threadsafe(future.set_result, None)

        def ask() -> "asyncio.Future[None]":
            future = here.create_future()
            there.call_soon_threadsafe(settle, future)
            return future

        timer = each_coroutine(runner.run)
        try:
            yield {
                AWAIT: timer(ask),
                AWAIT_MANY: shared(timer(lambda: _at_once(ask, N_COROUTINES)), N_COROUTINES),
            }
        finally:
            there.call_soon_threadsafe(there.stop)
            thread.join()
            there.close()


SUBJECTS: Final = (
    Subject(LOOPS, TWO_LOOPS, "floor", two_loops),
    Subject(LOOPS, CORPS, "corps", in_one_env),
)
