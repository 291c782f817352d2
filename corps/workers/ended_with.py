"""What ends with a worker of this Env, however the worker ends: also where its `cleanup` is not called."""

from collections.abc import Callable

from corps.addresses import ConcAddr
from corps.runtime.env import Env
from corps.runtime.parts import Part


class Bond:
    """One thing that ends with a worker."""

    def __init__(self, worker: ConcAddr, action: Callable[[], object]) -> None:
        self.worker = worker
        self.action = action


class EndedWith(Part):
    """What is to be done when workers have ended, once each. Thread-safe: each step is one of a dict."""

    def __init__(self, env: Env) -> None:
        """Know of nothing."""
        del env  # others say to it what happens there
        self._bonds: dict[Bond, None] = {}

    def add(self, worker: ConcAddr, action: Callable[[], object]) -> Bond:
        """Call a function when a worker of this Env ends, at the latest with the Env. It returns at once."""
        bond = Bond(worker, action)
        self._bonds[bond] = None
        return bond

    def remove(self, bond: Bond) -> None:
        """Have nothing end any more that was to end with a worker."""
        self._bonds.pop(bond, None)

    def worker_ended(self, worker: ConcAddr, *, returns: bool) -> None:
        """See `Part.worker_ended`."""
        if self._bonds:
            self._end([bond for bond in list(self._bonds) if bond.worker == worker])

    def close(self) -> None:
        """See `Part.close`."""
        self._end(list(self._bonds))

    def _end(self, bonds: list[Bond]) -> None:
        for bond in bonds:
            if self._bonds.pop(bond, bond) is None:  # another thread was not faster
                bond.action()
