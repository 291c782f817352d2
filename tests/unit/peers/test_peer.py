"""Claims about one peer: each promise is settled once, and the window gets empty again."""

import logging
from threading import Event, Thread
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from corps.clock import now
from corps.errors import (
    BrokenError,
    Cancelled,
    DeadlineExceeded,
    EnvLost,
    Overloaded,
    PackError,
    Remote,
)
from corps.messages.outcomes import Raised, Refused, Value
from corps.messages.promises import NoAnswer
from corps.messages.requests import DROP, EXIT, PULL, WITHDRAWN, Request
from corps.wire.frames import (
    CancelHeader,
    CreditHeader,
    MarkHeader,
    OutcomeHeader,
    ProbeHeader,
    RequestHeader,
    read_header,
)
from tests.unit.transport.sides import CORPS, FIRST, CountedPromise, Side, carry, member, pair
from tests.unit.wire.writing import written


def sent(side: Side) -> tuple[int, int]:
    window = side.peer.asking.room.window
    return window.requests, window.size


# Asking and answering


def test_a_request_arrives_and_its_outcome_comes_back() -> None:
    one, two = pair()
    promise = one.ask(1, "x")
    carry(one, two)
    (request,) = two.delivered
    request.open()
    assert (request.args, request.kwargs, request.method) == ((1, "x"), {}, "method")
    request.answer([2])
    carry(one, two)
    assert promise.value() == [2]
    assert sent(one) == (0, 0)


def test_an_answer_for_which_there_is_no_memory_is_sent_when_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Was a defect: what had been computed was lost, and replaced by an error."""
    one, two = pair()
    promise = one.ask("x")
    carry(one, two)
    failures = iter([MemoryError("planted")] * 3)
    transmit = two.peer.way.transmit

    def fail_once(*message: Any) -> None:
        for failure in failures:
            raise failure
        transmit(*message)

    monkeypatch.setattr(two.peer.way, "transmit", fail_once)
    two.delivered[0].answer("large")
    for _ in range(3):
        carry(one, two)
        assert not promise.done()
        two.alarms.ring_all()
    carry(one, two)
    assert promise.value() == "large"
    assert sent(one) == (0, 0)


def test_an_answer_that_there_is_no_memory_to_pack_is_packed_when_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two = pair()
    promises = [one.ask("x"), one.ask("y")]
    carry(one, two)
    answering = two.peer.answering
    failures = iter([MemoryError("planted")] * 3)
    pack = answering._outcomes.pack

    def fail_first(outcome: Any) -> Any:
        for failure in failures:
            raise failure
        return pack(outcome)

    monkeypatch.setattr(answering._outcomes, "pack", fail_first)
    monkeypatch.setattr("corps.peers.answering.FIRST_PAUSE", 0.0)
    two.delivered[0].answer("large")
    carry(one, two)
    assert promises[0].value() == "large"


def test_all_about_requests_to_one_worker_has_its_lane_and_nothing_else_has_one() -> None:
    one, two = pair()
    request = one.request()
    one.peers.send(request)
    one.peers.probe(request, ProbeHeader(1, 1, 1, 1, 0, ()))
    one.peer.asking.withdraw(request)
    carry(one, two)
    two.peer.answering.give_credit(1)
    two.peer.answering.give_rest()
    assert one.transport.lanes == [request.target.conc] * 3
    assert two.transport.lanes == [None, None]


def test_arguments_are_unpacked_by_who_opens_them_and_not_before() -> None:
    one, two = pair()
    one.ask(Tripwire())
    carry(one, two)
    assert not Tripwire.was_unpacked
    two.delivered[0].open()
    assert Tripwire.was_unpacked


class Tripwire:
    was_unpacked = False

    def __setstate__(self, state: object) -> None:
        Tripwire.was_unpacked = True

    def __getstate__(self) -> object:
        return 1


def test_an_exception_comes_back_as_its_type() -> None:
    one, two = pair()
    promise = one.ask()
    carry(one, two)
    two.delivered[0].fail(ValueError("planted"))
    carry(one, two)
    assert isinstance(promise.error(), ValueError)


def test_the_second_outcome_of_a_request_is_not_sent() -> None:
    one, two = pair()
    promise = one.ask()
    carry(one, two)
    assert two.delivered[0].answer(1)
    assert not two.delivered[0].answer(2)
    carry(one, two)
    assert promise.value() == 1


def test_what_cannot_be_packed_raises_at_the_call_and_takes_no_room() -> None:
    one, _ = pair()
    with pytest.raises(PackError):
        one.ask(Event())
    assert sent(one) == (0, 0)
    assert not one.transport.outbox


def test_a_frame_that_the_peer_would_refuse_raises_at_the_call() -> None:
    one, _ = pair(max_frame=1000)
    with pytest.raises(PackError, match="max_message"):
        one.ask(bytes(2000))
    assert sent(one) == (0, 0)


def test_a_result_that_the_caller_would_refuse_becomes_an_error_that_says_it_ran() -> None:
    one, two = pair(max_frame=1000)
    promise = one.ask()
    carry(one, two)
    two.delivered[0].answer(bytes(2000))
    carry(one, two)
    error = promise.error()
    assert isinstance(error, PackError)
    assert vars(error)["executed"] == "yes"


@pytest.mark.parametrize("name", ["x" * 40_000, "half \udc80 pair"])
def test_a_name_that_no_header_can_hold_raises_at_the_call(name: str) -> None:
    one, _ = pair()
    request = one.request()
    request.method = name
    with pytest.raises(PackError):
        one.peers.send(request)
    assert sent(one) == (0, 0)


def test_a_request_whose_time_is_over_is_not_sent() -> None:
    one, _ = pair()
    promise = one.ask(deadline=now() - 1)
    error = promise.error()
    assert isinstance(error, DeadlineExceeded)
    assert error.executed == "no"
    assert not one.transport.outbox


def test_more_time_than_a_header_can_say_is_no_limit() -> None:
    one, two = pair()
    one.ask(deadline=1e300)
    carry(one, two)
    assert two.delivered[0].deadline is None


# The window


def test_without_room_a_request_is_refused_when_its_time_is_over() -> None:
    one, two = pair(window=(2, 1000))
    one.ask()
    one.ask()
    with pytest.raises(Overloaded) as caught:
        one.ask()
    assert caught.value.executed == "no"
    assert one.blocked == 0
    carry(one, two)
    two.delivered[0].answer(None)
    carry(one, two)
    one.ask()


def test_a_request_larger_than_the_window_goes_alone() -> None:
    one, two = pair(window=(10, 100))
    one.ask(bytes(1000))
    with pytest.raises(Overloaded):
        one.ask()
    carry(one, two)
    two.delivered[0].answer(None)
    carry(one, two)
    one.ask(bytes(1000))


def test_a_coroutine_does_not_wait_for_room() -> None:
    one, _ = pair(window=(1, 1000), patience=None)
    one.is_coroutine = True
    one.ask()
    one.ask()
    assert sent(one)[0] == 2


def test_the_thread_that_reads_does_not_wait_for_room() -> None:
    one, two = pair(window=(1, 1000), patience=None)
    request = one.request()
    promise = Chained(lambda: (one.ask(), one.ask()))
    request.promise = promise
    one.peers.send(request)
    carry_request(one, two)
    two.delivered[0].answer(None)
    carry(one, two)  # the callback sends two requests where there is room for one
    assert len(two.delivered) == 3


class Chained(CountedPromise):
    def __init__(self, then: object) -> None:
        super().__init__()
        self._then = then

    def settle(self, outcome: object) -> bool:
        first = super().settle(outcome)  # type: ignore[arg-type]
        self._then()  # type: ignore[operator]
        return first


def carry_request(one: Side, two: Side) -> None:
    two.receive(one.transport.outbox.popleft())


@pytest.mark.parametrize("kind", [EXIT, DROP])
def test_what_ends_something_does_not_wait_for_room(kind: int) -> None:
    one, _ = pair(window=(1, 1000), patience=None)
    one.ask()
    one.ask(kind=kind)
    assert len(one.transport.outbox) == 2


def test_requests_without_answer_give_their_room_back_in_lumps_and_the_rest_a_little_later() -> None:
    one, two = pair(window=(8, 10_000))
    for _ in range(3):
        one.tell()
    carry(one, two)
    two.delivered[0].answer(None)
    carry(one, two)
    assert sent(one)[0] == 3
    two.delivered[1].answer(None)
    carry(one, two)
    assert sent(one)[0] == 1
    two.delivered[2].answer(None)
    carry(one, two)
    assert sent(one)[0] == 1
    two.alarms.ring_all()
    carry(one, two)
    assert sent(one) == (0, 0)


@pytest.mark.parametrize("outcome", [Value(1), Refused(EnvLost("x")), Raised(Remote("t", "x"))])
def test_a_request_without_answer_gives_its_room_back_however_it_ends(
    outcome: Value | Refused | Raised,
) -> None:
    one, two = pair()
    one.tell()
    carry(one, two)
    two.delivered[0].settle(outcome)
    two.alarms.ring_all()
    carry(one, two)
    assert sent(one) == (0, 0)


# Giving up


def give_up(side: Side, request: Request) -> bool:
    """As a Future does."""
    taken = side.peer.asking.take_back(request)
    request.settle(Refused(Cancelled("planted")))
    side.peer.asking.withdraw(request)
    return taken


def test_a_withdrawn_request_keeps_its_room_until_the_peer_says_so() -> None:
    one, two = pair(window=(1, 1000))
    request = one.request()
    one.peers.send(request)
    assert not give_up(one, request)
    with pytest.raises(Overloaded):
        one.ask()
    carry(one, two)
    assert sent(one) == (0, 0)
    assert one.peers.statistics() == {2: {"sent": 0, "received": 0}}
    assert two.peers.statistics() == {1: {"sent": 0, "received": 0}}


def test_a_withdrawn_request_lets_go_of_its_arguments_where_it_waits() -> None:
    one, two = pair()
    request = one.request(bytes(1000))
    one.peers.send(request)
    carry(one, two)
    give_up(one, request)
    carry(one, two)
    assert two.delivered[0].packed is None
    assert two.delivered[0].promise.done()


def test_withdrawing_what_has_begun_tells_who_runs_it() -> None:
    one, two = pair()
    request = one.request()
    one.peers.send(request)
    carry(one, two)
    two.holder.begun.add(id(two.delivered[0]))
    give_up(one, request)
    carry(one, two)
    assert two.holder.withdrawn == two.delivered
    assert not two.delivered[0].answer("too late")
    carry(one, two)
    assert sent(one) == (0, 0)


def test_a_cancellation_that_crosses_the_answer_is_no_fault() -> None:
    one, two = pair()
    request = one.request()
    one.peers.send(request)
    carry_request(one, two)
    two.delivered[0].answer(1)
    give_up(one, request)
    carry(one, two)
    assert isinstance(request.promise, CountedPromise)
    assert len(request.promise.outcomes) == 1
    assert sent(one) == (0, 0)
    assert not one.peers.audit.counts
    assert not two.peers.audit.counts


def test_a_request_that_is_given_up_while_it_waits_for_room_is_never_sent() -> None:
    one, two = pair(window=(1, 1000), patience=None)
    one.ask()
    request = one.request()
    thread = Thread(target=one.peers.send, args=(request,))
    waits = Event()
    one.enter_blocked = waits.set  # type: ignore[method-assign]
    one.leave_blocked = lambda: None  # type: ignore[method-assign]
    thread.start()
    waits.wait()
    assert give_up(one, request)
    assert request.stage == WITHDRAWN
    carry(one, two)
    two.delivered[0].answer(None)
    carry(one, two)
    thread.join()
    assert len(two.delivered) == 1
    assert sent(one) == (0, 0)


# Loss


def test_losing_the_peer_settles_what_it_has_not_answered() -> None:
    one, _ = pair()
    promises = [one.ask() for _ in range(3)]
    one.peers.lose(2, "planted")
    for promise in promises:
        error = promise.error()
        assert isinstance(error, EnvLost)
        assert error.executed == "unknown"


def test_what_is_sent_to_a_lost_peer_certainly_did_not_run() -> None:
    one, _ = pair()
    peer = one.peer
    one.peers.lose(2, "planted")
    error = one.ask().error()
    assert isinstance(error, EnvLost)
    assert error.executed == "no"
    request = one.request()
    peer.asking.send(request)  # it was looked up before the loss
    assert isinstance(request.promise, CountedPromise)
    error = request.promise.error()
    assert isinstance(error, EnvLost)
    assert error.executed == "no"
    assert len(one.transport.links) == 0


def test_losing_the_peer_wakes_who_waits_for_room() -> None:
    one, _ = pair(window=(1, 1000), patience=None)
    one.ask()
    request = one.request()
    thread = Thread(target=one.peers.send, args=(request,))
    waits = Event()
    one.enter_blocked = waits.set  # type: ignore[method-assign]
    one.leave_blocked = lambda: None  # type: ignore[method-assign]
    thread.start()
    waits.wait()
    one.peers.lose(2, "planted")
    thread.join()
    assert isinstance(request.promise, CountedPromise)
    assert isinstance(request.promise.error(), EnvLost)


def test_a_lost_peer_opens_no_link_any_more() -> None:
    one, _ = pair()
    peer = one.peer
    one.peers.lose(2, "planted")
    peer.answering.answer(1, Value(None))
    peer.answering.give_credit(1)
    peer.answering.give_rest()
    peer.asking.probe(1, ProbeHeader(1, 1, 1, 1, 0, ()))
    assert one.transport.links == []


def test_nothing_of_a_lost_peer_begins() -> None:
    one, two = pair()
    one.ask()
    peer = two.peer
    header = read_header(one.transport.outbox[0])
    two.peers.lose(1, "planted")
    peer.answering.on_request(header, one.transport.outbox[0])  # type: ignore[arg-type]
    assert two.delivered == []


@pytest.mark.parametrize(
    "optional",
    [
        {"target_corps": "another"},
        {"sender_corps": "another"},
        {"target_corps": CORPS, "sender_corps": "another"},
    ],
)
def test_a_request_for_or_of_another_corps_is_refused(optional: dict[str, bytes | str]) -> None:
    one, two = pair()
    one.ask()
    header = read_header(one.transport.outbox[0])
    assert isinstance(header, RequestHeader)
    two.receive([written(header._replace(optional=optional)), *one.transport.outbox[0][1:]])
    assert two.delivered == []
    assert two.peers.audit.counts["protocol"] == 1


def test_a_request_with_all_optional_fields_is_taken() -> None:
    one, two = pair()
    promise = one.ask("x")
    header = read_header(one.transport.outbox[0])
    assert isinstance(header, RequestHeader)
    optional: dict[str, bytes | str] = {
        "trace": bytes(25),
        "target_corps": CORPS,
        "sender_corps": CORPS,
        "identity": b"identity",
    }
    one.transport.outbox[0][0] = written(header._replace(optional=optional))
    carry(one, two)
    (request,) = two.delivered
    request.open()
    request.answer(request.args[0])
    carry(one, two)
    assert promise.value() == "x"


def test_marks_are_counted_in_every_lane_and_between_all_else() -> None:
    one, two = pair()
    for lane in (None, 1, 2):
        one.ask(lane)
        one.peer.way.transmit([written(MarkHeader(7, lane))], lane)
    assert one.transport.lanes == [1, None, 1, 1, 1, 2]
    carry(one, two)
    assert (two.peer.marks, len(two.delivered)) == (3, 3)
    assert two.peers.audit.counts["protocol"] == two.peers.audit.counts["defect"] == 0


def test_requests_of_a_lost_peer_are_not_wanted_any_more() -> None:
    one, two = pair()
    one.ask()
    carry(one, two)
    two.peers.lose(1, "planted")
    assert two.delivered[0].promise.done()
    assert not two.delivered[0].answer(1)


def test_requests_without_answer_that_go_down_with_the_peer_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, _ = pair()
    one.tell()
    one.tell()
    one.ask()
    one.peers.lose(2, "planted")
    assert "up to 2 requests that were sent there without wanting an answer" in caplog.text


def test_a_quiet_link_is_lost_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    one, two = pair()
    one.tell()
    carry(one, two)
    two.delivered[0].answer(None)
    two.alarms.ring_all()
    carry(one, two)
    with caplog.at_level(logging.INFO):
        one.peers.lose(2, "planted")
    assert caplog.text == ""


def test_a_link_that_cannot_be_opened_is_a_lost_peer_and_no_error_of_the_call() -> None:
    one, _ = pair()
    one.transport.refuses = BrokenError("planted")
    assert isinstance(one.ask().error(), EnvLost)


def test_a_link_that_breaks_is_a_lost_peer() -> None:
    one, _ = pair()
    first = one.ask()
    one.transport.links[0].close()
    second = one.ask()
    assert isinstance(first.error(), EnvLost)
    assert isinstance(second.error(), EnvLost)


def test_a_new_incarnation_settles_what_the_old_one_left() -> None:
    one, _ = pair()
    promise = one.ask()
    one.peers.learn(member(2, "b"))
    assert isinstance(promise.error(), EnvLost)
    assert one.transport.admitted == [member(2, "b")]


# What a peer may not do


@pytest.mark.parametrize(
    "header",
    [
        written(OutcomeHeader(7, 0, 1)),
        written(CreditHeader(1, 1)),
        written(CreditHeader(0, 1)),
    ],
)
def test_outcomes_and_credit_for_nothing_are_counted(header: bytes) -> None:
    one, _ = pair()
    frames = [header, b"body"] if read_kind(header) == 3 else [header]
    one.receive(frames)
    assert one.peers.audit.counts == {"protocol": 1}
    assert sent(one) == (0, 0)


def read_kind(header: bytes) -> int:
    return header[1]


def test_an_outcome_is_taken_once() -> None:
    one, two = pair()
    promise = one.ask()
    carry(one, two)
    two.delivered[0].answer(1)
    message = list(two.transport.outbox[0])
    carry(one, two)
    one.receive(message)
    assert promise.value() == 1
    assert one.peers.audit.counts == {"protocol": 1}


def test_a_request_in_the_name_of_another_env_is_refused() -> None:
    one, two = pair()
    request = one.request()
    request.sender = request.target._replace(env=3)
    one.peers.send(request)
    carry(one, two)
    assert two.delivered == []
    assert two.peers.audit.counts == {"protocol": 1}


def test_a_number_that_is_in_use_is_refused() -> None:
    one, two = pair()
    one.ask()
    message = list(one.transport.outbox[0])
    carry(one, two)
    two.receive(message)
    assert len(two.delivered) == 1
    assert two.peers.audit.counts == {"protocol": 1}


def test_cancelling_what_is_not_there_does_nothing() -> None:
    _, two = pair()
    two.receive([written(CancelHeader(5))])
    assert not two.transport.outbox
    assert not two.peers.audit.counts


def test_a_probe_that_runs_in_a_circle_ends() -> None:
    one, two = pair()
    one.ask()
    carry(one, two)
    two.receive([written(ProbeHeader(FIRST, 1, 1, 1, 0, ("a", "b")))])
    two.receive([written(ProbeHeader(FIRST, 1, 1, 1, 0, ("a", "b", "c", "b")))])
    assert [probe.path for probe in two.probes] == [("a", "b")]


# All of it in any order


class TwoEnvs(RuleBasedStateMachine):
    """Requests are sent, answered, given up; messages are delivered; at last one Env may be lost."""

    asked = Bundle("asked")
    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = pair(window=(6, 2_000))
        self.promises: list[CountedPromise] = []
        self.seen = 0
        self.is_lost = False

    @rule(target=asked, size=st.integers(0, 3000))
    def ask(self, size: int) -> Request | None:
        request = self.one.request(bytes(size))
        try:
            self.one.peers.send(request)
        except Overloaded:
            return None
        assert isinstance(request.promise, CountedPromise)
        self.promises.append(request.promise)
        return request

    @rule(size=st.integers(0, 1000))
    def tell(self, size: int) -> None:
        try:
            self.one.tell(bytes(size))
        except Overloaded:
            pass

    @rule(request=consumes(asked))
    def give_up(self, request: Request | None) -> None:
        if request is not None and not request.promise.done():
            give_up(self.one, request)

    @rule()
    def deliver_there(self) -> None:
        if self.one.transport.outbox:
            self.two.receive(self.one.transport.outbox.popleft())

    @rule()
    def deliver_back(self) -> None:
        if self.two.transport.outbox:
            self.one.receive(self.two.transport.outbox.popleft())

    @rule(which=st.integers(0, 10), value=st.one_of(st.none(), st.binary(max_size=10)))
    def answer(self, which: int, value: bytes | None) -> None:
        if self.two.delivered:
            request = self.two.delivered.pop(which % len(self.two.delivered))
            self.two.holder.begun.add(id(request))
            self.seen += 1
            request.settle(Value(value) if value is not None else Refused(Cancelled("planted")))

    @rule()
    def ring(self) -> None:
        self.two.alarms.ring_all()

    @rule()
    def lose(self) -> None:
        if self.seen > 20 and not self.is_lost:
            self.is_lost = True
            self.one.peers.lose(2, "planted")

    @invariant()
    def nothing_is_settled_twice(self) -> None:
        assert all(len(promise.outcomes) <= 1 for promise in self.promises)

    @invariant()
    def the_window_is_never_exceeded(self) -> None:
        if not self.is_lost:
            requests, size = sent(self.one)
            assert requests <= 6
            assert size <= 2_000 or requests == 1

    def teardown(self) -> None:
        carry(self.one, self.two)
        for request in self.two.delivered:
            request.settle(Value(None))
        self.two.alarms.ring_all()
        carry(self.one, self.two)
        assert all(len(promise.outcomes) == 1 for promise in self.promises)
        assert not self.one.peers.audit.counts
        assert not self.two.peers.audit.counts
        if not self.is_lost:
            assert sent(self.one) == (0, 0)
            assert self.one.peers.statistics() == {2: {"sent": 0, "received": 0}}
        self.two.delivered.clear()


TwoEnvs.TestCase.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, derandomize=True, database=None
)
TestTwoEnvs = TwoEnvs.TestCase


def test_a_request_without_answer_that_a_lost_peer_refuses_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, _ = pair()
    peer = one.peer
    one.peers.lose(2, "planted")
    peer.asking.send(one.request(promise=NoAnswer("this one")))
    assert "this one, sent without wanting an answer, failed: env2 is lost: planted" in caplog.text


# What has run


def test_an_outcome_waits_for_a_peer_that_is_slow_and_is_sent_in_the_end() -> None:
    """What has run does not lose its outcome to a limit: the one that ran it is slowed."""
    one, two = pair(patience=7.0)
    futures = [one.ask() for _ in range(3)]
    carry(one, two)
    first, second, third = two.delivered
    first.answer("opens the link")
    (link,) = two.transport.links
    assert not link.waits
    link.unsent = 2**30
    second.answer("slow")
    assert (link.waits, two.blocked) == ([7.0], 0)
    two.is_coroutine = True
    third.answer("may not wait")
    assert link.waits == [7.0]
    carry(one, two)
    assert [future.value() for future in futures] == ["opens the link", "slow", "may not wait"]


def test_a_caller_on_an_event_loop_is_refused_at_once_what_has_no_room() -> None:
    """Was a defect: the loop stood still for as long as a sender waits."""
    one, two = pair(window=(1, 1000), patience=None)
    one.is_loop = True
    first = one.ask()
    with pytest.raises(Overloaded, match=r"corps\.asking") as caught:
        one.ask()
    assert caught.value.executed == "no"
    one.ask(kind=PULL)  # of a stream, which is bounded by itself
    carry(one, two)
    for request in two.delivered:
        request.answer("there")
    carry(one, two)
    assert first.value() == "there"
    one.ask()
