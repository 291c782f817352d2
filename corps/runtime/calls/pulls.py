"""The Future of an item of a generator: the iterator that has asked keeps it, whatever its waiters do."""

from typing import Any

from corps.runtime.calls.futures import Future


class Pull(Future[Any]):
    """A request for an item. In the main thread the sending may be broken off, and nobody knows how far."""

    __slots__ = ()

    def begin(self) -> bool:
        """Return whether the caller is first: its sender, who sends it, or its iterator, who gives it up."""
        mine = object()
        return vars(self).setdefault("begun", mine) is mine  # one step of the interpreter

    def stop_waiting(self) -> None:
        """Do nothing: a cancelled task does not cancel it."""

    def has_item(self) -> bool:
        """Return whether its item has come."""
        return self.outcome is not None and not self.outcome.failed
