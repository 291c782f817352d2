"""Claims about the membership of one Env, and about what its reading thread survives."""

from dataclasses import replace

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corps.addresses import ConcAddr
from corps.errors import EnvLost, VersionMismatch
from corps.messages.promises import NoAnswer
from corps.messages.requests import CALL, Request
from corps.peers.members import Peers
from corps.wire.frames import Hello, ProbeHeader
from tests.unit.transport.sides import CORPS, FIRST, CountedPromise, Side, carry, member, pair
from tests.unit.wire.test_frames import headers, values, with_body
from tests.unit.wire.writing import written

messages = (
    headers.map(with_body)
    | st.lists(st.binary(max_size=40), max_size=4)
    | st.tuples(st.integers(0, 7), st.lists(values, max_size=8), st.binary(max_size=9)).map(
        lambda parts: [msgpack.packb([parts[0], *parts[1]]), parts[2]]
    )
)


@given(st.lists(messages, max_size=20))
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_member_sends_the_link_goes_on(sent: list[list[bytes]]) -> None:
    one, two = pair()
    waiting = one.ask("x")
    for message in sent:
        one.receive(message)  # raises nothing
    carry(one, two)
    two.delivered[0].answer("y")
    one.delivered.clear()
    second = one.ask("z")
    carry(one, two)
    two.delivered[-1].answer("w")
    carry(one, two)
    if not waiting.outcomes:
        pytest.fail("a request was forgotten")
    assert len(waiting.outcomes) == 1
    assert len(second.outcomes) == 1
    assert one.peers.audit.counts["defect"] == 0


def test_what_is_refused_is_counted_and_logged_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    one, _ = pair()
    for _ in range(50):
        one.receive([b"\xff"])
    assert one.peers.audit.counts == {"protocol": 50}
    assert len(caplog.records) <= 2
    assert "env2 broke the protocol" in caplog.text


def test_a_second_hello_is_refused() -> None:
    one, _ = pair()
    one.receive([Hello(CORPS, 2, "a" * 32).header()])
    assert one.peers.audit.counts == {"protocol": 1}


def test_a_defect_on_the_way_of_a_message_is_counted_and_does_not_end_the_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two = pair()
    two.ask()
    carry(one, two)

    def fail(*_: object) -> None:
        raise IndexError("planted")

    monkeypatch.setattr(one, "follow_probe", fail)
    one.receive([written(ProbeHeader(FIRST, 1, 1, 1, 5, ()))])
    assert one.peers.audit.counts == {"defect": 1}


def test_messages_of_who_is_no_member_are_dropped() -> None:
    one, two = pair()
    two.ask()
    message = two.transport.outbox[0]
    assert one.transport.on_message is not None
    one.transport.on_message(9, message)
    assert one.delivered == []


def test_an_env_that_never_was_is_lost() -> None:
    one, _ = pair()
    promise = CountedPromise()
    one.peers.send(Request(CALL, member_addr(7), "m", (), {}, promise))
    error = promise.error()
    assert isinstance(error, EnvLost)
    assert error.executed == "no"


def member_addr(env: int) -> ConcAddr:
    return ConcAddr(CORPS, env, 1)


def test_learning_of_oneself_or_of_the_same_member_again_changes_nothing() -> None:
    one, _ = pair()
    promise = one.ask()
    one.peers.learn(member(2))
    one.peers.learn(member(1))
    assert list(one.peers.statistics()) == [2]
    assert promise.outcomes == []
    assert one.transport.admitted == [member(2)]


def test_closing_hands_back_the_last_credit_before_the_links_close() -> None:
    one, two = pair()
    one.peers.send(one.request(promise=NoAnswer("it")))
    carry(one, two)
    two.delivered[0].answer(None)
    two.peers.close()
    carry(one, two)
    assert one.peer.asking.room.window.requests == 0


def test_closing_settles_what_is_unanswered() -> None:
    one, _ = pair()
    promise = one.ask()
    one.peers.close()
    assert isinstance(promise.error(), EnvLost)


def test_peers_are_named_after_the_env() -> None:
    side = Side(4, 5)
    assert isinstance(side.peers, Peers)
    assert side.peers.statistics() == {5: {"sent": 0, "received": 0}}


def test_who_has_a_broken_link_and_is_not_said_to_have_ended_is_given_up() -> None:
    one, _ = pair()
    waiting = one.ask("x")
    assert one.transport.on_broken is not None
    one.transport.on_broken(member(2), None)
    assert waiting.outcomes == []
    one.alarms.ring_all()
    (outcome,) = waiting.outcomes
    with pytest.raises(EnvLost, match="its connection broke, though it is not known to have ended"):
        outcome.unwrap()


def test_a_peer_of_another_version_is_lost_at_once_and_says_that_nothing_ran() -> None:
    one, _ = pair()
    reported: list[tuple[int, str]] = []
    one.peers.on_unreachable = lambda env, reason: reported.append((env, reason))
    waiting = one.ask("x")
    assert one.transport.on_broken is not None
    refusal = VersionMismatch("the peer speaks version 3 of the protocol, this is version 5")
    one.transport.on_broken(member(2), refusal)
    error = waiting.error()
    assert isinstance(error, EnvLost)
    assert (error.executed, str(error)) == ("no", f"env2 is lost: {refusal}")
    assert isinstance(error.__cause__, VersionMismatch)
    assert (reported, list(one.peers.statistics())) == ([(2, str(refusal))], [])


def test_a_refusal_of_a_former_process_says_nothing_of_the_present_one() -> None:
    one, _ = pair()
    assert one.transport.on_broken is not None
    one.peers.learn(replace(member(2), incarnation="another"))
    one.transport.on_broken(member(2), VersionMismatch("planted"))
    assert list(one.peers.statistics()) == [2]


def test_a_broken_link_says_nothing_of_a_peer_that_was_started_again() -> None:
    one, _ = pair()
    assert one.transport.on_broken is not None
    one.transport.on_broken(member(2), None)
    one.peers.learn(replace(member(2), incarnation="another"))
    one.alarms.ring_all()
    assert list(one.peers.statistics()) == [2]
