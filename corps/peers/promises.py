"""The promises of requests that came over a link: settling them sends something back."""

from threading import Lock
from typing import TYPE_CHECKING

from corps.addresses import ConcAddr
from corps.core import know_promises, native
from corps.messages.dead_letters import LetterBox
from corps.messages.outcomes import Outcome
from corps.messages.promises import NoAnswer, Sent, Unheard

if TYPE_CHECKING:
    from corps.peers.answering import Answering


@native
class WirePromise:
    """The promise of a request that came over a link: it knows the way back. Thread-safe."""

    __slots__ = ("_done", "_lock", "_number", "_peer")

    def __init__(self, peer: "Answering", number: int) -> None:
        self._peer = peer
        self._number = number
        self._lock = Lock()  # protects _done
        self._done = False

    @property
    def env(self) -> int:
        """Return the Env that gets the outcome."""
        return self._peer.env_id

    def settle(self, outcome: Outcome) -> bool:
        """See `Promise.settle`."""
        with self._lock:
            if self._done:
                return False
            self._done = True
        self._peer.answer(self._number, outcome)
        return True

    def done(self) -> bool:
        """See `Promise.done`."""
        return self._done

    def begins(self) -> None:
        """Note that what the request carries begins now. For a tick, which a service hands on."""
        self._peer.begins(self._number)

    def abandon(self) -> None:
        """Let go of it: nobody wants the outcome any more."""
        with self._lock:
            self._done = True


class _TakesRoom(NoAnswer):
    """The promise of a request over a link that wants no answer: its room in the window goes back."""

    __slots__ = ()
    _peer: "Answering"
    _size: int

    def settle(self, outcome: Outcome) -> bool:
        """See `Promise.settle`."""
        if not super().settle(outcome):
            return False
        self._peer.give_credit(self._size, self)
        return True


class WireUnheard(_TakesRoom, Unheard):
    """Of what need not be said when it fails."""

    __slots__ = ("_peer", "_size")

    def __init__(self, peer: "Answering", size: int) -> None:
        super().__init__("")
        self._peer = peer
        self._size = size


@native
class WireCredit(_TakesRoom, Sent):
    """Of what an author has sent."""

    __slots__ = ("_peer", "_size")

    def __init__(
        self,
        peer: "Answering",
        size: int,
        letters: LetterBox,
        sender: ConcAddr | None,
        target: ConcAddr,
        method: str,
    ) -> None:
        Sent.__init__(self, letters, sender, target, method)
        self._peer = peer
        self._size = size


know_promises(WirePromise, WireCredit)
