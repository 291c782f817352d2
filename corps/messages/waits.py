"""Who waits for what: a worker for answers, as the search for circles sees it, and a thread at its gate."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from corps.addresses import ConcAddr
    from corps.messages.interfaces import Interface
    from corps.messages.requests import Awaited, Request


class WaitingWorker(Protocol):
    """A worker that may wait: a `corps.runtime.cells.cell.Cell`."""

    wait: "Wait | None"
    away: int

    @property
    def activity(self) -> object:
        """What its turn does: a `corps.runtime.context.Activity`."""

    @property
    def addr(self) -> "ConcAddr":
        """Its address."""

    @property
    def interface(self) -> "Interface":
        """What may be called."""


class Wait(NamedTuple):
    """One wait: its cell goes on when it has each of these answers.

    In a worker that interleaves, a wait of a coroutine is one of that request alone: `holder` is the request
    then. In every other case the whole worker stands still, and `holder` is the cell.
    """

    serial: int
    cell: WaitingWorker
    holder: "WaitingWorker | Request"
    futures: "tuple[Awaited, ...]"


class WaitingThread(Protocol):
    """Where one thread stands still: a `corps.runtime.threads.gates.Gate`."""

    is_open: bool

    def call(self) -> None:
        """Wake the thread if it sleeps, without letting it through."""

    def sleep(self, timeout: float | None) -> bool:
        """Block until it is open, or its thread called; False if so many seconds were over first."""

    def read_instead(self, interrupt: Callable[[], object] | None) -> bool:
        """Have what opens it interrupt the coming read; return whether it is still shut."""


class LinkReaders(Protocol):
    """What reads from the links of an Env: its `corps.runtime.threads.readers.Readers`."""

    def wait(self, gate: WaitingThread, timeout: float | None) -> bool:
        """Wait at this thread's gate, and read meanwhile if no other one does; return whether it opened."""
