"""Envs of other Corps, as seen from one Env: peers like all others, but for what they may ask."""

import itertools
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from corps.addresses import BORDER, FOREIGN, is_runtimes_own
from corps.errors import BrokenError, CorpsError, NotPermitted, UnpackError
from corps.messages.callers import OWN, UNKNOWN, Caller
from corps.messages.members import Member
from corps.messages.outcomes import Refused
from corps.messages.requests import CALL, DROP
from corps.messages.streams import NOBODY, SENDER
from corps.packing.packer import Packer
from corps.peers.answering import Answering
from corps.peers.asking import Asking, Loss
from corps.peers.limits import Limits
from corps.peers.local_side import LocalSide
from corps.peers.outcome_codec import OutcomeCodec
from corps.peers.peer import Peer
from corps.peers.promises import WirePromise
from corps.security.audit import Audit
from corps.security.capabilities import is_capability
from corps.security.key_ring import KeyVerdict, fingerprint, judge_by_kernel
from corps.transport.link import Link, Transport
from corps.wire.frames import Frame, Hello, ProbeHeader, RequestHeader, border_frame

if TYPE_CHECKING:
    from corps.peers.members import Peers


class GuardedAnswering(Answering):
    """The requests of an Env of another Corps: only of workers whose Names this Corps has handed out."""

    secret: bytes | None = None  # of this Corps; None: it has handed out nothing
    caller: Caller = UNKNOWN  # whose Env it is; written before anything of it is taken
    audit: Audit

    def on_request(self, header: RequestHeader, frames: Sequence[Frame]) -> None:
        """Take a request, or refuse it. Nothing of one that is refused is unpacked."""
        if self.caller.is_own and self._may(header):
            super().on_request(header, frames)
            return
        target = f"{self._env.corps_id[:6]}/{self._env.id}/{header.conc}"
        if self.caller.is_own:
            kind = "capability"
            text = f"{header.method!r} of {target} was asked without a Name that this Corps has handed out"
        else:
            kind = "owner"
            text = f"{header.method!r} of {target} was asked by another owner, {self.caller.identity!r}"
        self.audit.refused(kind, f"{self._way.member.label}: {text}")
        if header.number:
            refusal = NotPermitted(text, target=target)
            WirePromise(self, header.number).settle(Refused(refusal))
        else:
            self.give_credit(sum(map(len, frames)) - len(frames[0]))

    def _may(self, header: RequestHeader) -> bool:
        if self.secret is None:
            return False
        if header.kind is DROP:  # it gives up what the peer has itself, and no more: see `_open`
            return not is_runtimes_own(header.conc)
        if header.conc == BORDER:
            return header.kind is CALL
        shown = (header.optional or {}).get("capability")
        return not is_runtimes_own(header.conc) and is_capability(
            self.secret, self._env.id, header.conc, shown
        )

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


class ForeignPeer(Peer):
    """One Env of another Corps, in one incarnation or before it is known. Thread-safe."""

    answering: GuardedAnswering
    owner: str = OWN  # the identity of its owner, or of the one that it has to have

    @property
    def place(self) -> tuple[str, int]:
        """Return the ids of its Corps and of it there."""
        member = self.member
        return member.corps, member.env if member.home is None else member.home

    @property
    def caller(self) -> Caller:
        """Return whose Env it is, as its key or the kernel says; `UNKNOWN` before it is known where it is."""
        return self.answering.caller

    @caller.setter
    def caller(self, caller: Caller) -> None:
        self.answering.caller = caller
        self.owner = caller.identity

    def guard(self, secret: bytes | None, audit: Audit) -> "ForeignPeer":
        """Say what it may ask. Before anything of it is taken. There are no searches for circles."""
        self.answering.secret, self.answering.audit = secret, audit
        del self.handlers[ProbeHeader]
        return self

    def _both_sides(self, env: LocalSide, packer: Packer, limits: Limits) -> tuple[Asking, GuardedAnswering]:
        outcomes = OutcomeCodec(packer, env, is_foreign=True)
        asking = Asking(env, self.way, packer, outcomes, limits, is_journaled=False, header_of=border_frame)
        return asking, GuardedAnswering(env, self.way, packer, outcomes, limits)


class ForeignPeers:
    """The Envs of other Corps that an Env knows: a part of its `Peers`. Thread-safe."""

    def __init__(
        self,
        peers: "Peers",
        env: LocalSide,
        transport: Transport,
        packer: Packer,
        limits: Limits,
        secret: bytes | None,
        came: "Callable[[ForeignPeer], object]",
        lost: "Callable[[ForeignPeer, Loss], object]",
        judge: Callable[[str], KeyVerdict] = judge_by_kernel,
    ) -> None:
        """Know none yet. `came` hears of visitors, and `lost` of each peer that is gone, before its requests.

        Only with a `secret` are visitors admitted. `judge` says whose a public key is; an empty one stands
        for the word of the kernel.
        """
        self._judge = judge
        self._peers = peers
        self._env = env
        self._transport = transport
        self._packer = packer
        self._limits = limits
        self._secret = secret
        self._came = came
        self._lost = lost
        self._numbers = itertools.count(FOREIGN)
        self._lock: Final = Lock()  # protects what follows
        self._by_incarnation: dict[str, ForeignPeer] = {}
        # By the ids of the Corps and of the Env, and the identity of its owner: nobody takes another's place.
        self._expected: dict[tuple[str, int, str], ForeignPeer] = {}
        if secret is not None:
            transport.on_visitor = self._admit_visitor

    def reach(self, member: Member) -> ForeignPeer:
        """Return the peer for a record of an Env of another Corps; connect to it if it is not known.

        Raises:
            BrokenError: It is not there.
            Overloaded: This process has no descriptors left.
        """
        with self._lock:
            known = self._by_incarnation.get(member.incarnation)
            if known is not None:
                return known
            local, caller = self._as_known_here(member), self._caller_of(member, member.public_key)
            self._transport.admit(local)
            try:
                link = self._transport.connect(local)
            except CorpsError:
                self._transport.expel(local)
                raise
            links = [link]
            return self._add(
                local, caller, lambda there: links.pop() if links else self._transport.connect(there)
            )

    def expect(self, corps: str, home: int, owner: str = OWN) -> ForeignPeer:
        """Return a peer that is not known to be anywhere: what is sent to it waits for `arrive`.

        `owner` is the identity that its key has to have.
        """
        with self._lock:
            peer = self._add(Member(next(self._numbers), "", "", corps=corps, home=home), UNKNOWN)
            peer.owner = owner
            self._expected[corps, home, owner] = peer
            return peer

    def arrive(self, peer: ForeignPeer, member: Member) -> None:
        """Let what waits for a peer leave, because it is known where it is.

        Nothing happens if it is expected no more: it has visited this Env meanwhile, or is lost.
        """
        loss: Loss | None = None
        with self._lock:
            if self._expected.get((*peer.place, peer.owner)) is not peer:
                return
            try:
                caller = self._caller_of(member, member.public_key)
                if member.incarnation in self._by_incarnation:  # what it answers would come from that one
                    loss = Loss("it is known as another Env of its Corps")
                elif caller.identity != peer.owner:
                    loss = Loss(f"its key is of {caller.identity!r}, and not of {peer.owner!r}")
                else:
                    self._settle(peer, member, caller)
            except BrokenError as error:
                loss = Loss(str(error))
        if loss is not None:
            self.lose(peer, loss)
        else:
            peer.way.open()

    def _settle(self, peer: ForeignPeer, member: Member, caller: Caller) -> None:
        """Give an expected peer its record. Caller holds the lock, and then opens the way."""
        del self._expected[*peer.place, peer.owner]
        local = self._as_known_here(member, peer.member.env)
        peer.caller = caller
        peer.prepare(local)
        self._transport.admit(local)
        self._by_incarnation[local.incarnation] = peer

    def lose(self, peer: ForeignPeer, loss: Loss) -> None:
        """Fail what is unanswered at a peer, and forget it. Idempotent."""
        with self._lock:
            incarnation = peer.member.incarnation
            if self._by_incarnation.get(incarnation) is peer:
                del self._by_incarnation[incarnation]
            if self._expected.get((*peer.place, peer.owner)) is peer:
                del self._expected[*peer.place, peer.owner]
            self._transport.expel(peer.member)
            self._peers.remove(peer)
        self._lost(peer, loss)
        peer.lose(loss)
        self._env.forget_holder(peer.member.env)

    def find(self, incarnation: str) -> ForeignPeer | None:
        """Return the peer that is known by its incarnation, if there is one."""
        return self._by_incarnation.get(incarnation)

    def _caller_of(self, member: Member, key: str) -> Caller:
        """Return whose an Env is that has proved a key, or that has to prove it to be connected to.

        Raises:
            BrokenError: The key does not count.
        """
        verdict = self._judge(key)
        if not verdict.counts:
            raise BrokenError(f"{member.label} has the key {fingerprint(key)}, which is {verdict.reason}")
        mark = fingerprint(key) if key else ""
        return Caller(verdict.identity, member.corps, mark, verdict.identity == OWN)

    def _as_known_here(self, member: Member, number: int | None = None) -> Member:
        """Return a record under a number of this Env."""
        home = member.env if member.home is None else member.home
        number = next(self._numbers) if number is None else number
        where = member.endpoint, member.public_key, member.generation
        return Member(number, member.incarnation, *where, corps=member.corps, home=home)

    def _add(
        self, local: Member, caller: Caller, connect: Callable[[Member], Link] | None = None
    ) -> ForeignPeer:
        """Make a peer. Caller holds the lock."""
        connect = connect or self._transport.connect
        parts = self._packer, self._give_up, self._limits
        peer = ForeignPeer(self._env, local, connect, *parts, None, "").guard(self._secret, self._peers.audit)
        peer.caller = caller
        if local.incarnation:
            self._by_incarnation[local.incarnation] = peer
        self._peers.add(peer)
        return peer

    def _give_up(self, peer: Peer, reason: str) -> None:
        if isinstance(peer, ForeignPeer):
            self.lose(peer, Loss(reason))

    def _admit_visitor(self, hello: Hello, key: str) -> Member | None:
        """Admit an Env of another Corps that has connected; None if it may not. In the thread that reads.

        `key` is the one that it has proved. Answers go to the one in its HELLO, which has to be of the same
        owner.
        """
        visitor = Member(hello.env, hello.incarnation, hello.endpoint, hello.public_key, corps=hello.corps)
        try:
            caller = self._caller_of(visitor, key)
            answers_to = self._caller_of(visitor, hello.public_key)
        except BrokenError as error:
            self._peers.audit.refused("key", str(error))
            return None
        if caller.identity != answers_to.identity:
            self._peers.audit.refused("key", f"{visitor.label} wants its answers sent to another owner")
            return None
        with self._lock:
            known = self._by_incarnation.get(hello.incarnation)
            if known is not None:
                return known.member
            expected = self._expected.get((hello.corps, hello.env, caller.identity))
            if expected is not None:  # one Env has one peer: its answers come by this connection
                self._settle(expected, visitor, caller)
            else:
                peer = self._add(self._as_known_here(visitor), caller)
                self._transport.admit(peer.member)
        if expected is not None:
            expected.way.open()
            return expected.member
        self._came(peer)
        return peer.member
