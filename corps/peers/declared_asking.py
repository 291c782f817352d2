"""What this Env asks of an Env of another owner: calls, with arguments as their methods declare them.

Which class a worker has is known from its Name here, and from nothing that has come. Where the class is not
loaded, plain data goes, and plain data comes.
"""

from collections.abc import Sequence
from typing import NamedTuple

from corps.addresses import ConcAddr
from corps.clock import now
from corps.errors import DefinitionError, NotPermitted, WireError
from corps.messages.contacts import ExtAddr
from corps.messages.interfaces import Interface
from corps.messages.outcomes import Outcome, Refused
from corps.messages.requests import CALL, DROP, EXIT, PULL, Kind, Request
from corps.packing.codecs import DATA
from corps.packing.data import encode_data
from corps.packing.declared import PLAIN, DeclaredMethod
from corps.packing.declared_classes import DeclaredClasses
from corps.packing.packer import Packed, Packer
from corps.peers.asking import Loss
from corps.peers.declared_outcomes import Arriving, received_iterator
from corps.peers.fair_asking import FairAsking
from corps.peers.limits import Limits
from corps.peers.local_side import LocalSide
from corps.peers.outcome_codec import OutcomeCodec, ReceivedOutcome
from corps.peers.way import Way
from corps.wire.frames import RETURNED, STREAMED, Frame, OutcomeHeader, border_frame


class _Asked(NamedTuple):
    """What has to be known of a request to read its outcome."""

    kind: Kind
    target: ConcAddr
    method: str


class DeclaredAsking(FairAsking):
    """The requests to one peer of another owner. Thread-safe, as `Asking`."""

    def __init__(
        self,
        env: LocalSide,
        way: Way,
        packer: Packer,
        outcomes: OutcomeCodec,
        limits: Limits,
        declared: DeclaredClasses,
    ) -> None:
        super().__init__(env, way, packer, outcomes, limits, is_journaled=False, header_of=border_frame)
        self._declared = declared
        self._asked: dict[int, _Asked] = {}  # by number; the lock of `Asking` protects it
        self._answered: _Asked | None = None  # of the outcome that is being taken; for the thread that reads

    def _packed(self, request: Request) -> Packed:
        """See `Asking._packed`. What travels with other requests stays here."""
        kind = request.kind
        if kind is CALL:
            method = self._method(request.target, request.method)
            return Packed(DATA, method.pack_arguments(request.args, request.kwargs), ())
        if kind is PULL:
            number, ahead = request.args
            return _plain([number] if ahead is None else [number, ahead])
        if kind is DROP:
            return _plain([request.args[0]])
        if kind is EXIT:
            return _plain([])
        raise NotPermitted(
            f"{request.method!r} of {request.target}: a worker of another owner takes calls of methods alone",
            target=str(request.target),
        )

    def _number(self, request: Request, size: int) -> None:
        """See `Asking._number`. Caller holds the lock."""
        super()._number(request, size)
        if request.number in self._pending:
            self._asked[request.number] = _Asked(request.kind, request.target, request.method)

    def on_outcome(self, header: OutcomeHeader, frames: Sequence[Frame]) -> None:
        """See `Asking.on_outcome`."""
        with self._lock:  # before the number is free for another request
            self._answered = self._asked.pop(header.number, None)
        super().on_outcome(header, frames)

    def _received(self, header: OutcomeHeader, frames: Sequence[Frame], sent: float | None) -> Outcome:
        """See `Asking._received`."""
        if self._answered is None:  # of a watch, which is not sent
            raise WireError(f"there is no request {header.number} that waits for an outcome")
        kind, target, name = self._answered
        status, codec, frames = header.status, header.codec, frames[1:]
        if status == STREAMED and kind is CALL:
            return received_iterator(self.env, target, name, codec, frames)
        if kind is PULL:
            name = target.stream_of if isinstance(target, ExtAddr) else ""
        try:
            method = self._method(target, name) if kind is PULL or kind is CALL else PLAIN
        except DefinitionError as error:  # the class was loaded after the request was sent
            return Refused(error)
        elapsed = None if status == RETURNED or sent is None else now() - sent
        return ReceivedOutcome(Arriving(method, target, is_pull=kind is PULL), status, codec, frames, elapsed)

    def lose(self, loss: Loss) -> None:
        """See `Asking.lose`."""
        super().lose(loss)
        with self._lock:
            self._asked.clear()

    def _method(self, target: ConcAddr, method: str) -> DeclaredMethod:
        """Return what is declared of a method; DefinitionError if that cannot travel."""
        interface = target.interface if isinstance(target, ExtAddr) else None
        cls = None if interface is None else interface.loaded
        try:
            return self._declared.of(cls, method)
        except DefinitionError:
            known = getattr(cls, "_corps_interface", None)
            if isinstance(known, Interface) and method not in known.public:
                return PLAIN  # it is for the other owner to refuse it
            raise


def _plain(value: list[int]) -> Packed:
    return Packed(DATA, encode_data(value), ())
