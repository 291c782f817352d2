"""What an Env asks of whatever lies at its border: the way to workers of other Corps."""

from typing import Protocol

from corps.addresses import ConcAddr
from corps.messages.requests import Request


class Border(Protocol):
    """The border of one Env: a `corps.federation.border.CorpsBorder`. Thread-safe."""

    def send(self, request: Request) -> None:
        """Send a request to a worker of another Corps, or settle it. It may wait for room."""

    async def send_when_room(self, request: Request) -> None:
        """Do the same in a coroutine, which waits for room without blocking its event loop."""

    def is_roomy(self, target: ConcAddr, more: int) -> bool:
        """Return whether the Env of a worker is there, and has plenty of room for `more` requests."""

    def address_abroad(self, addr: ConcAddr) -> ConcAddr:
        """Return the address of a worker as other Corps get it.

        Raises:
            PackError: None may get it, because this Corps cannot be reached from outside.
        """

    def close(self) -> None:
        """Find no way any more, because the Env closes."""
