"""Pykka: an actor has a thread, and lives in the process of its caller."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pykka

from benchmarks.cases import N_FAN_OUT, N_RING, RING
from benchmarks.timing import Works, each, shared
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
