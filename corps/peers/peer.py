"""Another Env, as seen from this one: the way there, what is asked of it, and what it asks."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from corps.clock import now
from corps.errors import VersionMismatch
from corps.messages.endings import Reason
from corps.messages.members import Member
from corps.packing.packer import Packer
from corps.peers.answering import Answering
from corps.peers.asking import Asking
from corps.peers.definitions import Definitions
from corps.peers.journal import journal_path
from corps.peers.limits import Limits
from corps.peers.local_side import LocalSide
from corps.peers.outcome_codec import OutcomeCodec
from corps.peers.way import Way
from corps.transport.link import Link
from corps.wire.frames import (
    CancelHeader,
    CreditHeader,
    DefineHeader,
    Frame,
    MarkHeader,
    OutcomeHeader,
    ProbeHeader,
    RequestHeader,
)

_NO_DESCRIPTORS: Final = 0.1  # seconds until a link is tried again that there were no descriptors for


class Peer:
    """One other Env, in one incarnation or before it has one. Thread-safe.

    Attributes:
        way: Its link.
        definitions: The code that goes over it once.
        asking: The requests to it.
        answering: The requests of it.
        marks: How many MARKs of it have come. Nothing else is done about them yet.
        handlers: What is done about a message of it, by the type of the header. For the thread that reads.
    """

    def __init__(
        self,
        env: LocalSide,
        member: Member,
        connect: Callable[[Member], Link],
        packer: Packer,
        give_up: "Callable[[Peer, str], None]",
        limits: Limits,
        *,
        is_there: bool = True,
        journals: str | None = None,
        incarnation: str = "",
    ) -> None:
        """Begin without a link, which the first message opens.

        Args:
            env: The Env that this is a peer of.
            member: The peer.
            connect: Opens the link.
            packer: Packs and unpacks.
            give_up: Called with this peer, and a reason, when nothing can be sent to it: is to lose it.
            limits: Of what is sent to it.
            is_there: Whether it has a process; else `open` comes later, and what is sent to it waits until
                then.
            journals: Directory of the start journals; None for none.
            incarnation: Of this Env.
        """
        self._journals = journals
        self._incarnation = incarnation
        self.way = Way(
            member,
            connect,
            lambda reason: give_up(self, reason),
            lambda again: env.alarms.at(now() + _NO_DESCRIPTORS, again),
            is_there=is_there,
        )
        self.definitions = Definitions(packer, self.way.transmit, limits.max_frame)
        packer = self.definitions.packer
        outcomes = OutcomeCodec(packer, env)
        self.asking = Asking(
            env,
            self.way,
            packer,
            outcomes,
            limits,
            is_journaled=journals is not None,
        )
        self.answering = Answering(env, self.way, packer, outcomes, limits)
        self.handlers: Final[Mapping[type, Callable[[Any, Sequence[Frame]], None]]] = {
            OutcomeHeader: self.asking.on_outcome,
            RequestHeader: self.answering.on_request,
            CancelHeader: self.answering.on_cancel,
            ProbeHeader: self.answering.on_probe,
            CreditHeader: self.asking.on_credit,
            DefineHeader: self.definitions.on_define,
            MarkHeader: self._on_mark,
        }
        self.marks = 0
        if is_there:
            self._open_journal(member)

    @property
    def member(self) -> Member:
        """Return its record."""
        return self.way.member

    def _on_mark(self, _: MarkHeader, __: Sequence[Frame]) -> None:
        """Count a MARK. It comes behind all that the peer has sent before in its lane."""
        self.marks += 1

    def _open_journal(self, member: Member) -> None:
        if self._journals is not None:
            self.asking.keep_journal(journal_path(self._journals, self._incarnation, member.incarnation))
            self.answering.use_journal(journal_path(self._journals, member.incarnation, self._incarnation))

    def prepare(self, member: Member) -> None:
        """Take the record of the process that it has now, of which nothing was taken yet."""
        self.way.member = member
        self._open_journal(member)

    def open(self) -> None:
        """Let what has waited for it leave. After `prepare`."""
        self.way.open()

    def lose(
        self,
        reason: str,
        cause: Reason = "lost",
        *,
        has_died: bool = False,
        log_level: int = logging.WARNING,
        refusal: VersionMismatch | None = None,
    ) -> None:
        """Fail every request that it has not answered, and every later one: it is gone. Idempotent.

        Args:
            reason: Why, for the texts of the errors.
            cause: The same in one word.
            has_died: Its process has certainly ended.
            log_level: How to say that requests went with it whose callers wanted no answer.
            refusal: It has refused the link from its beginning, so that nothing has reached it.
        """
        self.way.lose()
        self.asking.lose(reason, cause, has_died=has_died, log_level=log_level, refusal=refusal)
        self.answering.lose()

    def statistics(self) -> dict[str, int]:
        """Return how many requests are unanswered in both directions."""
        return {"sent": self.asking.count(), "received": self.answering.count()}
