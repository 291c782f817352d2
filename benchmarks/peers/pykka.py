"""Pykka: an actor has a thread, and lives in the process of its caller."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pykka

from benchmarks.cases import (
    N_FAN_OUT,
    N_ONE_WAY,
    N_RING,
    ONE_WAY,
    RING,
    SCRIPT,
    TIMED,
    WORKER_TO_WORKER,
    in_flight,
)
from benchmarks.core import LIMIT
from benchmarks.timing import Effort, Measure, Works, each, shared
from benchmarks.works import calls, creation, fan_out

_HOPS = 2000


class Worker(pykka.ThreadingActor):
    """Adds."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 0
        self.follower: Any = None

    def add(self, n: int) -> int:
        """Add `n`."""
        self.value += n
        return self.value

    def join(self, follower: Any) -> None:
        """Say who is next in the ring."""
        self.follower = follower

    def hop(self, hops: int, done: threading.Event) -> None:
        """Pass it on, until it has hopped often enough."""
        if hops:
            self.follower.hop.defer(hops - 1, done)
        else:
            done.set()


def _start() -> Any:
    return Worker.start().proxy()


def _stop(workers: list[Any]) -> None:
    for worker in workers:
        worker.stop().get()


def _ring(workers: list[Any]) -> Works:
    for worker, follower in pairwise([*workers, workers[0]]):
        worker.join(follower).get()

    def once() -> None:
        done = threading.Event()
        workers[0].hop.defer(_HOPS, done)
        done.wait()

    return {RING: shared(each(once), _HOPS)}


@contextmanager
def in_one_process(share: float) -> Iterator[Works]:
    """Actors in this process; proxies are kept, for making one takes long."""
    worker = _start()
    workers = [_start() for _ in range(N_FAN_OUT)]
    try:
        yield {
            **calls(
                lambda: worker.add(1).get(),
                lambda number: pykka.get_all([worker.add(1) for _ in range(number)]),
                takes_threads=True,
            ),
            **fan_out(lambda times: pykka.get_all([each.add(1) for _ in range(times) for each in workers])),
            **creation(_start, after=_stop),
            **_ring([_start() for _ in range(N_RING)]),
        }
    finally:
        pykka.ActorRegistry.stop_all()


class Caller(pykka.ThreadingActor):
    """Calls another actor."""

    def __init__(self, other: Any) -> None:
        super().__init__()
        self._works: Works = {
            WORKER_TO_WORKER: each(lambda: other.add(1).get()),
            TIMED: each(lambda: other.add(1).get(timeout=LIMIT)),
            in_flight(100): shared(each(lambda: pykka.get_all([other.add(1) for _ in range(100)])), 100),
            ONE_WAY: shared(each(self._send), N_ONE_WAY),
        }
        self._other = other

    def _send(self) -> None:
        for _ in range(N_ONE_WAY):
            self._other.add.defer(1)
        self._other.add(1).get()

    def works(self) -> list[str]:
        """What it can do."""
        return list(self._works)

    def measure(self, work: str, effort: Effort) -> list[float]:
        """Do some of it."""
        return self._works[work](effort)


@contextmanager
def between_actors(share: float) -> Iterator[Works]:
    """An actor that is called by another one, and by the script."""
    worker = _start()
    caller = Caller.start(worker).proxy()

    def of(work: str) -> Measure:
        return lambda effort: caller.measure(work, effort).get()

    try:
        yield {**{work: of(work) for work in caller.works().get()}, SCRIPT: each(lambda: worker.add(1).get())}
    finally:
        pykka.ActorRegistry.stop_all()
