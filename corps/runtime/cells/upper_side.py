"""What the engine has made for it by what lies above: Names, iterators and packed values."""

from typing import TYPE_CHECKING, Any, Protocol

from corps.addresses import ConcAddr
from corps.messages.interfaces import Interface, WorkerName
from corps.messages.streams import Streaming

if TYPE_CHECKING:
    from corps.runtime.cells.keeping import PackedState


class UpperSide(Protocol):
    """What lies above the engine of one Env. Thread-safe."""

    def make_name(self, addr: ConcAddr, interface: Interface, incarnation: int = 1) -> WorkerName:
        """Make the Name of a worker, for use in this Env."""

    def make_iterator(
        self,
        worker: WorkerName,
        number: int,
        share: int,
        holder: int,
        *,
        is_async: bool,
        is_fresh: bool = True,
    ) -> Streaming:
        """Make the first iterator over a generator of a worker; see `workers.iterators`.

        It `is_fresh` where the worker is here, and does not use it itself.
        """

    def pack(self, value: Any, what: str = "state") -> "PackedState":
        """Pack a value of the author with nothing out of band. `what` names it in errors."""

    def unpack(self, kept: "PackedState") -> Any:
        """Return the value that was packed."""
