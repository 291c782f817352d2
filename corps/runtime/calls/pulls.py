"""The Future of an item of a generator: the iterator that has asked keeps it, whoever stops waiting."""

from typing import Any

from corps.runtime.calls.futures import Future


class Pull(Future[Any]):
    """A request for an item. In the main thread the sending may be broken off, and nobody knows how far."""

    __slots__ = ()

    def begin(self) -> bool:
        """Decide that it is sent, or, by its iterator, that it is not; whether the caller is the first."""
        mine = object()
        return vars(self).setdefault("begun", mine) is mine  # one step of the interpreter

    def stop_waiting(self) -> None:
        """A cancelled task does not cancel it."""

    def has_item(self) -> bool:
        """Whether its item has come."""
        return self.outcome is not None and not self.outcome.failed
