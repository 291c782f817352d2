"""Claims about the links that lead to an Env: one that is over never goes on."""

import pytest

from corps.messages.members import Member
from corps.security.audit import Audit
from corps.transport.zeromq.inbound import InboundLinks
from corps.transport.zeromq.sockets import routing_id_of
from corps.wire.frames import Hello

OWN = Hello("c" * 16, 1, "0" * 32)
THERE = Member(2, "a" * 32, "")
OTHER = Member(3, "b" * 32, "")


class Side:
    """An Env with its links, and its members."""

    def __init__(self) -> None:
        self.members = {THERE.incarnation: THERE, OTHER.incarnation: OTHER}
        self.links = InboundLinks(OWN, self.members.get, Audit("env1"), lambda user, _: user != "thief")

    def greet(self, member: Member, link: int) -> bytes:
        """Take the HELLO of a link; return its routing id."""
        routing_id = routing_id_of(member.incarnation, link)
        hello = Hello("c" * 16, member.env, member.incarnation)
        assert self.links.greet(routing_id, None, [hello.header()]) is member
        return routing_id


@pytest.fixture
def side() -> Side:
    return Side()


def test_a_link_that_was_parted_from_is_over_and_a_later_one_is_not(side: Side) -> None:
    former = side.greet(THERE, 4)
    other = side.greet(OTHER, 9)
    assert not side.links.is_over(former)
    assert side.links.part_from(THERE.incarnation) == [former]
    assert side.links.is_over(former)
    assert side.links.is_over(routing_id_of(THERE.incarnation, 3))
    assert not side.links.is_over(routing_id_of(THERE.incarnation, 5))
    assert not side.links.is_over(other)


def test_a_link_of_an_env_that_was_expelled_is_over_though_a_message_of_it_came_first(side: Side) -> None:
    former = side.greet(THERE, 4)
    del side.members[THERE.incarnation]
    assert side.links.of(former, None) is None
    assert side.links.is_over(former)


def test_another_link_of_an_env_follows_the_one_that_is_known(side: Side) -> None:
    former = side.greet(THERE, 4)
    later = routing_id_of(THERE.incarnation, 5)
    assert side.links.follows(former, None) is None  # a second HELLO of the same link
    assert side.links.follows(routing_id_of(OTHER.incarnation, 5), None) is None
    assert side.links.follows(later, "thief") is None
    assert side.links.follows(later, None) is THERE
    side.links.part_from(THERE.incarnation)
    assert side.links.follows(later, None) is None


def test_a_link_that_was_replaced_is_over(side: Side) -> None:
    former = side.greet(THERE, 4)
    later = side.greet(THERE, 5)
    assert side.links.is_over(former)
    assert not side.links.is_over(later)


def test_of_so_many_envs_that_have_gone_the_first_is_forgotten(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corps.transport.zeromq.inbound._MOST_PARTED", 1)
    first, second = side.greet(THERE, 4), side.greet(OTHER, 5)
    side.links.part_from(THERE.incarnation)
    side.links.part_from(OTHER.incarnation)
    assert (side.links.is_over(first), side.links.is_over(second)) == (False, True)
