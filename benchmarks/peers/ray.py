"""Ray: each actor has a process; a cluster of one machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from benchmarks.cases import BOOT_2, WORKER_TO_WORKER
from benchmarks.timing import Effort, Works, each
from benchmarks.works import calls, creation, echoes


class _Plain:
    """Does what is measured."""

    def __init__(self) -> None:
        self.value = 0

    def add(self, n: int) -> int:
        """Add `n`."""
        self.value += n
        return self.value

    def echo(self, value: Any) -> Any:
        """Give back what came."""
        return value

    def call(self, other: Any, effort: Effort) -> list[float]:
        """Measure calls of another worker, from within this one."""
        return each(lambda: ray.get(other.add.remote(1)))(effort)


def _start() -> Any:
    """Start the cluster, and give the class of its workers."""
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=1 << 30,
        _node_ip_address="127.0.0.1",
    )
    return ray.remote(num_cpus=0)(_Plain)  # else it places no more actors than it counts cores


def _create(worker_class: Any) -> Any:
    worker = worker_class.remote()
    ray.get(worker.add.remote(1))
    return worker


def _kill(workers: list[Any]) -> None:
    for worker in workers:
        ray.kill(worker)


@contextmanager
def between_processes(share: float) -> Iterator[Works]:
    """Actors in their own processes."""
    worker_class = _start()
    try:
        worker, other = _create(worker_class), _create(worker_class)
        yield {
            **calls(
                lambda: ray.get(worker.add.remote(1)),
                lambda number: ray.get([worker.add.remote(1) for _ in range(number)]),
                takes_threads=True,
            ),
            **creation(lambda: _create(worker_class), after=_kill),
            WORKER_TO_WORKER: lambda effort: ray.get(worker.call.remote(other, effort)),
            **echoes(lambda value: ray.get(worker.echo.remote(value))),
        }
    finally:
        ray.shutdown()


@contextmanager
def boot(share: float) -> Iterator[Works]:
    """Clusters with two actors, one after the other."""

    def once() -> None:
        worker_class = _start()
        ray.get([worker.add.remote(1) for worker in [worker_class.remote(), worker_class.remote()]])

    def stop(started: list[None]) -> None:
        ray.shutdown()

    yield {BOOT_2: each(once, after=stop)}
