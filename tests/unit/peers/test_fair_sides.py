"""Claims about both sides of a share: what a client hears, what it confirms, and what it is refused."""

from typing import Any

import pytest

from corps.errors import Overloaded
from corps.messages.contacts import Contact, ExtAddr
from corps.messages.members import Member
from corps.messages.outcomes import Value
from corps.messages.requests import CALL, Request
from corps.packing.packer import Packer
from corps.peers.asking import Loss
from corps.wire.fair_share import LEAST
from corps.wire.frames import (
    CancelHeader,
    OutcomeHeader,
    SharedHeader,
    ShareHeader,
    WorkingHeader,
    frame_of,
)
from tests.unit.peers.test_foreign import RIGHT, THERE, Border, request_of
from tests.unit.transport.sides import CountedPromise

TARGET = ExtAddr("visitor's", 2, 7, RIGHT, Contact(THERE, THERE))


@pytest.fixture
def border() -> Border:
    return Border()


@pytest.fixture
def client(border: Border) -> Member:
    member = border.visit()
    assert member is not None
    return member


def ask(border: Border, client: Member, number: int) -> None:
    border.receive(client, *request_of(capability=RIGHT, number=number))


def headers(border: Border, kind: type) -> list[Any]:
    return [header for header, _ in border.sent() if isinstance(header, kind)]


def send(border: Border) -> tuple[Request, CountedPromise]:
    promise = CountedPromise()
    request = Request(CALL, TARGET, "method", (), {}, promise)
    request.sent = 0.0
    border.foreign.reach(THERE).asking.send(request)
    return request, promise


def test_a_client_that_asks_for_little_hears_of_no_share(border: Border, client: Member) -> None:
    for number in range(1, 100):
        ask(border, client, number)
        border.side.delivered.pop().promise.settle(Value(number))
    assert [type(header) for header, _ in border.sent()] == [OutcomeHeader] * 99


def test_a_client_hears_its_share_and_confirms_it(border: Border, client: Member) -> None:
    for number in range(1, 6):
        ask(border, client, number)
    assert headers(border, ShareHeader) == [ShareHeader(1, 100, 1_000_000)]
    border.receive(client, frame_of(SharedHeader(1)))
    assert border.side.peers.audit.counts["protocol"] == 0
    border.receive(client, frame_of(SharedHeader(1)))
    assert border.side.peers.audit.counts["protocol"] == 1


def test_over_its_share_a_client_is_refused_when_the_room_is_full(border: Border, client: Member) -> None:
    for number in range(1, 102):
        ask(border, client, number)
    ((header, frames),) = [each for each in border.sent() if isinstance(each[0], OutcomeHeader)]
    assert header.number == 101
    with pytest.raises(Overloaded) as refused:
        border.came[0].asking._outcomes.open(header.status, header.codec, frames[1:]).unwrap()
    assert refused.value.executed == "no"
    assert refused.value.retry_after is not None
    border.side.delivered[0].promise.settle(Value(1))
    ask(border, client, 102)  # there is room again
    assert border.foreign.reception.statistics()["requests"] == 100


def test_a_request_that_waits_for_its_turn_is_cancelled_and_its_room_is_free(
    border: Border, client: Member
) -> None:
    for number in range(1, 5):
        ask(border, client, number)
    border.sent()
    border.receive(client, frame_of(CancelHeader(4, only_if_waiting=1)))
    assert [header.number for header in headers(border, OutcomeHeader)] == [4]
    border.side.delivered[0].open()
    border.side.delivered[1].open()
    assert len(border.side.delivered) == 3
    assert border.foreign.reception.statistics()["requests"] == 3


def test_a_client_that_is_lost_takes_along_what_wants_an_answer_alone(border: Border, client: Member) -> None:
    for number in (1, 2, 3, 0, 0, 4):
        ask(border, client, number)
    border.foreign.lose(border.came[0], Loss("it is gone"))
    for request in border.side.delivered[:2]:
        assert request.is_given_up
    assert len(border.side.delivered) == 4
    for request in border.side.delivered[2:]:
        request.promise.settle(Value(None))
    assert border.foreign.reception.statistics()["clients"] == 0


def test_signs_of_life_come_while_a_request_takes_long(
    border: Border, client: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(border, client, 1)
    border.side.alarms.ring_all()
    assert headers(border, WorkingHeader) == []  # it has not waited for long
    monkeypatch.setattr("corps.peers.fair_answering.now", lambda: 1e12)
    for _ in range(3):
        border.side.alarms.ring_all()
        assert headers(border, WorkingHeader) == [WorkingHeader(5000)]
    border.side.delivered[0].promise.settle(Value(1))
    border.side.alarms.ring_all()
    assert headers(border, WorkingHeader) == []
    assert border.side.alarms.rings == []


def test_a_sender_goes_as_far_as_its_share_and_confirms_it_when_it_keeps_to_it(border: Border) -> None:
    peer = border.foreign.reach(THERE)
    sent = [send(border) for _ in range(LEAST.requests)]
    with pytest.raises(Overloaded):
        send(border)
    border.receive(peer.member, frame_of(ShareHeader(1, 20, 1000)))
    assert headers(border, SharedHeader) == [SharedHeader(1)]
    sent += [send(border) for _ in range(12)]
    with pytest.raises(Overloaded):
        send(border)
    border.receive(peer.member, frame_of(ShareHeader(3, 18, 1000)))
    border.receive(peer.member, frame_of(ShareHeader(2, 500, 1000)))  # overtaken
    body = Packer().pack(1).body
    border.sent()
    for request, promise in sent[:2]:
        assert headers(border, SharedHeader) == []
        border.receive(peer.member, frame_of(OutcomeHeader(request.number, 0, 1)), body)
        assert promise.done()
    assert headers(border, SharedHeader) == [SharedHeader(3)]


def test_an_env_without_signs_of_life_counts_as_dead(border: Border, monkeypatch: pytest.MonkeyPatch) -> None:
    peer, at = border.foreign.reach(THERE), 10.0
    monkeypatch.setattr("corps.peers.fair_asking.now", lambda: at)
    request, _ = send(border)
    assert peer.asking.is_alive(request)
    at = 16.0
    assert not peer.asking.is_alive(request)
    border.receive(peer.member, frame_of(WorkingHeader(2000)))
    at = 21.0
    assert peer.asking.is_alive(request)
    at = 23.0
    assert not peer.asking.is_alive(request)
    peer.asking.lose(Loss("it is gone"))
    at = 16.0
    assert not peer.asking.is_alive(request)
