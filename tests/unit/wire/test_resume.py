"""Claims about links that go on: everything is handed on once and in order, whatever a connection loses."""

from collections import deque
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from corps.errors import WireError
from corps.wire.link_frames import ArrivedHeader, MissedHeader
from corps.wire.resume import LONGEST_PAUSE, TELL_BYTES, TELL_MESSAGES, Arrivals, Unconfirmed

LINK, TELL = 7, 3
SENDING, BACK = 0, 1


class Wire:
    """Two ends of a link, and what lies between them until the test delivers it, or loses it."""

    def __init__(self) -> None:
        self.unconfirmed: Unconfirmed[int] = Unconfirmed()
        self.arrivals = Arrivals(LINK, messages=TELL)
        self.lines: tuple[deque[Any], deque[Any]] = deque(), deque()
        self.sent = 0
        self.received: list[int] = []
        self.questions = 0

    def send(self) -> None:
        self.sent += 1
        self.put(self.unconfirmed.add(self.sent), self.sent)

    def put(self, number: int, message: int) -> None:
        self.lines[SENDING].append(("message", number, self.unconfirmed.round, message))

    def look(self) -> None:
        if self.unconfirmed.look():
            self.questions += 1
            self.lines[SENDING].append(("ask", self.unconfirmed.last, self.unconfirmed.round))

    def deliver(self) -> None:
        """The oldest one that lies there."""
        if not self.lines[SENDING]:
            return
        kind, number, round_, *message = self.lines[SENDING].popleft()
        if kind == "ask":
            self.arrivals.asked(number, round_)
        elif self.arrivals.take(number, round_, 10):
            self.received += message
        if self.arrivals.owes:
            self.lines[BACK].append(self.arrivals.tell())

    def deliver_back(self) -> None:
        if not self.lines[BACK]:
            return
        match self.lines[BACK].popleft():
            case ArrivedHeader(link, number):
                assert link == LINK
                self.unconfirmed.arrived(number)
            case MissedHeader(link, number, round_):
                assert link == LINK
                if self.unconfirmed.missed(number, round_):
                    for again, message in self.unconfirmed.numbered():
                        self.put(again, message)

    def settle(self) -> None:
        """Deliver all there is, and what comes of it."""
        while self.lines[SENDING] or self.lines[BACK]:
            self.deliver()
            self.deliver_back()


class LossyNetwork(RuleBasedStateMachine):
    """Connections that break: each loses some messages in a row, and keeps the order of the others."""

    def __init__(self) -> None:
        super().__init__()
        self.wire = Wire()
        self.losses = 0

    @rule(n=st.integers(1, 5))
    def send(self, n: int) -> None:
        for _ in range(n):
            self.wire.send()

    @rule(n=st.integers(1, 8))
    def deliver(self, n: int) -> None:
        for _ in range(n):
            self.wire.deliver()

    @rule(n=st.integers(1, 3))
    def deliver_back(self, n: int) -> None:
        for _ in range(n):
            self.wire.deliver_back()

    @rule()
    def some_time_passes(self) -> None:
        self.wire.look()

    @rule(way=st.sampled_from([SENDING, BACK]), begin=st.integers(0, 20), n=st.integers(1, 20))
    def break_connection(self, way: int, begin: int, n: int) -> None:
        """What was written to it is lost, from some message on; what was not comes by the next one."""
        line = self.wire.lines[way]
        if begin < len(line):
            self.losses += 1
            rest = [each for at, each in enumerate(line) if not begin <= at < begin + n]
            line.clear()
            line += rest

    @rule(way=st.sampled_from([SENDING, BACK]), which=st.integers(0, 20), later=st.integers(1, 20))
    def read_an_old_connection_late(self, way: int, which: int, later: int) -> None:
        line = self.wire.lines[way]
        if which < len(line):
            line.insert(which + later, line[which])

    @invariant()
    def everything_is_received_once_and_in_order(self) -> None:
        assert self.wire.received == list(range(1, len(self.wire.received) + 1))

    @invariant()
    def what_was_not_received_is_kept_and_nothing_else_for_long(self) -> None:
        kept = [message for _, message in self.wire.unconfirmed.numbered()]
        assert kept == list(range(self.wire.sent - len(kept) + 1, self.wire.sent + 1))
        assert len(kept) >= self.wire.sent - len(self.wire.received)
        if not self.losses and not self.wire.lines[SENDING] and not self.wire.lines[BACK]:
            assert len(kept) < TELL

    @invariant()
    def nothing_is_sent_again_unless_something_was_lost(self) -> None:
        assert self.wire.unconfirmed.round - 1 <= self.losses

    def teardown(self) -> None:
        """The network is quiet from now on: it does not take long until all has arrived, and is known to."""
        for _ in range(LONGEST_PAUSE + 2):
            self.wire.settle()
            self.wire.look()
        self.wire.settle()
        assert self.wire.received == list(range(1, self.wire.sent + 1))
        assert len(self.wire.unconfirmed) == 0


LossyNetwork.TestCase.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
TestLossyNetwork = LossyNetwork.TestCase


def test_a_loss_is_told_at_once_and_once() -> None:
    wire = Wire()
    for _ in range(10):
        wire.send()
    wire.lines[SENDING].popleft()
    wire.deliver()
    assert list(wire.lines[BACK]) == [MissedHeader(LINK, 0, 1)]
    while wire.lines[SENDING]:
        wire.deliver()
    assert len(wire.lines[BACK]) == 1
    wire.settle()
    assert wire.received == list(range(1, 11))
    assert (wire.unconfirmed.round, wire.questions) == (2, 0)


def test_what_was_sent_last_and_lost_is_asked_for() -> None:
    wire = Wire()
    wire.send()
    wire.lines[SENDING].clear()
    wire.look()
    wire.settle()
    assert wire.received == []
    wire.look()
    wire.settle()
    assert wire.received == [1]


def test_a_peer_that_does_not_answer_is_asked_less_and_less_often() -> None:
    wire = Wire()
    wire.send()
    asked = []
    for _ in range(100):
        wire.look()
        asked.append(wire.questions)
    assert [asked.index(n) for n in range(1, 8)] == [1, 3, 7, 15, 31, 47, 63]


def test_nobody_is_asked_while_messages_arrive() -> None:
    wire = Wire()
    for _ in range(20):
        for _ in range(TELL):
            wire.send()
        wire.look()
        wire.settle()
    assert wire.questions == 0


def test_a_receiver_tells_after_so_many_messages_or_bytes() -> None:
    arrivals = Arrivals(LINK)
    owed = []
    for number in range(1, TELL_MESSAGES + 1):
        assert arrivals.take(number, 1, 10)
        owed.append(arrivals.owes)
    assert owed == [False] * (TELL_MESSAGES - 1) + [True]
    assert arrivals.tell() == ArrivedHeader(LINK, TELL_MESSAGES)
    owed = [arrivals.owes]
    arrivals.take(TELL_MESSAGES + 1, 1, TELL_BYTES)
    assert [*owed, arrivals.owes] == [False, True]


def test_a_loss_that_was_mended_meanwhile_is_not_mended_again() -> None:
    kept: Unconfirmed[str] = Unconfirmed()
    kept.add("one")
    assert kept.missed(0, 1)
    assert not kept.missed(0, 1)
    assert kept.missed(0, 2)
    assert list(kept.numbered()) == [(1, "one")]
    assert not kept.missed(1, 3)


def test_nothing_arrives_that_was_not_sent() -> None:
    kept: Unconfirmed[str] = Unconfirmed()
    kept.add("one")
    with pytest.raises(WireError, match="2 messages are said to have arrived, and 1 were sent"):
        kept.arrived(2)
    with pytest.raises(WireError):
        kept.missed(2, 1)
    assert kept.last == len(kept) == 1


def test_it_knows_how_many_bytes_have_not_arrived() -> None:
    kept: Unconfirmed[str] = Unconfirmed()
    for size in (5, 0, 7):
        kept.add("message", size)
    assert kept.size == 12
    kept.arrived(2)
    assert kept.size == 7
    assert not kept.missed(3, 1)
    assert kept.size == 0
