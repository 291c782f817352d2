"""corps as it grows: boots, many workers, many Envs, memory, and a million calls."""

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from time import perf_counter
from typing import Any, Final

import corps
from benchmarks.cases import (
    AMONG,
    AMONG_ENVS,
    BESIDE,
    BESIDE_ENVS,
    BOOT,
    BOOT_2,
    BOOT_8,
    CREATE_MILLION,
    GROWTH,
    IDLE,
    IDLE_OF_MILLION,
    IMPORT,
    MEMORY,
    MILLION,
    N_IDLE,
    N_MILLION,
    PROPORTIONAL,
    RESIDENT,
    SOAK,
    SOAK_CALLS,
    SOAK_MEMORY,
    Subject,
)
from benchmarks.ours import CORPS
from benchmarks.timing import Effort, Measure, Works, each, shared
from benchmarks.workers import App, Worker, resident

WORKERS: Final = {"10 workers": 10, "1 000 workers": 1000, "100 000 workers": 100_000}
ENVS: Final = {"1 Env": 1, "8 Envs": 8, "64 Envs": 64}
FEW_WORKERS, _, MANY_WORKERS = WORKERS
FEW_ENVS, _, MANY_ENVS = ENVS
ENV: Final = "corps, an Env of 2"
IN_ONE: Final = "corps, in one process"
BETWEEN_TWO: Final = "corps, between two processes"

_AT_ONCE: Final = 1000  # workers that are created without waiting: fewer than a mailbox holds


def create_workers(options: corps.Options, number: int) -> list[Any]:
    """Create many workers.

    Args:
        options: Where.
        number: How many.

    Returns:
        Their Names.
    """
    return [
        name
        for done in range(0, number, _AT_ONCE)
        for name in options.create_many(min(_AT_ONCE, number - done), Worker)
    ]


def _boot(envs: int) -> Any:
    """Boot, and have an answer from each Env."""
    app = corps.boot(App, envs=envs)
    corps.gather(*[worker.add(1) for worker in app.names().ret]).result()
    return app


def _exit_all(apps: list[Any]) -> None:
    for app in apps:
        app.exit().result()


def _import(effort: Effort) -> list[float]:
    """How long a fresh interpreter takes for it, without its own start."""
    code = (
        "import time; begin = time.perf_counter(); import corps; "
        "corps.Conc, corps.Corps, corps.boot, corps.env; print(time.perf_counter() - begin)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [float(done.stdout)]


@contextmanager
def boots(share: float) -> Iterator[Works]:
    """Whole Corps, one after the other."""
    yield {
        IMPORT: _import,
        BOOT_2: each(partial(_boot, 2), after=_exit_all),
        BOOT_8: each(partial(_boot, 8), after=_exit_all),
    }


def _calls_of_one_and_of_all(workers: list[Any]) -> tuple[Measure, Measure]:
    """Calls of one worker, and of all of them in an order that no cache likes; all have been called before.

    What a first call makes (a method of the Name, a link to the Env) is no cost of there being many. That
    each worker's memory has left the caches of the processor until its turn comes again, is one.
    """
    for worker in workers:
        worker.add(1).result()
    one = workers[len(workers) // 2]
    shuffled = list(workers)
    random.Random(1).shuffle(shuffled)
    turn = cycle(shuffled)
    return each(lambda: one.add(1).ret), each(lambda: next(turn).add(1).ret)


@contextmanager
def among_workers(number: int, share: float) -> Iterator[Works]:
    """Many workers in one Env of this process."""
    with corps.env() as env:
        beside, among = _calls_of_one_and_of_all(create_workers(env.options(), max(10, int(number * share))))
        yield {BESIDE: beside, AMONG: among}


@contextmanager
def among_envs(number: int, share: float) -> Iterator[Works]:
    """A worker in each of many Envs."""
    with corps.boot(App, envs=max(1, int(number * share))) as app:
        beside, among = _calls_of_one_and_of_all(app.names().ret)
        yield {BESIDE_ENVS: beside, AMONG_ENVS: among}


@contextmanager
def idle_workers(share: float) -> Iterator[Works]:
    """How much memory workers take, with their Names, in a process that has had none."""
    number = max(1000, int(N_IDLE * share))

    def measure(effort: Effort) -> list[float]:
        kept = create_workers(env.options(), 100)
        before = resident()
        kept.extend(create_workers(env.options(), number))
        return [(resident() - before) / number]

    with corps.env() as env:
        yield {IDLE: measure}


@contextmanager
def million_workers(share: float) -> Iterator[Works]:
    """How much memory a million workers take, and how long all of them took to be created."""
    number = max(1000, int(N_MILLION * share))
    seconds: list[float] = []

    def memory(effort: Effort) -> list[float]:
        before, begin = resident(), perf_counter()
        kept = create_workers(env.options(), number)
        seconds.append(perf_counter() - begin)
        return [(resident() - before) / len(kept)]

    with corps.env(config={"shutdown_timeout": 100}) as env:
        create_workers(env.options(), 100)
        yield {IDLE_OF_MILLION: memory, CREATE_MILLION: lambda effort: seconds}


@contextmanager
def env_memory(share: float) -> Iterator[Works]:
    """How much memory Envs take that have answered one call."""

    def told_by(index: int) -> Measure:
        return lambda effort: [float(worker.memory().ret[index]) for worker in workers]

    with corps.boot(App, envs=2) as app:
        workers = app.names().ret
        yield {RESIDENT: told_by(0), PROPORTIONAL: told_by(1)}


def _memory_over_calls(worker: Any, all_resident: Callable[[], int]) -> Measure:
    """Calls, 100 at a time, and after each hundredth of them all the memory of all processes."""

    def measure(effort: Effort) -> list[float]:
        samples = []
        batches = effort.operations // 100
        points = min(100, batches)
        for _ in range(points):
            for _ in range(batches // points):
                corps.wait_all([worker.add(1) for _ in range(100)])
            samples.append(float(all_resident()))
        return samples

    return measure


def _soak_works(worker: Any, all_resident: Callable[[], int]) -> Works:
    def thousand() -> None:
        for _ in range(1000):
            worker.add(1).result()

    return {
        SOAK_MEMORY: _memory_over_calls(worker, all_resident),
        SOAK_CALLS: shared(each(thousand), 1000),
    }


@contextmanager
def soak_in_one(share: float) -> Iterator[Works]:
    """A million calls in one Env."""
    with corps.env() as env:
        yield _soak_works(env.create(Worker), resident)


@contextmanager
def soak_between(share: float) -> Iterator[Works]:
    """A million calls between two processes."""
    with corps.boot(App, envs=1) as app:
        worker = app.names().ret[0]
        yield _soak_works(worker, lambda: resident() + worker.memory().ret[0])


SUBJECTS: Final = (
    Subject(BOOT, CORPS, "corps", boots),
    *(
        Subject(GROWTH, name, "corps", partial(among_workers, number), floors=(FEW_WORKERS,))
        for name, number in WORKERS.items()
    ),
    *(
        Subject(GROWTH, name, "corps", partial(among_envs, number), floors=(FEW_ENVS,))
        for name, number in ENVS.items()
    ),
    Subject(MEMORY, CORPS, "corps", idle_workers, is_alone=True),
    Subject(MEMORY, ENV, "corps", env_memory),
    Subject(MILLION, CORPS, "corps", million_workers, is_alone=True),
    Subject(SOAK, IN_ONE, "corps", soak_in_one),
    Subject(SOAK, BETWEEN_TWO, "corps", soak_between),
)
