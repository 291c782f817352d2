"""Helper processes of floors and peers: started by fork, told to be ready, surely ended."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

_FORK = multiprocessing.get_context("fork")


@contextmanager
def served(serve: Callable[..., None], *args: Any) -> Iterator[Any]:
    """Run a server in a process of its own.

    Args:
        serve: Called there with what to call once with its address, and the other arguments.
        *args: For it.

    Yields:
        The address that it told.
    """
    ours, theirs = _FORK.Pipe()
    process = _FORK.Process(target=_run, args=(theirs, ours, serve, *args))
    process.start()
    theirs.close()
    try:
        if not ours.poll(30):
            raise TimeoutError("the server has not told its address within 30 s")
        yield ours.recv()
    finally:
        process.terminate()
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()
        ours.close()


def _run(
    conn: "Connection[Any, Any]", other_end: "Connection[Any, Any]", serve: Callable[..., None], *args: Any
) -> None:
    other_end.close()
    serve(conn.send, *args)
