"""A link goes on where its connection broke: which messages have arrived, and which are to be sent again.

Each message on a link has a number. The sender keeps it (`Unconfirmed`) until the receiver (`Arrivals`) says
that all up to it have arrived. A number that comes too early, or an ASK that is ahead, proves a loss. Then
the sender sends all that it keeps again, in a new *round*, so that a loss is reported once. The passing of
time alone makes nobody send again. Pure: `transport` sends, receives, locks, and knows when a while has
passed. `docs/design/resume.md` says why.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from corps.errors import WireError
from corps.wire.link_frames import ArrivedHeader, MissedHeader

Message = TypeVar("Message")

PAUSE: Final = 0.2  # seconds after which a sender looks again whether something has arrived
LONGEST_PAUSE: Final = 16  # so many pauses are between two questions at most, as long as nobody answers
TELL_MESSAGES: Final = 64  # after so many messages at the latest the receiver says that they have arrived
TELL_BYTES: Final = 1024 * 1024  # after so many bytes at the latest it says so


class Unconfirmed(Generic[Message]):
    """The messages of one link that are not known to have arrived. Its owner's lock protects it."""

    def __init__(self) -> None:
        self.round = 1  # the round that messages are sent in
        self.size = 0  # bytes of what is kept
        self._messages: deque[tuple[Message, int]] = deque()  # and the size of each
        self._first = 1  # number of the oldest
        self._seen = 0  # number of the oldest at the last look
        self._quiet = 0  # looks since then, or since the last question
        self._pause = 1  # looks before the next question

    def __len__(self) -> int:
        """Return how many messages are kept."""
        return len(self._messages)

    @property
    def last(self) -> int:
        """Return the number of the message that was sent last; 0 before the first one."""
        return self._first + len(self._messages) - 1

    def add(self, message: Message, size: int = 0) -> int:
        """Keep a message, which must not change any more, and return its number. It is to be sent next."""
        self._messages.append((message, size))
        self.size += size
        return self._first + len(self._messages) - 1

    def arrived(self, number: int) -> None:
        """Let go of all up to this number, which have arrived. Raise WireError if so many were not sent."""
        if number > self.last:
            raise WireError(f"{number} messages are said to have arrived, and {self.last} were sent")
        while self._first <= number:
            self.size -= self._messages.popleft()[1]
            self._first += 1

    def missed(self, number: int, round_: int) -> bool:
        """Do the same for a loss in this round; return whether to send all again, in a new round.

        Not if it was sent again meanwhile, or has arrived after all.
        """
        self.arrived(number)
        if round_ != self.round or not self._messages:
            return False
        self.round += 1
        self._pause = 1  # the receiver hears us
        return True

    def numbered(self) -> Iterator[tuple[int, Message]]:
        """Return what is kept, oldest first, each with its number."""
        return enumerate((message for message, _ in self._messages), self._first)

    def look(self) -> bool:
        """Look whether something has arrived, every `PAUSE`; return whether to ask the receiver."""
        if self._seen != self._first:
            self._seen = self._first
            self._quiet, self._pause = 0, 1
            return False
        self._quiet += 1
        if self._quiet < self._pause or not self._messages:
            return False
        self._quiet, self._pause = 0, min(2 * self._pause, LONGEST_PAUSE)
        return True


class Arrivals:
    """Which messages of one link have arrived. One thread at a time."""

    def __init__(self, link: int, *, messages: int = TELL_MESSAGES, size: int = TELL_BYTES) -> None:
        """Begin with nothing. The sender, which knows it as `link`, hears of so many messages or bytes."""
        self.owes = False  # whether the sender has to hear something: `tell` says what
        self._most_messages = messages
        self._most_bytes = size
        self._link = link
        self._number = 0  # all up to it have arrived
        self._messages = self._bytes = 0  # that came since `tell` was called last
        self._missed = 0  # the round of a loss that the sender has to hear of; 0: nothing is lost
        self._told_round = 0  # the last round of which the sender has heard

    def take(self, number: int, round_: int, size: int) -> bool:
        """Take note of a message; return whether to hand it on: not twice, and not if one before is lost."""
        if number == self._number + 1:
            self._number = number
            self._messages += 1
            self._bytes += size
            if self._messages >= self._most_messages or self._bytes >= self._most_bytes:
                self.owes = True
            return True
        if number > self._number and round_ > self._told_round:
            self._miss(round_)
        return False

    def asked(self, number: int, round_: int) -> None:
        """Note that the sender asks whether all has arrived up to this number, in this round."""
        self.owes = True
        if number > self._number:
            self._miss(round_)

    def tell(self) -> ArrivedHeader | MissedHeader:
        """Return the header that says to the sender what has arrived. It may get lost."""
        missed, self._missed = self._missed, 0
        self._messages = self._bytes = 0
        self.owes = False
        if missed:
            return MissedHeader(self._link, self._number, missed)
        return ArrivedHeader(self._link, self._number)

    def _miss(self, round_: int) -> None:
        self._missed = round_
        self._told_round = max(self._told_round, round_)
        self.owes = True
