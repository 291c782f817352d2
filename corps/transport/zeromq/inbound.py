"""The receiving half of links over ZeroMQ: who speaks on which connection, and what has arrived of it."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from corps.messages.members import Member
from corps.security.audit import Audit
from corps.transport.hello import member_of, no_member
from corps.transport.link import OnVisitor
from corps.transport.zeromq.sockets import env_of, link_of, routing_id_of
from corps.wire.frames import Frame, Hello
from corps.wire.resume import Arrivals

_MOST_PARTED: Final = 10_000  # Envs of whose former links is known that they are over


class InboundLink(NamedTuple):
    """One link of a peer that has said hello. The thread that reads uses it alone."""

    member: Member
    arrivals: Arrivals  # they outlive connections: a link goes on where the last one broke
    user: str | None  # what the peer has proved: see `Verdict.user`


class InboundLinks:
    """All links that lead to one Env. The thread that reads uses it alone."""

    def __init__(
        self,
        hello: Hello,
        find: Callable[[str], Member | None],
        audit: Audit,
        proves: Callable[[str | None, Member], bool],
    ) -> None:
        """Know none yet. `proves` says whether a `user` may speak for a member."""
        self._hello = hello
        self._find = find
        self._audit = audit
        self._proves = proves
        self._links: dict[bytes, InboundLink] = {}  # by routing id
        # The last link that is over, by the Env: the numbers of its links only rise.
        self._over: dict[bytes, int] = {}

    def of(self, routing_id: bytes, user: str | None) -> InboundLink | None:
        """Return the link by which a message came that is no HELLO. Count one that is refused."""
        inbound = self._links.get(routing_id)
        if inbound is None:
            self._audit.refused("hello", "a peer did not say hello first")
            return None
        member = inbound.member
        if user != inbound.user:
            self._audit.refused("identity", f"the key of {user} speaks for {member.label}")
            return None
        if self._find(member.incarnation) is None:
            self._end(routing_id)
            self._audit.refused("expelled", f"{member.label} is no member any more")
            return None
        return inbound

    def part_from(self, incarnation: str) -> list[bytes]:
        """Forget the links of an Env that is a member no more; return their routing ids."""
        parted = [
            routing_id
            for routing_id, inbound in self._links.items()
            if inbound.member.incarnation == incarnation
        ]
        for routing_id in parted:
            self._end(routing_id)
        return parted

    def is_over(self, routing_id: bytes) -> bool:
        """Return whether this side has parted from a link, or its Env has opened another one since then.

        It never goes on: what was sent by it may have been handed on already, and nobody knows here what was.
        """
        return link_of(routing_id) <= self._over.get(env_of(routing_id), -1)

    def follows(self, routing_id: bytes, user: str | None) -> Member | None:
        """Return the Env that has opened this link, if an earlier one of it is still known here."""
        if routing_id in self._links:
            return None
        found = (each.member for known, each in self._links.items() if env_of(known) == env_of(routing_id))
        member = next(found, None)
        return member if member is not None and self._proves(user, member) else None

    def _end(self, routing_id: bytes) -> None:
        """Let a link be over for good."""
        if self._links.pop(routing_id, None) is None:
            return
        env = env_of(routing_id)
        self._over[env] = max(link_of(routing_id), self._over.pop(env, -1))
        if len(self._over) > _MOST_PARTED:
            del self._over[next(iter(self._over))]

    def all(self) -> list[bytes]:
        """Return the routing ids of all links."""
        return list(self._links)

    def greet(
        self,
        routing_id: bytes,
        user: str | None,
        frames: Sequence[Frame],
        on_visitor: OnVisitor | None = None,
    ) -> Member:
        """Take a HELLO, be it a second one; return who speaks, as it says truly. Raises as `member_of`."""
        member = member_of(frames, self._hello, self._find, on_visitor, user or "")
        link = link_of(routing_id)
        if routing_id != routing_id_of(member.incarnation, link) or not self._proves(user, member):
            raise no_member(member.env)
        known_link = self._links.get(routing_id)
        if known_link is not None:
            if known_link.user != user:  # it has another key of the same owner now
                self._links[routing_id] = known_link._replace(user=user)
            return member
        for known, inbound in list(self._links.items()):
            if inbound.member == member or self._find(inbound.member.incarnation) is None:
                self._end(known)  # it has opened another one, or is gone
        self._links[routing_id] = InboundLink(member, Arrivals(link), user)
        return member
