"""What ends with a worker of this Env, however the worker ends: also where its `cleanup` is not called."""

from collections.abc import Callable

from corps.addresses import ConcAddr
from corps.runtime.env import Env
from corps.runtime.parts import Part


class EndedWith(Part):
    """What is to be done when a worker has ended, once each. Thread-safe: each step is one of a dict."""

    def __init__(self, env: Env) -> None:
        """Know of nothing."""
        del env  # others say to it what happens there
        self._actions: dict[ConcAddr, Callable[[], object]] = {}

    def add(self, worker: ConcAddr, action: Callable[[], object]) -> None:
        """Call a function when a worker of this Env ends, at the latest with the Env. It returns at once."""
        self._actions[worker] = action

    def worker_ended(self, worker: ConcAddr, *, returns: bool) -> None:
        """See `Part.worker_ended`."""
        action = self._actions.pop(worker, None)
        if action is not None:
            action()

    def close(self) -> None:
        """See `Part.close`."""
        for worker in list(self._actions):
            self.worker_ended(worker, returns=False)
