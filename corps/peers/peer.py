"""Another Env, as seen from this one: the way there, what is asked of it, and what it asks."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from corps.core import native
from corps.messages.members import Member
from corps.packing.packer import Packer
from corps.peers.answering import Answering
from corps.peers.asking import Asking, Loss
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


@native
class Peer:
    """One other Env, in one incarnation or before it has one. Thread-safe."""

    def __init__(
        self,
        env: LocalSide,
        member: Member,
        connect: Callable[[Member], Link],
        packer: Packer,
        give_up: "Callable[[Peer, str], None]",
        limits: Limits,
        journals: str | None,
        incarnation: str,
    ) -> None:
        self._journals = journals
        self._incarnation = incarnation  # of this Env
        self.way = Way(member, connect, partial(give_up, self), env.alarms)
        self.definitions = Definitions(packer, self.way.transmit, limits.max_frame)
        packer = self.definitions.packer
        self.asking, self.answering = self._both_sides(env, packer, limits)
        # By the type of the header. For the thread that reads.
        self.handlers: Final[dict[type, Callable[[Any, Sequence[Frame]], None]]] = {
            OutcomeHeader: self.asking.on_outcome,
            RequestHeader: self.answering.on_request,
            CancelHeader: self.answering.on_cancel,
            ProbeHeader: self.answering.on_probe,
            CreditHeader: self.asking.on_credit,
            DefineHeader: self.definitions.on_define,
            MarkHeader: self._on_mark,
        }
        self.marks = 0  # that have come; nothing else is done about them yet
        if member.incarnation:  # else `prepare` comes when it has a process
            self._open_journal(member)

    def _both_sides(self, env: LocalSide, packer: Packer, limits: Limits) -> tuple[Asking, Answering]:
        outcomes = OutcomeCodec(packer, env)
        is_journaled = self._journals is not None
        asking = Asking(env, self.way, packer, outcomes, limits, is_journaled=is_journaled)
        return asking, Answering(env, self.way, packer, outcomes, limits)

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
        """Take the record of its process, of which nothing was taken yet. Then open the way."""
        self.way.member = member
        self._open_journal(member)

    def lose(self, loss: Loss) -> None:
        """Fail every request that it has not answered, and every later one: it is gone. Idempotent."""
        self.way.lose()
        self.asking.lose(loss)
        self.answering.lose()
