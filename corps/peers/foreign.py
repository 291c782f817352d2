"""Envs of other Corps, as seen from one Env: peers like all others, but for what they may ask."""

import itertools
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Final

from corps.addresses import FOREIGN
from corps.errors import BrokenError, CorpsError, Unreachable
from corps.messages.callers import OWN, UNKNOWN, Caller
from corps.messages.members import Member
from corps.packing.packer import Packer
from corps.peers.asking import Loss
from corps.peers.declared_asking import DeclaredAsking
from corps.peers.declared_outcomes import DeclaredOutcomes
from corps.peers.fair_asking import FairAsking
from corps.peers.guarded import GuardedAnswering
from corps.peers.judged import JudgedAnswering
from corps.peers.limits import Limits
from corps.peers.local_side import LocalSide
from corps.peers.outcome_codec import OutcomeCodec
from corps.peers.peer import Peer
from corps.peers.reception import Reception
from corps.peers.terms import Standing, Terms
from corps.security.audit import Details
from corps.security.credentials import Credentials
from corps.security.key_ring import fingerprint
from corps.transport.link import Link, Transport
from corps.wire.fair_share import LEAST, Room
from corps.wire.frames import (
    DefineHeader,
    Hello,
    ProbeHeader,
    SharedHeader,
    ShareHeader,
    WorkingHeader,
    border_frame,
)

if TYPE_CHECKING:
    from corps.peers.members import Peers

Place = tuple[str, int, str]
"""The ids of a Corps and of an Env of it, and the identity of their owner.

An owner can say of its Envs what it likes, but takes the place of no Env of another owner."""


class ForeignPeer(Peer):
    """One Env of another Corps, in one incarnation or before it is known. Thread-safe.

    Whether it belongs to another owner decides which of its bytes are read how. That is known when this is
    made, by the key that it has proved or has to prove, and never changes.
    """

    asking: FairAsking
    answering: GuardedAnswering

    def __init__(
        self,
        env: LocalSide,
        member: Member,
        connect: Callable[[Member], Link],
        packer: Packer,
        give_up: Callable[[Peer, str], None],
        limits: Limits,
        standing: Standing,
    ) -> None:
        self._standing = standing
        self.owner = standing.owner
        is_own = self.owner == OWN
        packer = packer if is_own else Packer(codec="data")
        super().__init__(env, member, connect, packer, give_up, limits, None, "")
        del self.handlers[ProbeHeader]  # no Corps searches for circles in another one
        if not is_own:
            del self.handlers[DefineHeader]  # which brings code
        self.handlers[ShareHeader] = self.asking.on_share
        self.handlers[SharedHeader] = self.answering.on_shared
        self.handlers[WorkingHeader] = self.asking.on_working

    @property
    def place(self) -> Place:
        """Return where those that ask it look for it."""
        member = self.member
        return member.corps, member.env if member.home is None else member.home, self.owner

    @property
    def caller(self) -> Caller:
        """Return for whom it asks, as its credentials, its key or the kernel says; `UNKNOWN` before that."""
        return self.answering.caller

    def know(self, caller: Caller) -> None:
        """Take whose key the Env has proved, or the word of the kernel. Before anything of it is taken."""
        self.answering.proving.know(caller)

    def present(self, credentials: Credentials) -> None:
        """Present credentials to it; what it is asked from now on waits until it has taken or refused them.

        A MemoryError says that nothing was sent.
        """
        self.way.hold()
        self.asking.present(credentials, self.way.release)

    def _both_sides(
        self, env: LocalSide, packer: Packer, limits: Limits
    ) -> tuple[FairAsking, GuardedAnswering]:
        way, standing = self.way, self._standing
        least = limits._replace(window=LEAST)  # until the peer says how much it may be
        if standing.owner != OWN:
            declared = DeclaredOutcomes(env)
            asking = DeclaredAsking(env, way, packer, declared, least, standing.terms.declared)
            return asking, JudgedAnswering(env, way, packer, declared, limits, standing)
        outcomes = OutcomeCodec(packer, env, is_foreign=True)
        own = FairAsking(env, way, packer, outcomes, least, is_journaled=False, header_of=border_frame)
        return own, GuardedAnswering(env, way, packer, outcomes, limits, standing)


class ForeignPeers:
    """The Envs of other Corps that an Env knows: a part of its `Peers`. Thread-safe."""

    def __init__(
        self,
        peers: "Peers",
        env: LocalSide,
        transport: Transport,
        packer: Packer,
        limits: Limits,
        terms: Terms,
        came: "Callable[[ForeignPeer], object]",
        lost: "Callable[[ForeignPeer, Loss], object]",
        *,
        room: Room,
        pause: float,
        credentials: Callable[[str, str], Credentials | None] = lambda corps, owner: None,
    ) -> None:
        """Know none yet. `came` hears of visitors, and `lost` of each peer that is gone, before its requests.

        Only with a secret in the `terms` are visitors admitted. All peers share `room`, and none has more of
        it than the window of the limits. `pause` are the seconds between two signs of life.
        `credentials` are those to present to the Envs of a Corps, by its id and the identity of its owner.
        """
        self.reception = Reception(env, room, Room(*limits.window))
        """Where their requests wait for their turn."""
        self._pause = pause
        self._credentials = credentials
        self._peers = peers
        self._env = env
        self._transport = transport
        self._packer = packer
        self._limits = limits
        self._terms = terms
        self._came = came
        self._lost = lost
        self._numbers = itertools.count(FOREIGN)
        self._lock: Final = Lock()  # protects what follows
        self._by_incarnation: dict[str, ForeignPeer] = {}
        self._expected: dict[Place, ForeignPeer] = {}
        if terms.secret is not None:
            transport.on_visitor = self._admit_visitor

    def reach(self, member: Member) -> ForeignPeer:
        """Return the peer for a record of an Env of another Corps; connect to it if it is not known.

        Raises:
            BrokenError: It is not there.
            Overloaded: This process has no descriptors left.
        """
        with self._lock:
            known = self._by_incarnation.get(member.incarnation)
            caller = self._terms.caller_of(member, member.public_key)
            if known is not None and known.owner != caller.identity:
                raise BrokenError(f"another owner has an Env that says it is {member.label}")
            if known is not None:
                return known
            local = self._as_known_here(member)
            self._transport.admit(local)
            try:
                link = self._transport.connect(local)
            except CorpsError:
                self._transport.expel(local)
                raise
            links = [link]
            peer = self._add(
                local,
                caller,
                caller.identity,
                lambda there: links.pop() if links else self._transport.connect(there),
            )
        self._present(peer)
        return peer

    def expect(self, corps: str, home: int, owner: str = OWN, endpoint: str = "") -> ForeignPeer:
        """Return a peer that is not known to be anywhere: what is sent to it waits for `arrive`.

        `owner` is the identity that its key has to have, and `endpoint` one at which it may be, or empty.
        """
        with self._lock:
            local = Member(next(self._numbers), "", endpoint, corps=corps, home=home)
            peer = self._add(local, UNKNOWN, owner)
            self._expected[peer.place] = peer
        self._present(peer)
        return peer

    def present(self, corps: str, owner: str) -> None:
        """Present the credentials for a Corps to all its Envs that are known."""
        with self._lock:
            known = {*self._by_incarnation.values(), *self._expected.values()}
        for peer in known:
            if (peer.member.corps, peer.owner) == (corps, owner):
                self._present(peer)

    def _present(self, peer: ForeignPeer) -> None:
        """Present the credentials for the Corps of a peer, if there are any. Without the lock."""
        credentials = self._credentials(peer.member.corps, peer.owner)
        if credentials is None:  # or no more
            peer.way.release()
        else:
            peer.present(credentials)

    def arrive(self, peer: ForeignPeer, member: Member) -> None:
        """Let what waits for a peer leave, because it is known where it is.

        Nothing happens if it is expected no more: it has visited this Env meanwhile, or is lost.
        """
        loss: Loss | None = None
        with self._lock:
            if self._expected.get(peer.place) is not peer:
                return
            try:
                caller = self._terms.caller_of(member, member.public_key)
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
        del self._expected[peer.place]
        local = self._as_known_here(member, peer.member.env)
        peer.know(caller)
        peer.prepare(local)
        self._transport.admit(local)
        self._by_incarnation[local.incarnation] = peer

    def lose(self, peer: ForeignPeer, loss: Loss) -> None:
        """Fail what is unanswered at a peer, and forget it. Idempotent."""
        with self._lock:
            incarnation = peer.member.incarnation
            if self._by_incarnation.get(incarnation) is peer:  # else the Env has come again, as another peer
                del self._by_incarnation[incarnation]
                self._transport.expel(peer.member)
            if self._expected.get(peer.place) is peer:
                del self._expected[peer.place]
            self._peers.remove(peer)
        self._lost(peer, loss)
        peer.lose(loss)
        self._env.forget_holder(peer.member.env)

    def judge_again(self, keys_of: Callable[[Member], set[str]]) -> None:
        """Lose all peers whose keys do not count any more. `keys_of` gives those of an Env."""
        with self._lock:
            peers = list(self._by_incarnation.values())
        for peer in peers:
            member = peer.member
            for key in keys_of(member):
                verdict = self._terms.judge(key)
                if verdict.identity != peer.owner:
                    why = verdict.reason or f"of {verdict.identity!r} now"
                    loss = Loss(f"its key {fingerprint(key)} is {why}", kind=Unreachable)
                    self.lose(peer, loss)
                    break

    def find(self, incarnation: str) -> ForeignPeer | None:
        """Return the peer that is known by its incarnation, if there is one."""
        return self._by_incarnation.get(incarnation)

    def _as_known_here(self, member: Member, number: int | None = None) -> Member:
        """Return a record under a number of this Env."""
        home = member.env if member.home is None else member.home
        number = next(self._numbers) if number is None else number
        where = member.endpoint, member.public_key, member.generation
        return Member(number, member.incarnation, *where, corps=member.corps, home=home)

    def _add(
        self,
        local: Member,
        caller: Caller,
        owner: str,
        connect: Callable[[Member], Link] | None = None,
    ) -> ForeignPeer:
        """Make a peer. Caller holds the lock."""
        connect = connect or self._transport.connect
        standing = Standing(owner, self._terms, self._peers.audit)
        limits = self._limits._replace(max_frame=self._transport.max_frame_to(local))
        parts = self._packer, self._give_up, limits, standing
        peer = ForeignPeer(self._env, local, connect, *parts)
        peer.know(caller)
        peer.answering.serve(self.reception, self._pause)
        if self._credentials(local.corps, owner) is not None:
            peer.way.hold()  # until `_present` comes
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
            caller = self._terms.caller_of(visitor, key)
            answers_to = self._terms.caller_of(visitor, hello.public_key)
        except BrokenError as error:
            details = Details(key=fingerprint(key) if key else "")
            self._peers.audit.refused("key", str(error), details)
            return None
        why = "wants its answers sent to another owner"
        if caller.identity == answers_to.identity:
            if (member := self._take_visitor(visitor, caller)) is not None:
                return member
            why = "says that it is an Env of another owner"
        self._peers.audit.refused("key", f"{visitor.label} {why}", Details.of(caller))
        return None

    def _take_visitor(self, visitor: Member, caller: Caller) -> Member | None:
        """Take an Env of another Corps that has proved its key; None if it says that it is another owner's.

        In the thread that reads.
        """
        with self._lock:
            known = self._by_incarnation.get(visitor.incarnation)
            if known is not None:
                return known.member if known.owner == caller.identity else None
            expected = self._expected.get((visitor.corps, visitor.env, caller.identity))
            if expected is not None:  # one Env has one peer: its answers come by this connection
                self._settle(expected, visitor, caller)
            else:
                peer = self._add(self._as_known_here(visitor), caller, caller.identity)
                self._transport.admit(peer.member)
        if expected is not None:
            expected.way.open()
            return expected.member
        self._came(peer)
        self._present(peer)
        return peer.member
