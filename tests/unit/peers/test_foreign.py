"""Claims about Envs of other Corps as peers: who is admitted, what is answered, and what is forgotten."""

from dataclasses import replace
from threading import RLock
from typing import Any

import pytest

from corps.addresses import BORDER, ENV_DIR, ENV_MGR, FOREIGN, ConcAddr
from corps.errors import BrokenError, EnvLost, NotPermitted, UnpackError
from corps.messages.callers import UNKNOWN, Caller
from corps.messages.contacts import Contact, ExtAddr
from corps.messages.members import Member
from corps.messages.requests import CALL, DROP, EXIT, GET, PULL, WATCH, Kind, Request
from corps.messages.streams import NOBODY, SENDER
from corps.packing.identities import Identities
from corps.packing.packer import Packer
from corps.peers.asking import Loss
from corps.peers.foreign import ForeignPeer, ForeignPeers
from corps.peers.limits import Limits
from corps.peers.terms import Terms
from corps.security.capabilities import capability_of
from corps.security.key_ring import KeyVerdict, fingerprint
from corps.wire.fair_share import Room
from corps.wire.frames import Hello, OutcomeHeader, ProbeHeader, RequestHeader, read_header
from tests.unit.transport.sides import CORPS, CountedPromise, Side
from tests.unit.wire.writing import written

SECRET = bytes(range(32))
VISITOR = Hello("visitor's", 2, "v" * 32, "line://visitor")
THERE = Member(2, "v" * 32, "line://visitor", corps="visitor's")


OWN_KEY, BOBS_KEY, BOBS_OTHER_KEY, CAROLS_KEY = "own", "bob's", "bob's other", "carol's"
RING = {"": "own", OWN_KEY: "own", BOBS_KEY: "bob", BOBS_OTHER_KEY: "bob", CAROLS_KEY: "carol"}


def judge(key: str) -> KeyVerdict:
    return KeyVerdict(RING[key]) if key in RING else KeyVerdict("", "revoked")


class Border:
    """An Env of an external Corps, and what its border hears."""

    def __init__(self, secret: bytes | None = SECRET) -> None:
        self.side = Side(1, 3)
        self.came: list[ForeignPeer] = []
        self.lost: list[ForeignPeer] = []
        packer = Packer(identities=Identities(RLock()))
        limits = Limits((100, 1_000_000), 0.0, None)
        self.foreign = ForeignPeers(
            self.side.peers,
            self.side,
            self.side.transport,
            packer,
            limits,
            Terms(secret, judge),
            self.came.append,
            lambda peer, _: self.lost.append(peer),
            room=Room(100, 1_000_000),
            pause=5.0,
        )
        self.side.peers.on_foreign_loss = lambda peer, loss: self.foreign.lose(peer, loss)  # type: ignore[arg-type]

    def visit(self, hello: Hello = VISITOR, key: str = "") -> Member | None:
        on_visitor = self.side.transport.on_visitor
        return None if on_visitor is None else on_visitor(hello, key)

    def receive(self, member: Member, *frames: bytes) -> None:
        assert self.side.transport.on_message is not None
        self.side.transport.on_message(member.env, frames)

    def sent(self) -> list[tuple[Any, list[bytes]]]:
        """What was sent since the last look."""
        outbox = self.side.transport.outbox
        found = [(read_header(frames), list(frames)) for frames in outbox]
        outbox.clear()
        return found


@pytest.fixture
def border() -> Border:
    return Border()


def request_of(
    kind: Kind = CALL,
    conc: int = 7,
    capability: bytes | None = None,
    number: int = 5,
    sender: tuple[int, int] | None = (2, 9),
    args: tuple[Any, ...] = (1,),
) -> tuple[bytes, bytes]:
    optional = None if capability is None else {"capability": capability}
    header = RequestHeader(number, kind, conc, "method", sender, None, 1, optional)
    return written(header), Packer().pack((args, {})).body


RIGHT = capability_of(SECRET, 1, 7)


def test_a_visitor_is_a_peer_under_a_number_of_this_env(border: Border) -> None:
    member = border.visit()
    assert member is not None
    assert member.env == FOREIGN
    assert (member.corps, member.home, member.endpoint) == ("visitor's", 2, "line://visitor")
    assert [peer.member for peer in border.came] == [member]
    assert border.side.transport.admitted == [border.side.peer.member, member]
    assert border.visit() == member  # the same incarnation once more


def test_an_env_that_is_not_external_admits_no_visitor() -> None:
    assert Border(None).visit() is None


def test_foreign_peers_are_none_of_the_envs_of_the_corps(border: Border) -> None:
    border.visit()
    assert border.side.peers.ids() == [3]
    assert list(border.side.peers.statistics()) == [3]


@pytest.mark.parametrize("kind", [CALL, GET, PULL, EXIT, WATCH])
def test_a_request_with_the_capability_of_its_worker_is_delivered(border: Border, kind: Kind) -> None:
    member = border.visit()
    assert member is not None
    border.receive(member, *request_of(kind, capability=RIGHT))
    (request,) = border.side.delivered
    assert request.target == ConcAddr(CORPS, 1, 7)
    assert request.sender == ConcAddr("visitor's", 2, 9)
    request.answer("yes")
    ((header, _),) = border.sent()
    assert header == OutcomeHeader(5, 0, 1)


@pytest.mark.parametrize("kind", [CALL, GET, PULL, EXIT, WATCH])
@pytest.mark.parametrize(
    "capability", [None, bytes(16), capability_of(SECRET, 1, 8), capability_of(SECRET, 2, 7)]
)
def test_a_request_without_it_is_refused_and_not_unpacked(
    border: Border, kind: Kind, capability: bytes | None
) -> None:
    member = border.visit()
    assert member is not None
    border.receive(member, request_of(kind, capability=capability)[0], b"no pickle at all")
    assert border.side.delivered == []
    ((header, frames),) = border.sent()
    assert isinstance(header, OutcomeHeader)
    error = border.came[0].asking._outcomes.open(header.status, header.codec, frames[1:])
    with pytest.raises(NotPermitted, match="handed out"):
        error.unwrap()
    assert border.side.peers.audit.counts["capability"] == 1


@pytest.mark.parametrize("conc", [ENV_MGR, ENV_DIR])
@pytest.mark.parametrize("kind", [CALL, EXIT, DROP])
def test_no_capability_opens_the_way_to_the_runtimes_own_workers(
    border: Border, conc: int, kind: Kind
) -> None:
    member = border.visit()
    assert member is not None
    border.receive(member, *request_of(kind, conc, capability_of(SECRET, 1, conc)))
    assert border.side.delivered == []


def test_what_answers_for_the_corps_takes_calls_alone(border: Border) -> None:
    member = border.visit()
    assert member is not None
    border.receive(member, *request_of(CALL, BORDER))
    border.receive(member, *request_of(EXIT, BORDER, number=6))
    assert [request.kind for request in border.side.delivered] == [CALL]


def test_the_room_of_a_message_that_was_refused_goes_back(border: Border) -> None:
    member = border.visit()
    assert member is not None
    for _ in range(25):
        border.receive(member, *request_of(number=0))
    border.side.alarms.ring_all()
    assert sum(header.requests for header, _ in border.sent()) == 25


def test_an_env_speaks_for_its_own_iterators_alone(border: Border) -> None:
    member = border.visit()
    assert member is not None
    for holder in (SENDER, 0, 3):
        border.receive(member, *request_of(DROP, number=0, args=(1, 10, holder, -1)))
    for request in border.side.delivered:
        request.open()
    assert [request.args for request in border.side.delivered] == [
        (1, 10, member.env, -1),
        (1, 10, NOBODY, -1),
        (1, 10, NOBODY, -1),
    ]


@pytest.mark.parametrize("args", [(None, 0, 3, 0), (None, 0, SENDER, 0), ("x", 0, 0, 0), (1,)])
def test_an_env_cannot_give_up_the_generators_of_others(border: Border, args: tuple[Any, ...]) -> None:
    member = border.visit()
    assert member is not None
    border.receive(member, *request_of(DROP, number=0, args=args))
    (request,) = border.side.delivered
    with pytest.raises(UnpackError, match=r"the arguments"):
        request.open()


def test_a_sender_is_one_of_the_env_that_sends(border: Border) -> None:
    member = border.visit()
    assert member is not None
    border.receive(member, *request_of(capability=RIGHT, sender=(member.env, 9)))
    assert border.side.delivered == []
    assert border.side.peers.audit.counts["protocol"] == 1


def test_no_other_corps_searches_for_circles_here(border: Border) -> None:
    member = border.visit()
    assert member is not None
    border.receive(member, written(ProbeHeader(1, 1, 1, 1, 1, ())))
    assert border.side.probes == []
    assert border.side.peers.audit.counts["protocol"] == 1


def asked(target: ExtAddr) -> Request:
    return Request(CALL, target, "method", (1,), {}, CountedPromise())


TARGET = ExtAddr("visitor's", 2, 7, bytes(range(16)), Contact(THERE, THERE))


def test_a_request_to_another_corps_carries_the_capability_of_its_name(border: Border) -> None:
    border.foreign.reach(THERE).asking.send(asked(TARGET))
    ((header, _),) = border.sent()
    assert header.optional == {"capability": TARGET.capability}


def test_an_env_that_has_visited_is_reached_by_the_same_peer(border: Border) -> None:
    border.visit()
    assert border.foreign.reach(THERE) is border.came[0]
    assert border.foreign.reach(THERE) is border.foreign.reach(THERE)


def test_an_env_that_is_not_there_leaves_nothing(border: Border) -> None:
    border.side.transport.refuses = BrokenError("nobody listens")
    with pytest.raises(BrokenError):
        border.foreign.reach(THERE)
    assert [each.env for each in border.side.transport.admitted] == [3]
    assert list(border.side.peers._peers) == [3]


def test_what_was_sent_to_an_env_that_is_looked_for_leaves_when_it_is_found(border: Border) -> None:
    peer = border.foreign.expect("visitor's", 2)
    request = asked(TARGET)
    peer.asking.send(request)
    assert border.sent() == []
    border.foreign.arrive(peer, THERE)
    assert [header.method for header, _ in border.sent()] == ["method"]


def test_a_link_that_breaks_fails_what_is_under_way_and_is_forgotten(border: Border) -> None:
    member = border.visit()
    assert member is not None
    request = asked(TARGET)
    border.foreign.reach(THERE).asking.send(request)
    border.receive(member, *request_of(capability=RIGHT))
    assert border.side.transport.on_broken is not None
    border.side.transport.on_broken(member, None)
    assert isinstance(request.promise, CountedPromise)
    error = request.promise.error()
    assert isinstance(error, EnvLost)
    assert error.executed == "unknown"
    assert border.lost == border.came
    assert border.side.forgotten == [member.env]
    assert border.side.peers.ids() == [3]
    assert list(border.side.peers._peers) == [3]
    assert border.foreign.find(member.incarnation) is None
    assert [each.env for each in border.side.transport.admitted] == [3]


def test_late_news_of_the_end_of_a_peer_does_no_harm_to_the_one_that_came_after_it(border: Border) -> None:
    border.visit()
    former = border.foreign.find(VISITOR.incarnation)
    assert former is not None
    border.foreign.lose(former, Loss("its connection broke"))
    member = border.visit()
    assert member is not None
    border.foreign.lose(former, Loss("its connection broke"))
    assert member in border.side.transport.admitted
    later = border.foreign.find(VISITOR.incarnation)
    assert later is not None
    assert later.member == member


def test_what_waited_for_an_env_that_was_not_found_has_not_run(border: Border) -> None:
    peer = border.foreign.expect("visitor's", 2)
    request = asked(TARGET)
    peer.asking.send(request)
    border.foreign.lose(peer, Loss("it is not there"))
    assert isinstance(request.promise, CountedPromise)
    error = request.promise.error()
    assert isinstance(error, EnvLost)
    assert error.executed == "no"


def test_an_env_that_visits_while_it_is_looked_for_is_that_peer(border: Border) -> None:
    peer = border.foreign.expect("visitor's", 2)
    request = asked(TARGET)
    peer.asking.send(request)
    assert border.sent() == []
    assert border.visit() == peer.member
    assert border.came == []  # it has its place already
    ((header, _),) = border.sent()
    assert isinstance(header, RequestHeader)
    border.foreign.arrive(peer, THERE)  # its front says the same, later
    border.receive(peer.member, written(OutcomeHeader(header.number, 0, 1)), Packer().pack("here").body)
    assert isinstance(request.promise, CountedPromise)
    (outcome,) = request.promise.outcomes
    assert outcome.opened().unwrap() == "here"


def test_an_env_that_is_lost_while_it_is_looked_for_comes_too_late(border: Border) -> None:
    peer = border.foreign.expect("visitor's", 2)
    border.foreign.lose(peer, Loss("it is not there"))
    border.foreign.arrive(peer, THERE)
    assert border.foreign.find(THERE.incarnation) is None
    assert [each.env for each in border.side.transport.admitted] == [3]


def test_one_that_is_known_as_another_env_fails_what_waits(border: Border) -> None:
    border.visit()
    peer = border.foreign.expect("visitor's", -1)
    request = asked(TARGET)
    peer.asking.send(request)
    border.foreign.arrive(peer, THERE)
    assert isinstance(request.promise, CountedPromise)
    error = request.promise.error()
    assert isinstance(error, EnvLost)
    assert error.executed == "no"


def test_the_kernel_vouches_for_an_env_of_the_owner(border: Border) -> None:
    border.visit()
    assert border.came[0].caller == Caller("own", "visitor's", "", is_own=True)


@pytest.mark.parametrize(("key", "identity"), [(OWN_KEY, "own"), (BOBS_KEY, "bob")])
def test_a_key_says_whose_an_env_is(border: Border, key: str, identity: str) -> None:
    border.visit(VISITOR._replace(public_key=key), key)
    assert border.came[0].caller == Caller(identity, "visitor's", fingerprint(key), identity == "own")


def test_a_key_that_does_not_count_opens_nothing(border: Border) -> None:
    for proven, answers in [("old", BOBS_KEY), (BOBS_KEY, "old")]:
        assert border.visit(VISITOR._replace(public_key=answers), proven) is None
    assert border.came == []
    assert border.side.peers.audit.counts["key"] == 2


def test_answers_go_to_the_owner_who_asked(border: Border) -> None:
    assert border.visit(VISITOR._replace(public_key=CAROLS_KEY), BOBS_KEY) is None
    assert border.side.peers.audit.counts["key"] == 1
    assert border.visit(VISITOR._replace(public_key=BOBS_OTHER_KEY), BOBS_KEY) is not None


def test_another_owner_does_not_take_the_place_of_an_env_that_is_looked_for(border: Border) -> None:
    peer = border.foreign.expect("visitor's", 2)
    assert peer.caller == UNKNOWN
    peer.asking.send(asked(TARGET))
    border.visit(VISITOR._replace(public_key=BOBS_KEY), BOBS_KEY)
    assert border.sent() == []
    assert border.came[0].caller.identity == "bob"
    assert peer.caller == UNKNOWN


def test_an_env_is_found_with_a_key_of_the_owner_alone(border: Border) -> None:
    for key in (BOBS_KEY, "old"):
        peer = border.foreign.expect("visitor's", 2)
        request = asked(TARGET)
        peer.asking.send(request)
        border.foreign.arrive(peer, replace(THERE, public_key=key))
        assert isinstance(request.promise, CountedPromise)
        error = request.promise.error()
        assert isinstance(error, EnvLost)
        assert error.executed == "no"


def test_no_way_leads_to_a_key_that_does_not_count(border: Border) -> None:
    with pytest.raises(BrokenError, match="revoked"):
        border.foreign.reach(replace(THERE, public_key="old"))
    assert border.foreign.reach(replace(THERE, public_key=BOBS_KEY)).caller.identity == "bob"
