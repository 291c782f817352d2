"""Dask actors: objects in the worker processes of a cluster on this machine."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask
from distributed import Client, LocalCluster

from benchmarks.cases import BOOT_2
from benchmarks.timing import Works, each
from benchmarks.works import calls, creation, echoes


class Worker:
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


def _start() -> Client:
    dask.config.set({"distributed.worker.daemon": False})
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=logging.ERROR
    )
    return Client(cluster)


def _stop(client: Client) -> None:
    client.close()
    client.cluster.close()


def _create(client: Client, process: int = 0) -> Any:
    address = list(client.scheduler_info()["workers"])[process]
    return client.submit(Worker, actor=True, workers=[address], pure=False).result()


@contextmanager
def between_processes(share: float) -> Iterator[Works]:
    """An actor in another process."""
    client = _start()
    try:
        worker = _create(client)

        def many(number: int) -> None:
            for future in [worker.add(1) for _ in range(number)]:
                future.result()

        yield {
            **calls(lambda: worker.add(1).result(), many, takes_threads=True),
            **creation(lambda: _create(client)),
            **echoes(lambda value: worker.echo(value).result()),
        }
    finally:
        _stop(client)


@contextmanager
def boot(share: float) -> Iterator[Works]:
    """Clusters of two processes, one after the other."""

    def once() -> Client:
        client = _start()
        for worker in [_create(client, process) for process in (0, 1)]:
            worker.add(1).result()
        return client

    def stop(clients: list[Client]) -> None:
        for client in clients:
            _stop(client)

    yield {BOOT_2: each(once, after=stop)}
