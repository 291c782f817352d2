"""The requests of an Env of another Corps: only of workers whose Names this Corps has handed out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from corps.addresses import BORDER, is_runtimes_own
from corps.errors import CorpsError, NotPermitted, Overloaded, UnpackError
from corps.messages.callers import UNKNOWN, Caller
from corps.messages.outcomes import Outcome, Refused
from corps.messages.requests import CALL, DROP
from corps.messages.streams import NOBODY, SENDER
from corps.packing.packer import Packer
from corps.peers.fair_answering import FairAnswering
from corps.peers.limits import Limits
from corps.peers.local_side import LocalSide
from corps.peers.outcome_codec import OutcomeCodec
from corps.peers.promises import WirePromise
from corps.peers.terms import Standing
from corps.peers.way import Way
from corps.security.audit import Details
from corps.security.capabilities import Capabilities
from corps.wire.frames import Frame, RequestHeader


class Denial(NamedTuple):
    """Why a request is refused: in one word for the audit, empty for none; and as the error of its caller."""

    kind: str
    error: CorpsError


class GuardedAnswering(FairAnswering):
    """The requests of an Env of another Corps of the same owner. Thread-safe, as `Answering`."""

    caller: Caller = UNKNOWN  # whose Env it is; written before anything of it is taken

    def __init__(
        self,
        env: LocalSide,
        way: Way,
        packer: Packer,
        outcomes: OutcomeCodec,
        limits: Limits,
        standing: Standing,
    ) -> None:
        super().__init__(env, way, packer, outcomes, limits)
        _, self._terms, self._audit = standing
        self._capabilities = Capabilities(self._terms.secret or b"", env.id)

    def on_request(self, header: RequestHeader, frames: Sequence[Frame]) -> None:
        """Take a request, or refuse it. Nothing of one that is refused is unpacked."""
        denial = self._denial(header, frames)
        if denial is None:
            self._take(header, frames)
        else:
            self._refuse(header, frames, denial)

    def _take(self, header: RequestHeader, frames: Sequence[Frame]) -> None:
        """Take a request that may go on."""
        super().on_request(header, frames)

    def _denial(self, header: RequestHeader, frames: Sequence[Frame]) -> Denial | None:
        """Return why a request may not go on; None if it may."""
        if self._has_name(header):
            return None
        target = self._target(header)
        text = f"{header.method!r} of {target} was asked without a Name that this Corps has handed out"
        return Denial("capability", NotPermitted(text, target=target))

    def _target(self, header: RequestHeader) -> str:
        return f"{self._env.corps_id[:6]}/{self._env.id}/{header.conc}"

    def _has_name(self, header: RequestHeader) -> bool:
        if self._terms.secret is None:
            return False
        if header.kind is DROP:  # it gives up what the peer has itself, and no more: see `_open`
            return not is_runtimes_own(header.conc)
        if header.conc == BORDER:
            return header.kind is CALL
        shown = (header.optional or {}).get("capability")
        return not is_runtimes_own(header.conc) and self._capabilities.are_right(header.conc, shown)

    def _refuse(self, header: RequestHeader, frames: Sequence[Frame], denial: Denial) -> None:
        if denial.kind:
            wait = denial.error.retry_after if isinstance(denial.error, Overloaded) else None
            reason = f"{self._way.member.label}: {denial.error}"
            self._audit.refused(denial.kind, reason, Details.of(self.caller, wait))
        self._settle(header, frames, Refused(denial.error))

    def _settle(self, header: RequestHeader, frames: Sequence[Frame], outcome: Outcome) -> None:
        """Answer a request that reaches no worker."""
        if header.number:
            WirePromise(self, header.number).settle(outcome)
        else:
            self.give_credit(sum(map(len, frames)) - len(frames[0]))

    def _open(self, header: RequestHeader, frames: Sequence[Frame]) -> tuple[object, ...]:
        """See `Answering._open`. An Env speaks of no other holder of iterators than of itself."""
        opened = super()._open(header, frames)
        if header.kind is not DROP:
            return opened
        return (_of_peer(opened[0], self.env_id), *opened[1:])


def _of_peer(args: Any, number: int) -> tuple[int, int, int, int]:
    """Return the arguments of a DROP, in which the peer with this number here speaks of itself alone."""
    if type(args) is not tuple or len(args) != 4 or not all(type(each) is int for each in args):
        raise UnpackError(f"a DROP of another Corps has the arguments {args!r:.80}")
    generator, share, holder, change = args
    return generator, share, number if holder == SENDER else NOBODY, change
