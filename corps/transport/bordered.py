"""One Env's end of two kinds of links: UNIX sockets to its own Corps, ZeroMQ over `tcp` across the border.

A member is reached as its endpoint says. The end over `tcp` is opened when it is needed: from the beginning
where the Env is to listen, else when it connects first. Until then the UNIX sockets are read without it, and
ZeroMQ is not imported.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from corps.errors import BrokenError, EnvStartError, KeyRingError
from corps.messages.members import Member
from corps.security.border_keys import BorderKeys
from corps.transport.two_ends import End, TwoEnds
from corps.transport.unix.transport import UnixTransport
from corps.transport.zeromq.doors import source_towards

if TYPE_CHECKING:
    from corps.transport.zeromq.transport import ZmqTransport

_PATIENCE: Final = 5.0  # seconds that the thread that reads has to listen at one more address

OpenOuter: TypeAlias = "Callable[[str], ZmqTransport]"
"""Opens the end over `tcp`, which listens at an address; empty for those that the settings name.

It raises EnvStartError, and what `BorderKeys.begin` raises."""


class BorderedTransport(TwoEnds):
    """Both ends together. Threads as `Transport` says."""

    def __init__(self, inner: UnixTransport, keys: BorderKeys, open_outer: OpenOuter) -> None:
        """Take over the inner end, which is not started. `open_outer` makes the other with its audit."""
        super().__init__(inner)
        self._open_outer = open_outer
        self.keys = keys  # its first reading is under the lock
        """Whose keys count at the border."""
        self.takes_visitors = inner.takes_visitors

    # --- the end over tcp ---

    def open(self, source: str = "") -> "ZmqTransport":
        """Return the end over `tcp`, opened if need be: to listen at `source`, or as the settings say.

        Raises:
            EnvStartError: It cannot listen.
            KeyRingError, Damaged, NewerFormat: The key ring cannot be used.
            BrokenError: The transport was closed.
        """
        with self._lock:
            if self._closed:
                raise BrokenError("this Env has closed its links")
            outer = self._outer
            if outer is None:
                self.keys.begin()
                outer = self._open_outer(source)
                self._take(outer)
            return outer

    def begin_keys(self) -> None:
        """Read the key ring, if that was not done; raise as `BorderKeys.begin`."""
        with self._lock:
            self.keys.begin()

    def open_towards(self, endpoint: str) -> "ZmqTransport":
        """Return the end over `tcp`, which listens where the answers of `endpoint` can come. Blocks.

        Raises:
            BrokenError: There is no way there, or this Env cannot listen there, or has no key ring to use.
        """
        source = source_towards(endpoint)
        try:
            outer = self.open(source)
        except (EnvStartError, KeyRingError) as error:
            raise BrokenError(f"no answer of {endpoint} could come here: {error}") from error
        outer.listen_towards(endpoint, _PATIENCE)
        return outer

    def _end_for(self, member: Member) -> tuple[End, Member]:
        outer = self._outer
        if outer is not None and member.endpoint.startswith("tcp://"):
            return outer, member
        return self._inner, member
