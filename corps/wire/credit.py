"""Flow control of one link: so many requests, and so many bytes, may be unanswered at any time.

Pure counting; who has to wait, and how, is the business of `transport`.
"""

from corps.core import native


@native
class Window:
    """How much one Env may have unanswered at another. Not thread safe: its owner's lock protects it."""

    __slots__ = ("_max_bytes", "_max_requests", "requests", "size")

    def __init__(self, requests: int, size: int) -> None:
        """Make an empty window; one request alone may be larger than `size` bytes."""
        self._max_requests = requests
        self._max_bytes = size
        self.requests = 0  # that are not dealt with, as far as the other side has said
        self.size = 0  # their bytes

    def take_if_room(self, size: int) -> bool:
        """Take room for a request of this many bytes, if there is some; return whether there was."""
        requests, together = self.requests, self.size + size
        if requests and (requests >= self._max_requests or together > self._max_bytes):
            return False
        self.requests, self.size = requests + 1, together
        return True

    def resize(self, requests: int, size: int) -> None:
        """Let so much be unanswered from now on; what is sent already stays."""
        self._max_requests, self._max_bytes = requests, size

    @property
    def fits(self) -> bool:
        """Whether no more is unanswered than may be."""
        return self.requests <= self._max_requests and (self.size <= self._max_bytes or self.requests <= 1)

    def is_roomy(self, more: int) -> bool:
        """Return whether less than half of it is taken, so many further requests counted."""
        return 2 * (self.requests + more) < self._max_requests and 2 * self.size < self._max_bytes

    def take(self, size: int) -> None:
        """Take room for a request of this many bytes, whether there is some or not."""
        self.requests += 1
        self.size += size

    def give_back(self, requests: int, size: int) -> None:
        """Give back the room of so many requests, of so many bytes together."""
        self.requests -= requests
        self.size -= size
        if self.requests < 0 or self.size < 0:  # the other side gives back more than it has got
            self.requests, self.size = max(0, self.requests), max(0, self.size)


@native
class Returns:
    """What the receiving side owes the sender's window, handed back in lumps. Not thread safe."""

    __slots__ = ("_bytes", "_lump_bytes", "_lump_requests", "_requests")

    def __init__(self, requests: int, size: int) -> None:
        """Begin with nothing owed, for a window of this size: a quarter of it is handed back at a time."""
        self.resize(requests, size)
        self._requests = 0
        self._bytes = 0

    def resize(self, requests: int, size: int) -> None:
        """Hand back a quarter of a window of this size at a time from now on."""
        self._lump_requests = max(1, requests // 4)
        self._lump_bytes = max(1, size // 4)

    def add(self, size: int) -> tuple[int, int] | None:
        """Note a request that was dealt with and wants no answer; return what to hand back now, if any."""
        self._requests += 1
        self._bytes += size
        if self._requests < self._lump_requests and self._bytes < self._lump_bytes:
            return None
        return self.rest()

    def rest(self) -> tuple[int, int] | None:
        """Return the requests and bytes to be handed back though they are less than a lump; None if none."""
        if not self._requests:
            return None
        lump = self._requests, self._bytes
        self._requests = self._bytes = 0
        return lump
