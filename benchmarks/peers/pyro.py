"""Pyro5: remote objects over a TCP connection; its serializer takes plain data only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import Pyro5.api
import Pyro5.server

from benchmarks.processes import served
from benchmarks.timing import Works
from benchmarks.works import calls


@Pyro5.server.expose
@Pyro5.server.behavior(instance_mode="single")
class Worker:
    """Adds."""

    def __init__(self) -> None:
        self.value = 0

    def add(self, n: int) -> int:
        """Add `n`."""
        self.value += n
        return self.value


def _serve(tell: Callable[[str], None]) -> None:
    with Pyro5.server.Daemon(host="127.0.0.1") as daemon:
        tell(str(daemon.register(Worker)))
        daemon.requestLoop()


@contextmanager
def between_processes(share: float) -> Iterator[Works]:
    """An object in another process. A proxy belongs to one thread, and waits for each answer."""
    with served(_serve) as address, Pyro5.api.Proxy(address) as worker:
        yield calls(lambda: worker.add(1))
