"""xoscar: actors in a pool of processes, called from coroutines."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import xoscar
from xoscar.backends.allocate_strategy import ProcessIndex

from benchmarks.cases import (
    BOOT_2,
    N_FAN_OUT,
    N_ONE_WAY,
    ONE_WAY,
    SCRIPT,
    TIMED,
    WORKER_TO_WORKER,
    in_flight,
)
from benchmarks.core import LIMIT
from benchmarks.timing import Effort, Timer, Works, each_coroutine, shared, timed
from benchmarks.works import calls, creation, echoes, fan_out


class Worker(xoscar.Actor):
    """Does what is measured."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 0

    def add(self, n: int) -> int:
        """Add `n`."""
        self.value += n
        return self.value

    def echo(self, value: Any) -> Any:
        """Give back what came."""
        return value

    async def call(self, other: Any, effort: Effort) -> list[float]:
        """Measure calls of another worker, from within this one."""
        return await timed(lambda: other.add(1), effort)

    async def run(self, measuring: Coroutine[Any, Any, list[float]]) -> list[float]:
        """Measure from within this one, in the process of the caller."""
        return await measuring


async def _pool(processes: int) -> Any:
    pool = await xoscar.create_actor_pool("127.0.0.1", n_process=processes)
    await pool.start()
    return pool


async def _create(pool: Any, process: int) -> Any:
    created = await xoscar.create_actor(
        Worker, address=pool.external_address, allocate_strategy=ProcessIndex(process)
    )
    # Asked for again, a reference to an actor of this very process is a direct one: 3 µs per call, not 85.
    return created if process else await xoscar.actor_ref(created)


async def _all(coroutines: list[Any]) -> None:
    await asyncio.gather(*coroutines)


async def _destroy(workers: list[Any]) -> None:
    await _all([xoscar.destroy_actor(worker) for worker in workers])


@contextmanager
def _opened(processes: int) -> Iterator[tuple[asyncio.Runner, Any]]:
    with asyncio.Runner() as runner:
        pool = runner.run(_pool(processes))
        try:
            yield runner, pool
        finally:
            runner.run(pool.stop())


def _works(runner: asyncio.Runner, pool: Any, process: int) -> Works:
    timer = each_coroutine(runner.run)
    create = partial(_create, pool, process)
    worker = runner.run(create())
    workers = [runner.run(create()) for _ in range(N_FAN_OUT)]
    return {
        **calls(
            lambda: worker.add(1), lambda number: _all([worker.add(1) for _ in range(number)]), timer=timer
        ),
        **_one_way(worker, timer),
        **fan_out(lambda times: _all([each.add(1) for _ in range(times) for each in workers]), timer=timer),
        **creation(create, after=_destroy, timer=timer),
    }


def _one_way(worker: Any, timer: Timer) -> Works:
    async def send() -> None:
        for _ in range(N_ONE_WAY):
            await worker.add.tell(1)
        await worker.add(1)

    return {ONE_WAY: shared(timer(send), N_ONE_WAY)}


@contextmanager
def between_actors(share: float) -> Iterator[Works]:
    """An actor that is called by another one of its process, and by the script."""
    with _opened(0) as (runner, pool):
        worker, caller = runner.run(_create(pool, 0)), runner.run(_create(pool, 0))
        timer = each_coroutine(lambda coroutine: runner.run(_awaited(caller.run(coroutine))))
        yield {
            WORKER_TO_WORKER: timer(lambda: worker.add(1)),
            SCRIPT: each_coroutine(runner.run)(lambda: worker.add(1)),
            TIMED: timer(lambda: asyncio.wait_for(worker.add(1), LIMIT)),
            in_flight(100): shared(timer(lambda: _all([worker.add(1) for _ in range(100)])), 100),
            **_one_way(worker, timer),
        }


@contextmanager
def in_one_process(share: float) -> Iterator[Works]:
    """Actors in the process of the caller."""
    with _opened(0) as (runner, pool):
        yield _works(runner, pool, 0)


@contextmanager
def between_processes(share: float) -> Iterator[Works]:
    """Actors in processes of the pool."""
    with _opened(2) as (runner, pool):
        first, second = (runner.run(_create(pool, process)) for process in (1, 2))
        yield {
            **_works(runner, pool, 1),
            **echoes(first.echo, timer=each_coroutine(runner.run)),
            WORKER_TO_WORKER: lambda effort: runner.run(_awaited(first.call(second, effort))),
        }


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


@contextmanager
def boot(share: float) -> Iterator[Works]:
    """Pools of two processes, one after the other."""
    with asyncio.Runner() as runner:

        async def once() -> Any:
            pool = await _pool(2)
            workers = [await _create(pool, process) for process in (1, 2)]
            await _all([worker.add(1) for worker in workers])
            return pool

        async def stop(pools: list[Any]) -> None:
            for pool in pools:
                await pool.stop()

        yield {BOOT_2: each_coroutine(runner.run)(once, after=stop)}
