"""What all loads of a storm have in common: threads of clients, which are busy inside a ``with`` block."""

from collections.abc import Callable
from contextvars import copy_context
from threading import Event, Thread
from typing import Self


class Busy:
    """Clients in threads of their own. By one thread."""

    def __init__(self) -> None:
        """Begin nothing yet."""
        self._is_over = Event()
        self._threads: list[Thread] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Create what the clients need, and begin them; raise a CorpsError if it cannot be created."""
        raise NotImplementedError

    def _begin(self, name: str, run: Callable[[], object]) -> None:
        """Begin a client, in the block of this Corps: the process may have other Envs open."""
        thread = Thread(target=copy_context().run, args=(run,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Begin nothing more, and wait until all that was begun is settled, or long overdue."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()
        self._await_end()

    def _await_end(self) -> None:
        """Wait for what the clients have begun. They have ended."""
        raise NotImplementedError
