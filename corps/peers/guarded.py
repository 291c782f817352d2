"""The requests of an Env of another Corps: only of workers whose Names this Corps has handed out."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from corps.addresses import BORDER, is_runtimes_own
from corps.clock import now
from corps.errors import CorpsError, NotPermitted, Overloaded, RequestError, UnpackError, WorkerGone
from corps.messages.callers import UNKNOWN, Caller
from corps.messages.outcomes import Outcome, Refused, Value
from corps.messages.requests import CALL, DROP, EXIT, EXIT_LAST, EXIT_NOW, PULL
from corps.messages.streams import NOBODY, SENDER
from corps.packing.packer import Packer
from corps.peers.fair_answering import FairAnswering
from corps.peers.limits import Limits
from corps.peers.local_side import LocalSide
from corps.peers.outcome_codec import OutcomeCodec
from corps.peers.promises import WirePromise
from corps.peers.proving import AUTHENTICATE, Proving
from corps.peers.terms import Standing
from corps.peers.way import Way
from corps.security.audit import Details
from corps.security.capabilities import Capabilities
from corps.security.permissions import CALL as CALL_VERB
from corps.security.permissions import OPERATING, Asked, rules_of_class
from corps.security.permissions import Refused as Forbidden
from corps.wire.frames import Frame, RequestHeader

_ENDINGS: Final = frozenset({"exit", EXIT_LAST, EXIT_NOW})  # how a user may end a worker
_FACTS: Final = frozenset({"describe", "where_is"})  # methods that a list of Corps asks for
_AWAY: Final = 1.0  # seconds after which a worker may be there again whose Env was started again


class Denial(NamedTuple):
    """Why a request is refused: in one word for the audit, empty for none; and as the error of its caller."""

    kind: str
    error: CorpsError


class GuardedAnswering(FairAnswering):
    """The requests of an Env of another Corps of the same owner. Thread-safe, as `Answering`.

    With credentials of a user it asks as that user: for public methods that the rules allow.
    """

    caller: Caller = UNKNOWN  # for whom the peer asks; replaced as a whole

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
        self._prepare()
        _, self._terms, self._audit = standing
        self._capabilities = Capabilities(self._terms.secret or b"", env.id)
        self.proving = Proving(self._terms.guard, way.member.label, self._became)
        """For whom it asks. What its key says is written before anything of it is taken."""

    def _became(self, caller: Caller) -> None:
        self.caller = caller
        self.weight = self._terms.weights.get(caller.identity, 1)

    def _prepare(self) -> None:
        """Make what a derived class has for itself, before anything comes."""

    def on_request(self, header: RequestHeader, frames: Sequence[Frame]) -> None:
        """Take a request, or refuse it. Nothing of one that is refused is unpacked."""
        if header.conc == BORDER and header.method == AUTHENTICATE and header.kind is CALL:
            self._prove(header, frames)
            return
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
        if self.proving.refusal is not None and header.kind is not DROP and not self._asks_for_facts(header):
            unproved = self.proving.denial(self._target(header))
            if unproved is not None:
                is_new, error = unproved
                return Denial("credentials" if is_new else "", error)
        if not self._has_name(header):
            target = self._target(header)
            text = f"{header.method!r} of {target} was asked without a Name that this Corps has handed out"
            return Denial("capability", NotPermitted(text, target=target))
        return None if self.caller.is_own else self._denial_of_user(header, frames)

    def _asks_for_facts(self, header: RequestHeader) -> bool:
        """Return whether the owner asks for what a list of Corps shows."""
        return header.conc == BORDER and header.method in _FACTS and self.caller.is_own

    def _denial_of_user(self, header: RequestHeader, frames: Sequence[Frame]) -> Denial | None:
        """Return why a request of another user than the owner may not go on; None if it may."""
        if header.kind is CALL or (header.kind is EXIT and header.method in _ENDINGS):
            return self._judged(header, len(frames[1]))
        if header.kind is DROP or header.kind is PULL:  # a PULL of what this program was given
            return None
        return self._not_a_call(header)

    def _not_a_call(self, header: RequestHeader) -> Denial:
        target = self._target(header)
        text = f"{self.caller.identity!r} may call methods of {target}, and ask for nothing else of it"
        return Denial("permission", NotPermitted(text, target=target))

    def _judged(self, header: RequestHeader, size: int) -> Denial | None:
        """Return what the rules say against a call, or against the end of a worker."""
        verb = OPERATING.get(header.method) if header.conc == BORDER else None
        target = self._target(header)
        # Rules speak of the class of the Corps object; the front has it.
        interface = self._env.interface_at(header.conc) if verb is None else self._env.interface_of_corps()
        if interface is None:
            return Denial("", self._absent(header.conc, target))
        caller = self.caller
        asked = Asked(
            caller.identity,
            caller.key,
            False,
            interface.class_name,
            verb or (CALL_VERB if header.kind is CALL else "exit"),
            header.method,
            header.method in interface.public,
            size,
        )
        decision = self._terms.permissions.judge(asked, now(), rules_of_class(interface.author))
        if isinstance(decision, Forbidden):
            if decision.retry_after is None:
                return Denial("permission", NotPermitted(decision.reason, target=target))
            error = Overloaded(decision.reason, retry_after=decision.retry_after, target=target)
            return Denial("rate", error)
        return None

    def _absent(self, conc: int, target: str) -> RequestError:
        if self._env.may_come(conc):
            text = f"the worker {target} is not there, because its Env was started again: ask again"
            return Overloaded(text, retry_after=_AWAY, target=target)
        return WorkerGone(f"the worker {target} has ended", executed="no", target=target)

    def _prove(self, header: RequestHeader, frames: Sequence[Frame]) -> None:
        """Take credentials of the peer, and answer when they were checked."""

        def then(error: CorpsError | None) -> None:
            self._settle(header, frames, Value(None) if error is None else Refused(error))

        self.proving.take(header, frames, then)

    def lose(self) -> None:
        """See `Answering.lose`."""
        super().lose()
        self.proving.lose()

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

    def open(self, header: RequestHeader, frames: Sequence[Frame]) -> tuple[object, ...]:
        """See `Answering.open`. An Env speaks of no other holder of iterators than of itself."""
        opened = super().open(header, frames)
        if header.kind is not DROP:
            return opened
        return (_of_peer(opened[0], self.env_id), *opened[1:])


def _of_peer(args: Any, number: int) -> tuple[int, int, int, int]:
    """Return the arguments of a DROP, in which the peer with this number here speaks of itself alone."""
    if type(args) is not tuple or len(args) != 4 or not all(type(each) is int for each in args):
        raise UnpackError(f"a DROP of another Corps has the arguments {args!r:.80}")
    generator, share, holder, change = args
    return generator, share, number if holder == SENDER else NOBODY, change
