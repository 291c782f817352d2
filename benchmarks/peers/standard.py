"""What the standard library has: objects of a manager's process, a pipe, and a pool of processes."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing.managers import BaseManager
from typing import Any

from benchmarks.cases import (
    BOOT_2,
    BOOT_8,
    CALL,
    MAP_BUSY,
    MAP_TRIVIAL,
    N_ONE_WAY,
    N_PROCESSES,
    ONE_WAY,
    SUBMIT,
    in_flight,
)
from benchmarks.parallel import add, busy, whole
from benchmarks.processes import served
from benchmarks.timing import Works, each, shared
from benchmarks.workers import burn
from benchmarks.works import calls, cpu_map, creation, echoes


class Counter:
    """Adds."""

    def __init__(self) -> None:
        self.value = 0

    def add(self, n: int) -> int:
        """Add `n`."""
        self.value += n
        return self.value

    def echo(self, value: Any) -> Any:
        """Give back what came."""
        return value


class _Manager(BaseManager):
    """Has counters in its process."""


_Manager.register("Counter", Counter)


@contextmanager
def manager(share: float) -> Iterator[Works]:
    """An object in the process of a manager. A caller waits for each answer."""
    with _Manager() as started:
        create: Any = vars(type(started))["Counter"].__get__(started)
        counter = create()
        yield {
            **calls(lambda: counter.add(1), takes_threads=True),
            **creation(create),
            **echoes(counter.echo),
        }


@contextmanager
def pipe(share: float) -> Iterator[Works]:
    """Plain messages through a pipe to another process, which adds; packed by the pipe itself."""
    ours, theirs = multiprocessing.Pipe()

    def serve(tell: Callable[[Any], None]) -> None:
        ours.close()
        tell("ready")
        counter = Counter()
        while True:
            wants_answer, n = theirs.recv()
            value = counter.add(n)
            if wants_answer:
                theirs.send(value)

    with ours, served(serve):
        theirs.close()

        def call() -> None:
            ours.send((True, 1))
            ours.recv()

        def many() -> None:
            for _ in range(100):
                ours.send((True, 1))
            for _ in range(100):
                ours.recv()

        def one_way() -> None:
            for _ in range(N_ONE_WAY - 1):
                ours.send((False, 1))
            call()

        yield {
            CALL: each(call),
            in_flight(100): shared(each(many), 100),
            ONE_WAY: shared(each(one_way), N_ONE_WAY),
        }


def _add(n: int) -> int:
    return n + 1


def _echo(value: Any) -> Any:
    return value


@contextmanager
def pool(share: float) -> Iterator[Works]:
    """Functions in one process; the map in two."""
    with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(2) as two:
        list(two.map(_add, range(4)))
        yield {
            **calls(
                lambda: one.submit(_add, 1).result(),
                lambda number: wait([one.submit(_add, 1) for _ in range(number)]),
                takes_threads=True,
            ),
            **cpu_map(lambda number: list(two.map(burn, range(number)))),
            **echoes(lambda value: one.submit(_echo, value).result()),
        }


@contextmanager
def parallel(share: float, size: int) -> Iterator[Works]:
    """Maps in chunks of one size; single tasks where that is 1."""
    with ProcessPoolExecutor(N_PROCESSES) as two:
        list(two.map(add, range(4)))
        works = {
            MAP_TRIVIAL: whole(lambda number: list(two.map(add, range(number), chunksize=size))),
            MAP_BUSY: whole(lambda number: list(two.map(busy, range(number), chunksize=min(size, 8)))),
        }
        yield works if size > 1 else {**works, SUBMIT: each(lambda: two.submit(add, 1).result())}


@contextmanager
def boot_of_pools(share: float) -> Iterator[Works]:
    """Pools, one after the other, until each of their processes must have had a task."""

    def once(processes: int) -> ProcessPoolExecutor:
        started = ProcessPoolExecutor(processes)
        list(started.map(_add, range(processes)))
        return started

    def stop(pools: list[ProcessPoolExecutor]) -> None:
        for each_pool in pools:
            each_pool.shutdown()

    yield {BOOT_2: each(lambda: once(2), after=stop), BOOT_8: each(lambda: once(8), after=stop)}
