"""One Env's end of the links of a Corps of several hosts.

A member of the same host is reached by its UNIX socket, as in a Corps of one host; a member of another host
over `tcp` with CURVE, at the first of its addresses to which this host has a way. Each knows the key of the
other from its record, which the booting process hands on.
"""

from corps.errors import BrokenError, VersionMismatch
from corps.messages.members import Member
from corps.transport.link import OnBroken, OnMessage
from corps.transport.two_ends import End, TwoEnds
from corps.transport.unix.transport import UnixTransport
from corps.transport.zeromq.doors import source_towards
from corps.transport.zeromq.transport import ZmqTransport


class HostedTransport(TwoEnds):
    """Both ends together. Threads as `Transport` says."""

    def __init__(self, inner: UnixTransport, outer: ZmqTransport, host: str) -> None:
        """Take over both ends, which are not started. The outer one has the audit of the inner one."""
        super().__init__(inner)
        self._host = host
        self._apart: dict[str, tuple[Member, Member]] = {}
        """Members of other hosts by incarnation, also as the outer end knows them. Replaced key by key."""
        self._end = outer
        self._take(outer)

    def start(self, on_message: OnMessage, on_broken: OnBroken) -> None:
        """See `Transport.start`."""

        def broken(member: Member, refusal: VersionMismatch | None) -> None:
            on_broken(self._apart.get(member.incarnation, (member, member))[0], refusal)

        super().start(on_message, broken)

    def expel(self, member: Member) -> None:
        """See `Transport.expel`."""
        super().expel(member)
        self._apart.pop(member.incarnation, None)

    def _end_for(self, member: Member) -> tuple[End, Member]:
        if member.host == self._host or not member.outside:
            return self._inner, member
        known = self._apart.get(member.incarnation)
        if known is None:
            known = self._apart[member.incarnation] = member, member.at(_best(member.outside))
        return self._end, known[1]


def _best(addresses: tuple[str, ...]) -> str:
    """Return the first address to which this host has a way; the first of all if it has none."""
    for each in addresses:
        try:
            source_towards(each)
        except BrokenError:
            continue
        return each
    return addresses[0]
