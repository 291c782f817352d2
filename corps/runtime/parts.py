"""The services of one Env, as its engine sees them.

The engine knows nothing of what a service does. It says to each of them what happens to workers and to
Envs, and a service overrides what it wants to hear.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from corps.addresses import ConcAddr
from corps.errors import ContextError

_log = logging.getLogger("corps.env")


class Part:
    """What one Env has once: a service, or its local side. Any thread calls these: return at once."""

    def worker_ended(self, worker: ConcAddr, *, returns: bool) -> None:
        """Hear that an incarnation of a worker of this Env has ended. `returns`: another may follow."""

    def child_gone(self, child: ConcAddr) -> None:
        """Hear that a worker has ended for good that a worker of this Env has created, here or elsewhere."""

    def env_came(self, env_id: int) -> None:
        """Hear that another Env of the Corps has a process, a first one or another one."""

    def env_lost(self, env_id: int, *, returns: bool) -> None:
        """Hear that the process of another Env has died. `returns`: the Env gets another one."""

    def env_left(self, env_id: int) -> None:
        """Hear that no worker is created in an Env any more: it is removed, or does not come back."""

    def close(self) -> None:
        """End: the Env closes, and its workers have ended."""


P = TypeVar("P", bound=Part)


class Parts:
    """The services of one Env. Thread-safe."""

    def __init__(self) -> None:
        """Have none yet."""
        self._all: tuple[Part, ...] = ()  # replaced as a whole, so that reading takes no lock

    def add(self, part: Part) -> None:
        """Take in a service. Before the Env runs anything."""
        self._all = (*self._all, part)

    def get(self, kind: type[P]) -> P:
        """Return the service of this class.

        Raises:
            ContextError: The Env has none.
        """
        for part in self._all:
            if isinstance(part, kind):
                return part
        raise ContextError(f"this Env has no {kind.__name__}")

    def tell(self, hear: Callable[[Part], None]) -> None:
        """Say something to all of them. What one raises is logged, and the others hear it all the same."""
        for part in self._all:
            try:
                hear(part)
            except Exception:
                _log.exception("%s could not take in what it heard", type(part).__name__)
