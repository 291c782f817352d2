"""The border of one Env: how requests find workers of other Corps, and what of this one goes out.

Names of workers of other Corps carry where their Env was, and where the front of their Corps is. A peer whose
link breaks is forgotten. The next request asks the front where that Env is now, and waits for the answer.
"""

from dataclasses import replace
from threading import Lock
from typing import Any, Final

from corps.addresses import BORDER, FRONT, ConcAddr
from corps.errors import BrokenError, CorpsError, EnvLost, PackError, UnpackError, Unreachable
from corps.federation.registry import registry_of_user
from corps.messages.callers import OWN
from corps.messages.contacts import Contact, ExtAddr
from corps.messages.members import Member
from corps.messages.outcomes import Refused
from corps.messages.requests import CALL, Request
from corps.packing.packer import Packer
from corps.peers.asking import Loss
from corps.peers.foreign import ForeignPeer, ForeignPeers, Place
from corps.peers.limits import Limits
from corps.peers.peer import Peer
from corps.peers.terms import Terms
from corps.runtime.calls.futures import Future
from corps.runtime.env import Env
from corps.security.capabilities import capability_of
from corps.transport.link import Transport
from corps.wire.fair_share import Room
from corps.workers.names import Name
from corps.workers.routed_names import RoutedName

_PATIENCE: Final = 10.0  # seconds that a front may take to say where an Env is, which it may start again


class CorpsBorder:
    """See `runtime.calls.border.Border`, and the text of this file. Thread-safe."""

    def __init__(self, env: Env, transport: Transport, packer: Packer, limits: Limits, terms: Terms) -> None:
        """Put the border of an Env up. Without a secret in the `terms` its Corps cannot be reached."""
        assert env.peers is not None
        self._env = env
        self._terms = terms
        self._me: Member | None = None
        # Protects what follows. Nothing is sent or settled under it.
        self._lock = Lock()
        self._routes: dict[Place, ForeignPeer] = {}
        self._gone: dict[Place, str] = {}  # the incarnation of an Env that was there last
        self._is_closed = False
        self._foreign = ForeignPeers(
            env.peers,
            env,
            transport,
            packer,
            limits,
            terms,
            self._came,
            self._lost,
            room=Room(env.options.window_foreign_requests, env.options.window_foreign_bytes),
            pause=env.options.working_every,
        )
        env.peers.on_foreign_loss = self._broke

    def be(self, me: Member) -> None:
        """Take the record of this Env. Before it runs anything."""
        self._me = replace(me, corps=self._env.corps_id)

    # --- what goes out ---

    def address_abroad(self, addr: ConcAddr) -> ConcAddr:
        """See `Border.address_abroad`."""
        if addr.corps != self._env.corps_id or isinstance(addr, ExtAddr):
            return addr
        if self._terms.secret is None:
            raise PackError(
                f"the Name of {addr} cannot go to another Corps, because nothing of this Corps can be "
                "reached from outside: boot it with external=True and a tag"
            )
        capability = capability_of(self._terms.secret, addr.env, addr.conc)
        return ExtAddr(*addr, capability, Contact(self._record_of(addr.env), self._record_of(FRONT)))

    def _record_of(self, env_id: int) -> Member:
        """Return the record of an Env of this Corps; without an incarnation if it is not there."""
        me, peers = self._me, self._env.peers
        assert me is not None
        assert peers is not None
        known = me if env_id == me.env else peers.record_of(env_id)
        if known is None and env_id == FRONT:  # a lone Env is its own front
            known = me
        return replace(known or Member(env_id, "", ""), corps=self._env.corps_id)

    # --- the way to others ---

    def send(self, request: Request) -> None:
        """See `Border.send`."""
        peer = self._way_to(request)
        if peer is not None:
            peer.asking.send(request)

    async def send_when_room(self, request: Request) -> None:
        """See `Border.send_when_room`."""
        peer = self._way_to(request)
        if peer is not None:
            await peer.asking.send_when_room(request)

    def is_roomy(self, target: ConcAddr, more: int) -> bool:
        """See `Border.is_roomy`."""
        peer = self._routes.get(self._place_of(target))  # one look-up is atomic
        return peer is not None and peer.asking.room.is_roomy(more)

    def where_is(self, env_id: int) -> Member | None:
        """Return the record of an Env of this Corps; without an incarnation where it is started again.

        None if it is not there, and not expected.
        """
        me, peers = self._me, self._env.peers
        is_known = peers is not None and peers.record_of(env_id) is not None
        is_me = me is not None and env_id in (me.env, FRONT)
        return self._record_of(env_id) if is_known or is_me else None

    def meet(self, addr: ExtAddr) -> None:
        """Connect to the Env of a worker, if that was not done. It waits for nothing.

        Raises:
            Unreachable: It is not there.
            Overloaded: This process has no descriptors left.
        """
        place = self._place_of(addr)
        with self._lock:
            if place in self._routes:
                return
            try:
                self._routes[place] = self._foreign.reach(addr.contact.env)
            except BrokenError as error:
                text = f"{addr.contact.env.label} is not there any more: {error}"
                raise Unreachable(text, executed="no", target=str(addr)) from error

    def close(self) -> None:
        """See `Border.close`."""
        with self._lock:
            self._is_closed = True

    def _way_to(self, request: Request) -> ForeignPeer | None:
        """Return the peer for a request; settle it if there is none."""
        target = request.target
        place = self._place_of(target)
        peer = self._routes.get(place)  # one look-up is atomic
        if peer is not None:
            return peer
        if not isinstance(target, ExtAddr):
            text = f"{target} belongs to another Corps, and its Name has come without a way there"
            self._refuse(request, text)
            return None
        return self._find(place, target.contact)

    def _place_of(self, addr: ConcAddr) -> Place:
        """Return the place of the Env of a worker. The key in its Name says whose it is."""
        key = addr.contact.env.public_key if isinstance(addr, ExtAddr) else ""
        return addr.corps, addr.env, self._terms.judge(key).identity if key else OWN

    def _refuse(self, request: Request, text: str) -> None:
        error = Unreachable(text, executed="no", target=str(request.target))
        self._env.letters.settle(request, Refused(error, "lost"))

    def _find(self, place: Place, contact: Contact) -> ForeignPeer:
        """Return the peer of an Env that is not known, connected to it or still looking for it."""
        with self._lock:
            if (peer := self._routes.get(place)) is not None:
                return peer
            if contact.env.incarnation not in ("", self._gone.get(place)):
                try:
                    peer = self._routes[place] = self._foreign.reach(contact.env)
                    return peer
                except BrokenError:
                    self._gone[place] = contact.env.incarnation
            peer = self._routes[place] = self._foreign.expect(*place)
        # Not under the lock: a request to the front comes by here, too.
        self._look_for(place, peer, contact)
        return peer

    def _look_for(self, place: Place, peer: ForeignPeer, contact: Contact) -> None:
        """Ask the front of a Corps where an Env is; what is sent there waits meanwhile."""
        corps, home, _ = place
        if home == FRONT or contact.front.incarnation == contact.env.incarnation:
            front = _front_in_registry(corps)
            if front is None or home != FRONT or front.incarnation == self._gone.get(place):
                self._foreign.lose(peer, _no_front(corps))
            else:
                self._foreign.arrive(peer, front)
            return
        asks = ExtAddr(corps, FRONT, BORDER, b"", Contact(contact.front, contact.front))
        former = self._gone.get(place, "")
        asked: Future[Any] = self._env.at_once(
            self._env.ask, CALL, asks, "where_is", (home, former), {}, _PATIENCE
        )
        asked.when_settled(lambda answer: self._heard(peer, answer))

    def _heard(self, peer: ForeignPeer, answer: Future[Any]) -> None:
        error, facts = answer.failure(), None
        if error is None and (said := answer.result()) is not None:
            try:
                facts = Member.from_plain(said)
            except UnpackError as damaged:
                error = damaged
        if facts is not None:
            self._foreign.arrive(peer, facts)
        elif error is None:
            self._foreign.lose(peer, Loss("its Corps says that it is not there any more"))
        elif isinstance(error, EnvLost):
            self._foreign.lose(peer, _no_front(peer.member.corps))
        else:
            text = f"its Corps did not say where it is: {error}"
            self._foreign.lose(peer, Loss(text, kind=Unreachable))

    # --- peers that come and go ---

    def _came(self, peer: ForeignPeer) -> None:
        if not peer.caller.is_own:  # it may say that it is any Corps: nothing of the owner is sent there
            return
        with self._lock:
            self._routes.setdefault(peer.place, peer)

    def _lost(self, peer: ForeignPeer, _: Loss) -> None:
        with self._lock:  # a lone Env is its own front, and so has two places
            for place in [place for place, known in self._routes.items() if known is peer]:
                del self._routes[place]

    def _broke(self, peer: Peer, loss: Loss) -> None:
        assert isinstance(peer, ForeignPeer)
        self._foreign.lose(peer, loss)


def _front_in_registry(corps: str) -> Member | None:
    """Return the record of the front of a Corps of this user, if it has made one known."""
    try:
        entries = registry_of_user().all_of_user()
    except (CorpsError, OSError):
        return None
    found = (entry.record for entry in entries if entry.record is not None and entry.record.corps == corps)
    return next((record.front for record in found), None)


def _no_front(corps: str) -> Loss:
    text = f"the front of the Corps {corps[:6]} is not there: the Corps has ended, or starts again"
    return Loss(text, kind=Unreachable)


def outward(env: Env) -> Any:
    """Return how objects are reduced that go to other Corps: Names get a way to their worker."""

    def reduce(thing: object) -> Any:
        if not isinstance(thing, Name):
            return NotImplemented
        if isinstance(thing, RoutedName):
            raise PackError(f"{thing!r} stands for any of several workers, and cannot go to another Corps")
        return thing._reduced(env.address_abroad(thing._addr))

    return reduce
