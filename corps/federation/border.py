"""The border of one Env: how requests find workers of other Corps, and what of this one goes out.

Names of workers of other Corps carry where their Env was, and where the front of their Corps is. A peer whose
link breaks is forgotten. The next request asks the front where that Env is now, and waits for the answer.

An Env of the same user on the same host is reached by its socket file. Every other one is looked for over
`tcp`, which takes its time: a thread of its own does that.
"""

import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final

from corps.addresses import BORDER, FRONT, ConcAddr
from corps.clock import now
from corps.endpoints import TcpEndpoint
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
from corps.security.credentials import Credentials
from corps.security.key_ring import KeyVerdict
from corps.transport.bordered import BorderedTransport
from corps.transport.link import Transport
from corps.wire.fair_share import Room
from corps.wire.frames import Hello
from corps.workers.names import Name
from corps.workers.routed_names import RoutedName

if TYPE_CHECKING:
    from corps.transport.zeromq.who import Found

_log = logging.getLogger("corps.security")

_PATIENCE: Final = 10.0  # seconds that a front may take to say where an Env is, which it may start again

_REACHED: Final = 5.0  # seconds that all tries to find an Env over tcp may take
_KEYS: Final = 0.4  # seconds between two looks at the key ring


class CorpsBorder:
    """See `runtime.calls.border.Border`, and the text of this file. Thread-safe."""

    def __init__(self, env: Env, transport: Transport, packer: Packer, limits: Limits, terms: Terms) -> None:
        """Put the border of an Env up. Without a secret in the `terms` its Corps cannot be reached."""
        assert env.peers is not None
        self._env = env
        self._terms = terms
        self._me: Member | None = None
        self._tcp = transport if isinstance(transport, BorderedTransport) else None
        self._follows_keys = False
        # Protects what follows. Nothing is sent or settled under it.
        self._lock = Lock()
        self._routes: dict[Place, ForeignPeer] = {}
        self._gone: dict[Place, str] = {}  # the incarnation of an Env that was there last
        self._tags: dict[str, str] = {}  # by the ids of Corps: those by which they were found
        # What is presented to a Corps, by its id and the identity of its owner.
        self._credentials: dict[tuple[str, str], Credentials] = {}
        self._is_closed = False
        self._judge = terms.judge
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
            credentials=lambda corps, owner: self._credentials.get((corps, owner)),  # a look-up is atomic
        )
        env.peers.on_foreign_loss = self._broke

    def be(self, me: Member) -> None:
        """Take the record of this Env. Before it runs anything."""
        self._me = replace(me, corps=self._env.corps_id)
        if me.outside:
            self._follow_keys()

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
        outer = None if self._tcp is None else self._tcp.outer
        if outer is not None and not me.outside:  # it listens since it has reached for a Corps elsewhere
            me = replace(me, public_key=outer.public_key, outside=outer.outside)
        known = me if env_id == me.env else peers.record_of(env_id)
        if known is None and env_id == FRONT:  # a lone Env is its own front
            known = me
        if outer is not None and known is not None and known.outside:  # all Envs change their key together
            known = replace(known, public_key=outer.public_key)
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
        known = addr.contact.env
        if self._place_of(addr) in self._routes:
            return
        try:
            if is_far(known, self._judge):
                self._meet_at(self._reached(known, lambda hello: hello.incarnation == known.incarnation))
            else:
                self._meet_at(known.by_socket())
        except BrokenError as error:
            text = f"{known.label} is not there any more: {error}"
            raise Unreachable(text, executed="no", target=str(addr)) from error

    def _meet_at(self, member: Member) -> None:
        """Connect to an Env, if that was not done."""
        peer = self._foreign.reach(member)
        with self._lock:
            self._routes.setdefault(peer.place, peer)

    def present(self, corps: str, owner: str, credentials: Credentials) -> None:
        """Present credentials to the Envs of a Corps, those that are known and all later ones.

        Whether they count, the next request there hears. The same ones once more make no difference.
        """
        with self._lock:
            if self._credentials.get((corps, owner)) is credentials:
                return
            self._credentials[corps, owner] = credentials
        self._foreign.present(corps, owner)

    def withhold(self, corps: str, owner: str, credentials: Credentials) -> None:
        """Present credentials to further Envs of a Corps no more. Nothing happens if it has others."""
        with self._lock:
            if self._credentials.get((corps, owner)) is credentials:
                del self._credentials[corps, owner]

    def owner_of(self, front: Member) -> str:
        """Return the identity of the owner of a Corps, of which the front is known."""
        return self._judge(front.public_key).identity or OWN

    def introduce(
        self, endpoint: TcpEndpoint, user: str = OWN, credentials: Credentials | None = None
    ) -> ExtAddr:
        """Connect to the front of a Corps at an address, and return what answers there for facts. Blocks.

        Args:
            endpoint: The address.
            user: The identity of its owner.
            credentials: What to present to it before anything is asked.

        Raises:
            NoSuchKey: The key ring has no key of that user.
            KeyRingError, Damaged, NewerFormat: The key ring cannot be used.
            Unreachable: Nobody answers there, or the one that does has no key of that user, or does not
                accept the key of this side, or is no front.
            VersionMismatch: It speaks another version of the protocol.
        """
        if self._tcp is None:
            raise Unreachable("this Env does not reach other Corps over tcp", executed="no")
        self._tcp.begin_keys()
        found = self._ask_who((str(endpoint),), self._tcp.keys.of(user))
        hello = found.hello
        if hello.env != FRONT:
            raise Unreachable(
                f"{endpoint} is Env {hello.env} of the Corps {hello.corps[:6]}: connect to the address of "
                "its front, which `corps ps` shows",
                executed="no",
            )
        if credentials is not None:
            self.present(hello.corps, user, credentials)
        outside = (str(endpoint),)
        front = Member(FRONT, hello.incarnation, "", found.key, corps=hello.corps, outside=outside)
        try:
            self._listen_towards(found.address)
            self._meet_at(front.at(found.address))
        except BrokenError as error:
            raise Unreachable(str(error), executed="no") from error
        return ExtAddr(hello.corps, FRONT, BORDER, b"", Contact(front, front))

    def found(self, corps: str, tag: str) -> None:
        """Note the tag by which a Corps of this host was found, for the text of an error when it is gone."""
        with self._lock:
            self._tags[corps] = tag

    def close(self) -> None:
        """See `Border.close`."""
        with self._lock:
            self._is_closed = True

    def _way_to(self, request: Request) -> ForeignPeer | None:
        """Return the peer for a request; settle it if there is none."""
        target = request.target
        peer = self._routes.get(self._place_of(target))  # one look-up is atomic
        if peer is None and not isinstance(target, ExtAddr):
            text = f"{target} belongs to another Corps, and its Name has come without a way there"
            self._refuse(request, Unreachable(text, executed="no", target=str(target)))
            return None
        try:
            if peer is None and isinstance(target, ExtAddr):
                peer = self._find(target)
        except CorpsError as error:
            text = f"there is no way to {target}: {error}"
            self._refuse(request, Unreachable(text, executed="no", target=str(target)))
            return None
        return peer

    def _refuse(self, request: Request, error: CorpsError) -> None:
        self._env.letters.settle(request, Refused(error, "lost"))

    def _place_of(self, target: ConcAddr) -> Place:
        """Return the place of the Env of a worker. Where no key says whose it is, the kernel has to."""
        owner = self._judge(target.contact.env.public_key).identity if isinstance(target, ExtAddr) else OWN
        return target.corps, target.env, owner or OWN

    def _find(self, target: ExtAddr) -> ForeignPeer:
        """Return the peer of an Env that is not known, connected to it or still looking for it.

        Raises:
            KeyRingError, Damaged, NewerFormat: It is looked for over tcp, and the key ring cannot be used.
            Unreachable: Its key does not count.
        """
        contact = target.contact
        far = is_far(contact.env, self._judge)
        if far:
            self._check_key(contact.env)
        place = self._place_of(target)
        with self._lock:
            if (peer := self._routes.get(place)) is not None:
                return peer
            visitor = self._foreign.find(contact.env.incarnation)
            if visitor is not None and visitor.place == place:  # of another owner: it has no route by itself
                self._routes[place] = visitor
                return visitor
            if not far and contact.env.incarnation not in ("", self._gone.get(place)):
                try:
                    peer = self._routes[place] = self._foreign.reach(contact.env.by_socket())
                    return peer
                except BrokenError:
                    self._gone[place] = contact.env.incarnation
            endpoint = contact.env.outside[0] if far else ""
            peer = self._routes[place] = self._foreign.expect(*place, endpoint)
        # Not under the lock: a request to the front comes by here, too.
        try:
            if far:
                self._seek_aside(place, peer, contact)
            else:
                self._look_for(place, peer, contact)
        except BaseException as error:  # else what is sent there would wait for ever
            self._not_sought(peer, error)
            raise
        return peer

    def _look_for(self, place: Place, peer: ForeignPeer, contact: Contact) -> None:
        """Ask the front of a Corps where an Env is; what is sent there waits meanwhile."""
        corps, home, _ = place
        if home == FRONT or contact.front.incarnation == contact.env.incarnation:
            front = _front_in_registry(corps)
            if front is None or home != FRONT or front.incarnation == self._gone.get(place):
                self._foreign.lose(peer, self._no_front(corps))
            else:
                self._foreign.arrive(peer, front.by_socket())
            return
        asks = ExtAddr(corps, FRONT, BORDER, b"", Contact(contact.front, contact.front))
        former = self._gone.get(place, "")
        asked: Future[Any] = self._env.at_once(
            self._env.ask, CALL, asks, "where_is", (home, former), {}, _PATIENCE
        )
        asked.when_settled(lambda answer: self._heard(place, peer, contact.front, answer))

    def _heard(self, place: Place, peer: ForeignPeer, front: Member, answer: Future[Any]) -> None:
        error, member = answer.failure(), None
        if error is None and (said := answer.result()) is not None:
            try:
                member = Member.from_plain(said)
            except UnpackError as damaged:
                error = damaged
        if member is not None and is_far(member, self._judge):
            self._seek_aside(place, peer, Contact(member, front))
        elif member is not None:
            self._foreign.arrive(peer, member.by_socket())
        elif error is None:
            self._foreign.lose(peer, Loss("its Corps says that it is not there any more"))
        elif isinstance(error, EnvLost):
            self._foreign.lose(peer, self._no_front(peer.member.corps))
        else:
            text = f"its Corps did not say where it is: {error}"
            self._foreign.lose(peer, Loss(text, kind=Unreachable))

    def _no_front(self, corps: str) -> Loss:
        """Make the reason why a Corps cannot be reached, with what to do if another one has its tag."""
        text = f"the front of the Corps {corps[:6]} is not there: the Corps has ended, or starts again"
        tag = self._tags.get(corps)  # one look-up is atomic
        if tag is not None and _has_other(tag, corps):
            text = f"the Corps {corps[:6]} has ended, and a new Corps has its tag {tag!r}"
            text = f"{text}: corps.connect({tag!r}) gives the Name of that"
        return Loss(text, kind=Unreachable)

    # --- over tcp ---

    def _check_key(self, member: Member) -> None:
        """Check that the key of an Env counts, by which it is to be reached."""
        assert self._tcp is not None
        self._tcp.begin_keys()
        if not self._judge(member.public_key).counts:
            words = self._tcp.keys.words_for(member.public_key)
            raise Unreachable(f"{words} of {member.label} does not count here", executed="no")

    def _seek_aside(self, place: Place, peer: ForeignPeer, contact: Contact) -> None:
        """Look for an Env over tcp, in a thread of its own; what is sent there waits meanwhile."""
        name = f"{self._env.label}-seek"
        try:
            Thread(target=self._seek, args=(place, peer, contact), name=name, daemon=True).start()
        except RuntimeError as error:
            self._foreign.lose(peer, Loss(f"no thread could look for it: {error}", kind=Unreachable))

    def _seek(self, place: Place, peer: ForeignPeer, contact: Contact) -> None:
        """Find an Env, or lose its peer, whatever goes wrong: who asks it waits for one of the two."""
        try:
            self._find_out(place, peer, contact)
        except Exception as error:
            _log.debug("please report this", exc_info=True)
            self._not_sought(peer, error)

    def _not_sought(self, peer: ForeignPeer, error: BaseException) -> None:
        text = f"it could not be looked for: {type(error).__name__}: {error}"
        self._foreign.lose(peer, Loss(text, kind=Unreachable))

    def _find_out(self, place: Place, peer: ForeignPeer, contact: Contact) -> None:
        """Find an Env where it was, or its front wherever that is now; else ask the front."""
        corps, home, _ = place
        known = contact.env
        try:
            if home == FRONT:
                front = self._reached(contact.front, lambda hello: (hello.corps, hello.env) == (corps, FRONT))
                self._foreign.arrive(peer, front)
                return
            if known.incarnation not in ("", self._gone.get(place)):
                there = self._reached(known, lambda hello: hello.incarnation == known.incarnation)
                self._foreign.arrive(peer, there)
                return
        except CorpsError as error:
            if home == FRONT:
                self._foreign.lose(peer, Loss(str(error), kind=Unreachable))
                return
            with self._lock:
                self._gone[place] = known.incarnation
        self._look_for(place, peer, contact)

    def _reached(self, member: Member, is_right: Callable[[Hello], bool]) -> Member:
        """Return an Env as it is reached over tcp. Blocks.

        Its process may have another key of its owner than the one before it.

        Raises:
            Unreachable: It is not there, or its key does not count.
            VersionMismatch: It speaks another version of the protocol.
            BrokenError: No answers could come from there.
        """
        self._check_key(member)
        assert self._tcp is not None
        others = self._tcp.keys.of(self._judge(member.public_key).identity)
        keys = dict.fromkeys((member.public_key, *others))
        found = self._ask_who(member.outside, tuple(keys), is_right)
        self._listen_towards(found.address)
        hello = found.hello
        return Member(hello.env, hello.incarnation, found.address, found.key, corps=hello.corps)

    def _ask_who(
        self, outside: tuple[str, ...], keys: tuple[str, ...], is_right: Callable[[Hello], bool] = bool
    ) -> "Found":
        from corps.transport.zeromq.who import who_listens  # with ZeroMQ, which few Corps need

        assert self._tcp is not None
        me = Hello(self._env.corps_id, self._env.id, secrets.token_hex(16))  # no link of this Env
        return who_listens(outside, keys, self._tcp.keys.pair(), me, _REACHED, is_right)

    def _listen_towards(self, address: str) -> None:
        assert self._tcp is not None
        self._tcp.open_towards(address)
        self._follow_keys()

    def _follow_keys(self) -> None:
        """Look at the key ring from now on. Idempotent."""
        with self._lock:
            if self._follows_keys:
                return
            self._follows_keys = True
        self._env.alarms.at(now() + _KEYS, self._look_at_keys)

    def _look_at_keys(self) -> None:
        """Cut off whose key counts no more. The thread of the alarms calls."""
        assert self._tcp is not None
        outer = self._tcp.outer
        if self._is_closed or outer is None:
            return
        self._tcp.keys.refresh()
        self._foreign.judge_again(outer.keys_of)
        successor = self._tcp.keys.successor(outer.public_key)
        if successor is not None:
            outer.take_over(successor)
        self._env.alarms.at(now() + _KEYS, self._look_at_keys)

    # --- peers that come and go ---

    def _came(self, peer: ForeignPeer) -> None:
        with self._lock:
            self._routes.setdefault(peer.place, peer)

    def _lost(self, peer: ForeignPeer, _: Loss) -> None:
        with self._lock:  # a lone Env is its own front, and so has two places
            for place in [place for place, known in self._routes.items() if known is peer]:
                del self._routes[place]

    def _broke(self, peer: Peer, loss: Loss) -> None:
        assert isinstance(peer, ForeignPeer)
        self._foreign.lose(peer, loss)


def is_far(member: Member, judge: Callable[[str], KeyVerdict]) -> bool:
    """Return whether an Env is reached over tcp, because it is of another host or user."""
    if not member.outside:
        return False
    is_here = member.endpoint.startswith("unix:") and os.path.exists(member.endpoint.removeprefix("unix:"))
    return not is_here or judge(member.public_key).identity not in ("", OWN)


def _front_in_registry(corps: str) -> Member | None:
    """Return the record of the front of a Corps of this user, if it has made one known."""
    try:
        entries = registry_of_user().all_of_user()
    except (CorpsError, OSError):
        return None
    found = (entry.record for entry in entries if entry.record is not None and entry.record.corps == corps)
    return next((record.front for record in found), None)


def _has_other(tag: str, corps: str) -> bool:
    """Return whether a tag belongs to another Corps now than to this one."""
    try:
        claim = registry_of_user().entry(tag).claim
    except (CorpsError, OSError):
        return False
    return claim is not None and claim.corps != corps and claim.state != "stale"


def outward(env: Env) -> Any:
    """Return how objects are reduced that go to other Corps: Names get a way to their worker."""

    def reduce(thing: object) -> Any:
        if not isinstance(thing, Name):
            return NotImplemented
        if isinstance(thing, RoutedName):
            raise PackError(f"{thing!r} stands for any of several workers, and cannot go to another Corps")
        return thing._reduced(env.address_abroad(thing._addr))

    return reduce
