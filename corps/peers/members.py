"""All other Envs of the Corps, as seen from one of them: the membership, and the way to each member."""

import itertools
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from threading import Lock
from typing import Final

from corps.addresses import FOREIGN, ConcAddr, env_label
from corps.clock import now
from corps.core import know_peers, native
from corps.errors import EnvLost, VersionMismatch, WireError
from corps.messages.endings import Reason
from corps.messages.members import Member
from corps.messages.outcomes import Refused
from corps.messages.requests import Request
from corps.packing.packer import Packer
from corps.peers.asking import Loss
from corps.peers.limits import Limits
from corps.peers.local_side import LocalSide
from corps.peers.peer import Peer
from corps.security.audit import Audit, Details
from corps.transport.link import Transport
from corps.wire.frames import READERS, Frame, OutcomeHeader, ProbeHeader, RequestHeader, read, read_header

_log = logging.getLogger("corps.transport")

_BROKEN: Final = 0.5  # seconds that the membership has to say why a link broke
_FORSAKEN: Final = 5.0  # seconds that it then has to do something about an Env that cannot be reached


@native
class Peers:
    """The other Envs of a Corps. Thread-safe."""

    def __init__(
        self,
        env: LocalSide,
        transport: Transport,
        packer: Packer,
        *,
        window: tuple[int, int],
        patience: float | None,
        journals: str | None = None,  # the directory of the start journals
        incarnation: str = "",
    ) -> None:
        self._env = env
        self._journals = journals
        self._incarnation = incarnation
        self._transport = transport
        self._packer = packer
        self._window, self._patience = window, patience
        self.audit = Audit(f"{env_label(env.id)}")
        """What members sent that the protocol does not allow, by kind. Used by the thread that reads."""
        self.audits: tuple[Audit, ...] = (self.audit,)
        """What counts beside the transport what was refused."""
        self._lock = Lock()  # protects _peers and _lost
        self._peers: dict[int, Peer] = {}
        self._lost: dict[int, str] = {}
        self.on_unreachable: Callable[[int, str], object] | None = None
        """Called with an Env that is a member, and cannot be reached, and why. It should be ended."""
        self.on_foreign_loss: Callable[[Peer, Loss], object] | None = None
        """Called in the thread that reads with an Env of another Corps that is gone."""

    def add(self, peer: Peer) -> None:
        """Take what comes from a peer of another Corps, by its number here."""
        with self._lock:
            self._peers[peer.member.env] = peer

    def remove(self, peer: Peer) -> None:
        """Take nothing any more of a peer of another Corps."""
        with self._lock:
            self._peers.pop(peer.member.env, None)

    def count_too(self, audit: Audit) -> None:
        """Count what is refused there as well. Before anything is."""
        self.audits = (*self.audits, audit)

    def record_of(self, env: int) -> Member | None:
        """Return the record of another Env; None if it is not there."""
        peer = self._peers.get(env)
        return None if peer is None else peer.member

    def refused(self) -> dict[str, int]:
        """Return how often something was refused, by kind: peers, and what they have sent."""
        counts = Counter(dict(self._transport.audit.counts))  # copies: the thread that reads goes on counting
        for audit in self.audits:
            counts.update(dict(audit.counts))
        del counts["admitted"]
        return dict(counts)

    def start(self) -> None:
        """Take what is read from now on."""
        self._transport.start(self._on_message, self._on_broken)

    def learn(self, member: Member) -> None:
        """Let an Env join. One that is known already makes no difference."""
        with self._lock:
            known = self._peers.get(member.env)
            if member.env == self._env.id or (known is not None and known.member == member):
                return
            is_awaited = known is not None and not known.member.incarnation
            former = None if known is None or is_awaited else known.member
            if known is not None and is_awaited:
                known.prepare(member)  # before anything of it is taken
            # Admitted before it can be found here: so nobody can expel it before it is admitted.
            self._transport.admit(member)
            self._lost.pop(member.env, None)
            if not is_awaited:
                self._peers[member.env] = self._new_peer(member)
        if known is None:
            return
        if former is None:
            known.way.open()
        else:  # it was started again before its end was known
            self._transport.expel(former)
            known.lose(Loss("it was started again"))

    def admit(self, member: Member) -> None:
        """Let another process of an Env connect that will be learned soon, but send nothing yet."""
        self._transport.admit(member)

    def _new_peer(self, member: Member) -> Peer:
        connect, journals, own = self._transport.connect, self._journals, self._incarnation
        limits = Limits(self._window, self._patience, self._transport.max_frame_to(member))
        return Peer(self._env, member, connect, self._packer, self._give_up, limits, journals, own)

    def when_read(self, env: int, then: Callable[[], object]) -> bool:
        """Call `then` in the thread that reads when all was read of an Env whose process has ended.

        Return False if nobody can say when that is: then it is not called.
        """
        with self._lock:
            peer = self._peers.get(env)
        return peer is not None and self._transport.when_read(peer.member, then)

    def lose(
        self,
        env: int,
        reason: str,
        cause: Reason = "lost",
        *,
        has_died: bool = False,
        returns: bool = False,
        refusal: VersionMismatch | None = None,
    ) -> None:
        """Fail all that is unanswered at an Env, because it is gone. See `Loss`.

        If it `returns`, it will have another process: what is sent there waits for that. Else it fails.
        """
        with self._lock:
            peer = self._peers.get(env)
            if returns and peer is not None and not peer.member.incarnation:
                return  # it is awaited already
            if peer is not None:  # before another one can be found: that must not get what is of this one
                self._transport.expel(peer.member)
            self._peers.pop(env, None)
            if returns and env != self._env.id:
                self._peers[env] = self._new_peer(Member(env, "", ""))
            else:
                self._lost[env] = reason
        if peer is not None:
            peer.lose(Loss(reason, cause, has_died, refusal))
            self._env.forget_holder(env)

    def _give_up(self, peer: Peer, reason: str) -> None:
        """Lose a peer to which nothing can be sent. Its messages are not taken any more, either."""
        with self._lock:
            is_known = self._peers.get(peer.member.env) is peer
        if not is_known:
            peer.lose(Loss(reason))
        elif self.on_unreachable is None:
            self.lose(peer.member.env, reason)
        else:  # mostly it has just died: the membership says next whether it comes back
            self.lose(peer.member.env, reason, returns=True)
            self._report(peer.member.env, reason)

    def send(self, request: Request) -> None:
        """Send a request, or settle it with EnvLost if there is no such Env. Raises as `Asking.send`."""
        peer = self._peers.get(request.target.env)  # one look-up is atomic
        if peer is None:
            self._settle_lost(request)
        else:
            peer.asking.send(request)

    async def send_when_room(self, request: Request) -> None:
        """Do the same in a coroutine, which waits for room without blocking its event loop."""
        peer = self._peers.get(request.target.env)
        if peer is None:
            self._settle_lost(request)
        else:
            await peer.asking.send_when_room(request)

    def _settle_lost(self, request: Request) -> None:
        reason = self._lost.get(request.target.env, "there is no such Env in this Corps")
        text = f"{env_label(request.target.env)} is lost: {reason}"
        error = EnvLost(text, executed="no", target=str(request.target))
        self._env.letters.settle(request, Refused(error, "lost"))

    def lending(self, frames: Sequence[Frame]) -> AbstractContextManager[None]:
        """Let what lies in the memory of frames be sent on without a copy; see `Transport.lending`."""
        return self._transport.lending(frames)

    def is_roomy(self, env: int, more: int) -> bool:
        """Return whether an Env is there, and has plenty of room for `more` requests than it has."""
        peer = self._peers.get(env)
        return peer is not None and peer.asking.room.is_roomy(more)  # without its lock

    def probe(self, request: Request, header: ProbeHeader) -> None:
        """Send a probe after a request that was sent to another Env."""
        peer = self._peers.get(request.target.env)
        if peer is not None:
            peer.asking.probe(request.target.conc, header)

    def when_answered(self, then: Callable[[], object]) -> None:
        """Call `then` once, here or in the thread that reads, when all peers have dealt with all requests."""
        with self._lock:
            peers = list(self._peers.values())
        left = itertools.count(len(peers), -1)  # each `next` is atomic

        def one_more() -> None:
            if next(left) == 0:
                then()

        for peer in peers:
            peer.asking.when_answered(one_more)
        one_more()

    def ids(self) -> list[int]:
        """Return the ids of the other Envs that are there, or will have another process."""
        return [env for env in list(self._peers) if env < FOREIGN]

    def statistics(self) -> dict[int, dict[str, int]]:
        """Return the requests unanswered in both directions, by Env."""
        with self._lock:
            peers = dict(self._peers)
        return {
            env: {"sent": peer.asking.count(), "received": peer.answering.count()}
            for env, peer in peers.items()
            if env < FOREIGN
        }

    def close(self) -> None:
        """Let go of all links; what is unanswered fails. Nobody reads any more."""
        with self._lock:
            peers = list(self._peers.values())
        for peer in peers:
            peer.answering.give_rest()
        self._transport.close()
        for peer in peers:
            peer.lose(Loss("this Env has closed", log_level=logging.INFO))

    def _on_broken(self, member: Member, refusal: VersionMismatch | None) -> None:
        """Note that the link to a member broke. In the thread that reads.

        Mostly the member has ended, which the membership says in a moment, and better. If it does not,
        requests must not wait for ever for what went with the link. Nobody here says it of another Corps.
        """
        if member.corps:
            self._lose_foreign(member, "its connection broke" if refusal is None else str(refusal), refusal)
            return
        if refusal is not None and self._is_there(member):
            self.lose(member.env, str(refusal), refusal=refusal)
            self._report(member.env, str(refusal))
            return
        reason = "its connection broke, though it is not known to have ended"

        def report() -> None:
            if self._is_there(member):
                self._report(member.env, reason)

        def give_up() -> None:
            if self._is_there(member):
                self.lose(member.env, reason)

        self._env.alarms.at(now() + _BROKEN, report)
        self._env.alarms.at(now() + _FORSAKEN, give_up)

    def _lose_foreign(self, member: Member, reason: str, refusal: VersionMismatch | None) -> None:
        peer = self._peers.get(member.env)
        if peer is not None and peer.member == member and self.on_foreign_loss is not None:
            self.on_foreign_loss(peer, Loss(reason, refusal=refusal))

    def _is_there(self, member: Member) -> bool:
        with self._lock:
            peer = self._peers.get(member.env)
        return peer is not None and peer.member == member

    def _report(self, env: int, reason: str) -> None:
        if self.on_unreachable is not None:
            self.on_unreachable(env, reason)

    def _on_message(self, env: int, frames: Sequence[Frame]) -> None:
        """Handle a message of a member. Thread that reads only."""
        peer = self._peers.get(env)
        if peer is None:
            self._note_fenced(env, frames)
            return
        try:
            header = read(frames, READERS)
            on_header = peer.handlers.get(type(header))
            if on_header is None:
                raise WireError(f"it sent a {type(header).__name__} where none belongs")
            on_header(header, frames)
        except WireError as error:
            text = f"{peer.member.label} broke the protocol: {error}"
            self.audit.refused("protocol", text, Details.of(peer.answering.caller))
        except Exception as error:
            self._note_defect(env, error)

    def _note_defect(self, env: int, error: Exception) -> None:
        """Note a defect of ours, which may come again at any rate. Thread that reads only."""
        peer = self._peers.get(env)
        label = env_label(env) if peer is None else peer.member.label
        text = f"a message of {label} led to {type(error).__name__}: {error}"
        self.audit.refused("defect", text, Details() if peer is None else Details.of(peer.answering.caller))
        _log.debug("please report this", exc_info=error)

    def _note_fenced(self, env: int, frames: Sequence[Frame]) -> None:
        """Note a message of an Env that was lost meanwhile, which is not taken."""
        try:
            header = read_header(frames)
        except WireError:
            return
        if isinstance(header, RequestHeader):
            corps_id = self._env.corps_id
            sender = None if header.sender is None else ConcAddr(corps_id, *header.sender)
            target = ConcAddr(corps_id, self._env.id, header.conc)
            self._env.letters.note("fenced", sender, target, header.method)
        elif isinstance(header, OutcomeHeader):
            self._env.letters.note(
                "fenced", None, self._env.id, "", f"the outcome came from {env_label(env)}"
            )


know_peers(Peers)
