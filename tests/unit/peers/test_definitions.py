"""Claims about definitions between two peers: sent ahead, found in any order, gone with the peer."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest

from corps.errors import Overloaded, PackError, UnpackError
from corps.wire.frames import MAX_DEFINITION, MAX_DEFINITIONS, DefineHeader, Frame, read_header
from tests.unit.transport.sides import Side, carry, member, pair
from tests.unit.wire.writing import written


def adder(number: int) -> Callable[[int], int]:
    return lambda n: n + number


def made(text: str) -> Callable[[], Any]:
    """A function with code of its own."""
    function: Callable[[], Any] = eval(f"lambda: {text}", {})
    return function


def kinds(side: Side) -> list[str]:
    return [type(read_header(frames)).__name__ for frames in side.transport.outbox]


def opened(side: Side) -> list[Any]:
    """The first arguments of what was delivered, opened the latest first."""
    for request in reversed(side.delivered):
        request.open()
    arguments = [request.args[0] for request in side.delivered]
    side.delivered.clear()
    return arguments


def test_a_definition_goes_ahead_of_the_request_that_refers_to_it() -> None:
    one, _ = pair()
    for _ in range(4):
        one.ask(adder(1))
    assert kinds(one) == ["RequestHeader", "DefineHeader", *["RequestHeader"] * 3]
    assert [len(frames[1]) > 200 for frames in one.transport.outbox] == [True, True, False, False, False]


def test_requests_are_opened_late_in_any_order_and_share_the_code() -> None:
    one, two = pair()
    for _ in range(4):
        one.ask(adder(1))
    carry(one, two)
    assert two.peer.definitions._built == {}  # nothing is unpacked by who reads
    by_value, *by_number = opened(two)
    assert [function(1) for function in (by_value, *by_number)] == [2, 2, 2, 2]
    assert len({id(function.__code__) for function in by_number}) == 1


def test_answers_do_the_same_in_the_other_direction() -> None:
    one, two = pair()
    promises = [one.ask(number) for number in range(3)]
    carry(one, two)
    for request in two.delivered:
        request.answer(adder(5))
    assert kinds(two) == ["OutcomeHeader", "DefineHeader", "OutcomeHeader", "OutcomeHeader"]
    carry(one, two)
    functions = [promise.value() for promise in reversed(promises)]
    assert [function(1) for function in functions] == [6, 6, 6]
    assert functions[0].__code__ is functions[1].__code__


def test_exceptions_of_local_classes_keep_their_class() -> None:
    class Failure(Exception):
        pass

    one, two = pair()
    promises = [one.ask(number) for number in range(3)]
    carry(one, two)
    for request in two.delivered:
        request.fail(Failure("it"))
    assert kinds(two).count("DefineHeader") == 1
    carry(one, two)
    origins = [promise.outcomes[0].opened().remote.origin for promise in promises]  # type: ignore[attr-defined]
    assert len({type(origin) for origin in origins}) == 1
    two.delivered.clear()
    for origin in origins:
        one.ask(origin)
    carry(one, two)
    assert [type(origin) for origin in opened(two)] == [Failure] * 3


def test_nothing_is_lost_by_a_request_that_fails() -> None:
    one, two = pair(window=(2, 10_000))
    another = made("2")
    one.ask(adder(1))
    with pytest.raises(PackError):
        one.ask((adder(1), iter(each for each in "text")))
    one.ask(adder(1))
    with pytest.raises(Overloaded):
        one.ask(another)
    with pytest.raises(Overloaded):
        one.ask(another)
    assert kinds(one) == ["RequestHeader", "DefineHeader", "RequestHeader", "DefineHeader"]
    carry(one, two)
    for request in two.delivered:
        request.answer(None)
    two.delivered.clear()
    carry(one, two)
    one.ask((adder(1), another))
    assert kinds(one) == ["RequestHeader"]
    carry(one, two)
    first, second = opened(two)[0]
    assert (first(1), second()) == (2, 2)


def test_a_definition_that_could_not_be_sent_is_not_referred_to(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = pair()
    one.ask(adder(1))
    transmit = one.peer.way.transmit

    def no_definitions(frames: list[Frame]) -> None:
        if isinstance(read_header(frames), DefineHeader):
            raise Overloaded("no memory")
        transmit(frames)

    monkeypatch.setattr(one.peer.definitions, "_transmit", no_definitions)
    one.ask(adder(1))
    one.ask(adder(1))
    carry(one, two)
    assert [function(1) for function in opened(two)] == [2, 2, 2]


def test_what_is_too_large_goes_by_value() -> None:
    one, two = pair()
    text = "x" * MAX_DEFINITION
    for _ in range(3):
        one.ask(made(repr(text)))
    assert kinds(one) == ["RequestHeader"] * 3
    carry(one, two)
    assert [function() for function in opened(two)] == [text] * 3


def test_what_is_more_than_a_peer_keeps_goes_by_value() -> None:
    one, two = pair(window=(10_000, 10_000_000))
    for number in range(MAX_DEFINITIONS + 2):
        function = made(str(number))
        for _ in range(3):
            one.ask(function)
    assert kinds(one).count("DefineHeader") == MAX_DEFINITIONS
    carry(one, two)
    assert two.peers.audit.counts == {}
    assert [function() for function in opened(two)[2::3]] == list(range(MAX_DEFINITIONS + 2))


def test_a_peer_that_breaks_the_rules_of_definitions_is_counted_and_kept() -> None:
    one, two = pair()
    two.receive([written(DefineHeader(1, 1)), b"no pickle"])
    two.receive([written(DefineHeader(1, 1)), b"again"])
    two.receive([written(DefineHeader(2, 1)), bytes(MAX_DEFINITION + 1)])
    assert two.peers.audit.counts == {"protocol": 2}
    one.ask(1)
    carry(one, two)
    assert opened(two) == [1]


def test_a_number_without_a_definition_fails_the_request_and_says_so() -> None:
    one, two = pair()
    for _ in range(2):
        one.ask(adder(1))
    del one.transport.outbox[1]
    carry(one, two)
    with pytest.raises(UnpackError, match="definition 1, which their sender has not sent"):
        two.delivered[1].open()


def test_a_definition_may_not_lead_to_itself() -> None:
    one, two = pair()
    for _ in range(3):
        one.ask(adder(1))
    body = bytes(one.transport.outbox[2][1])
    two.receive([written(DefineHeader(1, 1)), body])
    del one.transport.outbox[1]
    carry(one, two)
    with pytest.raises(UnpackError, match="definition 1"):
        two.delivered[1].open()


def test_a_peer_that_was_started_again_gets_everything_anew() -> None:
    one, two = pair()
    for _ in range(3):
        one.ask(adder(1))
    carry(one, two)
    one.peers.learn(member(2, "b"))
    again = Side(2, 1)
    for _ in range(3):
        one.ask(adder(1))
    assert kinds(one) == ["RequestHeader", "DefineHeader", "RequestHeader", "RequestHeader"]
    carry(one, again)
    assert [function(1) for function in opened(again)] == [2, 2, 2]
    # What the lost one had received can still be opened.
    two.peers.lose(1, "it has ended")
    assert [function(1) for function in opened(two)] == [2, 2, 2]


def test_many_threads_send_the_same_at_once() -> None:
    one, two = pair(window=(10_000, 10_000_000))
    start = Barrier(8)

    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

    def send() -> None:
        start.wait()
        for number in range(20):
            one.ask((adder(3), Point(number)))

    threads = [Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    carry(one, two)
    received = opened(two)
    assert len(received) == 160
    assert all(function(1) == 4 for function, _ in received)
    assert len({type(point) for _, point in received}) == 1
    assert two.peers.audit.counts == {}


def test_an_outcome_may_be_opened_when_its_sender_has_gone() -> None:
    one, two = pair()
    promises = [one.ask(number) for number in range(3)]
    carry(one, two)
    for request in two.delivered:
        request.answer(adder(2))
    carry(one, two)
    one.peers.lose(2, "it has ended")
    assert [promise.value()(1) for promise in promises] == [3, 3, 3]
