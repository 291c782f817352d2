"""The shortest ways of a request, in one Env and between two, on processors that are chosen.

All but the call from a script are measured inside of a worker, because the main thread of a program runs no
worker, and so takes two changes of threads more.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import corps
from benchmarks.cases import (
    CALL,
    CORE_APART,
    CORE_ONE,
    CORE_TOGETHER,
    N_ONE_WAY,
    ONE_WAY,
    SCRIPT,
    TIMED,
    WORKER_TO_WORKER,
    Subject,
    in_flight,
)
from benchmarks.floors import QUEUES, STREAM, two_threads, unix_stream
from benchmarks.ours import CORPS
from benchmarks.processors import part, pin, pinned, processors
from benchmarks.timing import Effort, Measure, Works, each, shared
from benchmarks.workers import App, Worker

PURE: Final = "corps, pure"
LIMIT: Final = 10.0
"""Seconds of a wait with a time limit, which is never reached."""

ON: Final = {CORE_TOGETHER: 1, CORE_APART: 2}
"""On how many processors the sections between two processes run."""


def _of(other: "corps.Name[Worker]") -> Works:
    """The works of a worker that calls another one."""

    def many() -> None:
        corps.wait_all([other.add(1) for _ in range(100)])

    def one_way() -> None:
        for _ in range(N_ONE_WAY):
            other.add.send(1)
        other.add(1).result()

    return {
        WORKER_TO_WORKER: each(lambda: other.add(1).ret),
        CALL: each(lambda: other.add(1).ret),
        TIMED: each(lambda: other.add(1).result(LIMIT)),
        in_flight(100): shared(each(many), 100),
        ONE_WAY: shared(each(one_way), N_ONE_WAY),
    }


class Caller(corps.Conc):
    """Calls another worker."""

    def __init__(self, other: "corps.Name[Worker]") -> None:
        self._works = _of(other)

    def works(self) -> list[str]:
        """What it can do."""
        return list(self._works)

    def measure(self, work: str, effort: Effort) -> list[float]:
        """Do some of it."""
        return self._works[work](effort)

    def pid(self) -> int:
        """The process."""
        return os.getpid()


def _by(caller: "corps.Name[Caller]") -> Works:
    def of(work: str) -> Measure:
        return lambda effort: caller.measure(work, effort).ret

    return {work: of(work) for work in caller.works().ret}


@contextmanager
def in_one_env(share: float) -> Iterator[Works]:
    """Two workers in an Env of this process."""
    with corps.env() as env:
        worker = env.create(Worker)
        caller = env.create(Caller, worker)
        yield {**_by(caller), SCRIPT: each(lambda: worker.add(1).ret)}


@contextmanager
def between(number: int, share: float) -> Iterator[Works]:
    """Two workers in an Env each, on so many processors."""
    chosen = processors(number)
    with corps.boot(App, envs=2) as app:
        first, second = app.names().ret
        caller = corps.options(env=first.where().ret).create(Caller, second)
        part(chosen)
        pin(caller.pid().ret, chosen.near)
        yield _by(caller)


@contextmanager
def queues(share: float) -> Iterator[Works]:
    """A queue to another thread, and one back, beside each call that has to change threads."""
    with two_threads(share) as works:
        yield {SCRIPT: works[CALL], TIMED: works[CALL]}


SUBJECTS: Final = (
    Subject(CORE_ONE, QUEUES, "floor", queues),
    Subject(CORE_ONE, CORPS, "corps", in_one_env),
    Subject(CORE_ONE, PURE, "corps", in_one_env, is_pure=True),
    *(
        subject
        for section, number in ON.items()
        for subject in (
            Subject(section, STREAM, "floor", partial(pinned, number, unix_stream)),
            Subject(section, CORPS, "corps", partial(between, number)),
            Subject(section, PURE, "corps", partial(between, number), is_pure=True),
        )
    ),
)
