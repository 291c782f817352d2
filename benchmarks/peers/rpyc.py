"""RPyC: remote objects over a TCP connection."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rpyc
from rpyc.utils.server import ThreadedServer

from benchmarks.cases import MIB
from benchmarks.processes import served
from benchmarks.timing import Works
from benchmarks.works import calls, echoes


class Worker(rpyc.Service):
    """Adds."""

    def __init__(self) -> None:
        self.value = 0

    def exposed_add(self, n: int) -> int:
        """Add `n`."""
        self.value += n
        return self.value

    def exposed_echo(self, value: Any) -> Any:
        """Give back what came."""
        return value


def _serve(tell: Callable[[int], None]) -> None:
    server = ThreadedServer(Worker(), hostname="127.0.0.1", port=0)
    threading.Timer(0.1, tell, (server.port,)).start()
    server.start()


@contextmanager
def between_processes(share: float) -> Iterator[Works]:
    """A service in another process.

    Arrays would go by reference, so they are not sent; 64 MiB of bytes take longer than it waits.
    """
    with served(_serve) as port:
        connection = rpyc.connect("127.0.0.1", port)
        try:
            root = connection.root
            begin = rpyc.async_(root.add)

            def many(number: int) -> None:
                for result in [begin(1) for _ in range(number)]:
                    result.wait()

            yield {
                **calls(lambda: root.add(1), many, takes_threads=True),
                **echoes(lambda value: root.echo(value), kinds=("bytes",), largest=16 * MIB),
            }
        finally:
            connection.close()
