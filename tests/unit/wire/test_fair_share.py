"""Claims about the room that a receiver shares: it is bounded, and no client is crowded out or starves."""

from collections import deque
from typing import Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from corps.errors import Overloaded, WireError
from corps.wire.credit import Window
from corps.wire.fair_share import LEAST, FairShare, Room, Share

MIB: Final = 2**20
ROOM: Final = Room(1000, 8 * MIB)
_LARGEST: Final = 100_000
_CLIENTS: Final = st.integers(0, 5)


def busy(fair: FairShare[str], client: str, at: float = 0.0) -> list[Share]:
    """Have a client send so much that it needs more than the least share; return what is said to it."""
    said = [fair.take(client, 0, at) for _ in range(LEAST.requests)]
    for _ in range(LEAST.requests):
        fair.done(client, 0, at)
    return [share for share in said if share is not None]


def test_a_client_that_needs_little_is_told_nothing() -> None:
    fair: FairShare[str] = FairShare(ROOM, ROOM)
    for number in range(100):
        fair.join(str(number))
        assert fair.take(str(number), 100, 0.0) is None
        fair.done(str(number), 100, 0.0)
    assert fair.statistics()["busy"] == 0


def test_one_busy_client_gets_the_most_and_the_next_one_what_is_free() -> None:
    fair: FairShare[str] = FairShare(ROOM, Room(600, 8 * MIB))
    for client in "ab":
        fair.join(client)
    assert busy(fair, "a") == [Share(1, Room(600, 8 * MIB))]
    (share,) = busy(fair, "b")
    assert share.room.requests == 1000 - (600 - LEAST.requests) + LEAST.requests
    assert share.room.size == 2 * LEAST.size or share.room.size == LEAST.size


def test_the_share_of_one_gets_smaller_when_it_sends_next_and_counts_until_it_confirms() -> None:
    fair: FairShare[str] = FairShare(ROOM, ROOM)
    for client in "ab":
        fair.join(client)
    busy(fair, "a")
    busy(fair, "b")
    assert busy(fair, "a") == [Share(2, Room(500, 4 * MIB))]
    assert busy(fair, "b") == []  # a has not confirmed
    fair.confirm("a", 2)
    (share,) = busy(fair, "b")
    assert share.room.requests == 500
    assert share.room.size == pytest.approx(4 * MIB, rel=0.05)


def test_a_busy_client_of_more_weight_gets_more_and_a_new_weight_counts_at_its_next_request() -> None:
    fair: FairShare[str] = FairShare(ROOM, ROOM)
    for client in "ab":
        fair.join(client)
    for client, weight in (("a", 3), ("b", 1), ("a", 3)):
        for _ in range(LEAST.requests):
            fair.take(client, 0, 0.0, weight=weight)
    assert fair._clients["a"].said == Room(750, 6 * MIB)
    fair.confirm("a", 2)
    fair.take("b", 0, 0.0)
    assert fair._clients["b"].said == Room(250, 2 * MIB)
    fair.take("a", 0, 0.0, weight=1)
    assert fair._clients["a"].said.requests == 500
    fair.leave("a")
    fair.leave("b")
    assert fair._weights == 0


def test_a_client_that_is_stuck_hears_a_smaller_share_though_it_sends_nothing() -> None:
    fair: FairShare[str] = FairShare(ROOM, ROOM)
    for client in "ab":
        fair.join(client)
    for _ in range(200):
        fair.take("a", 0, 0.0)
    busy(fair, "b", at=0.0)
    assert fair.adjust(5.0) == [("a", Share(2, Room(500, 4 * MIB))), ("b", Share(2, LEAST))]
    fair.confirm("a", 2)
    (share,) = busy(fair, "b", at=5.0)
    assert share.room.requests == 500


def test_a_share_that_nobody_has_said_is_not_confirmed() -> None:
    fair: FairShare[str] = FairShare(ROOM, ROOM)
    fair.join("a")
    with pytest.raises(WireError, match="number 1"):
        fair.confirm("a", 1)
    busy(fair, "a")
    fair.confirm("a", 1)
    with pytest.raises(WireError):
        fair.confirm("a", 1)
    with pytest.raises(WireError, match="no client"):
        fair.take("b", 1, 0.0)


def test_who_needs_no_more_than_the_least_for_a_while_gives_the_rest_to_others() -> None:
    fair: FairShare[str] = FairShare(ROOM, ROOM)
    for client in "ab":
        fair.join(client)
    busy(fair, "a", at=0.0)
    busy(fair, "b", at=5.0)
    assert fair.adjust(5.5) == [("a", Share(2, LEAST))]
    fair.confirm("a", 2)
    (share,) = busy(fair, "b", at=6.0)
    assert share.room.requests >= 1000 - LEAST.requests
    assert fair.adjust(9.0) == [("b", Share(share.serial + 1, LEAST))]
    assert not fair.has_busy
    assert fair.adjust(20.0) == []


def test_over_its_share_a_client_hears_when_to_come_again_if_the_room_is_full() -> None:
    fair: FairShare[str] = FairShare(Room(20, MIB), Room(20, MIB))
    for client in "ab":
        fair.join(client)
    for _ in range(20):
        fair.take("a", 1, 0.0)
    with pytest.raises(Overloaded, match="20 unanswered requests of 20 bytes") as refused:
        fair.take("a", 1, 0.0)
    assert refused.value.retry_after == 0.01
    assert refused.value.executed == "no"
    fair.take("a", 1, 0.0, may_refuse=False)
    for _ in range(LEAST.requests):
        fair.take("b", 1, 0.0)  # the least is everybody's
    for at in (10.0, 12.0):
        fair.done("a", 1, at)
    for _ in range(2):
        fair.take("b", 1, 12.0)  # its half of the room
    with pytest.raises(Overloaded) as refused:
        fair.take("b", 1, 12.0)
    assert refused.value.retry_after == 4.0  # two seconds for each, and a has its turn between


def test_one_request_alone_has_any_size() -> None:
    fair: FairShare[str] = FairShare(Room(10, 1000), Room(10, 1000))
    for client in "ab":
        fair.join(client)
    fair.take("a", 10 * MIB, 0.0)
    fair.take("b", 10 * MIB, 0.0)
    with pytest.raises(Overloaded):
        fair.take("b", 1, 0.0)


def test_a_client_that_has_gone_counts_until_what_it_has_sent_is_done() -> None:
    fair: FairShare[str] = FairShare(ROOM, ROOM)
    fair.join("a")
    for _ in range(100):
        fair.take("a", 10, 0.0)
    fair.leave("a")
    fair.leave("a")
    assert not fair.has("a")
    assert fair.statistics()["given_requests"] == 100 - LEAST.requests
    for _ in range(100):
        fair.done("a", 10, 0.0)
    assert set(fair.statistics().values()) == {0}


class Border(RuleBasedStateMachine):
    """A receiver and its clients, whose messages take any time to arrive."""

    @initialize(requests=st.integers(1, 100), size=st.integers(1, MIB), most=st.integers(1, 100))
    def begin(self, requests: int, size: int, most: int) -> None:
        self.room = Room(requests, size)
        self.fair: FairShare[int] = FairShare(self.room, Room(most, size))
        self.windows: dict[int, Window] = {}
        self.heard: dict[int, int] = {}  # serials that the clients have heard last
        self.confirms: dict[int, int] = {}  # and have to confirm
        self.to_client: dict[int, deque[Share | int]] = {}  # shares, and sizes of answered requests
        self.to_receiver: dict[int, deque[tuple[str, int]]] = {}
        self.held: dict[int, list[int]] = {}
        self.at = 0.0

    @rule(client=_CLIENTS)
    def join(self, client: int) -> None:
        if client not in self.windows:
            self.fair.join(client)
            self.windows[client] = Window(*LEAST)
            self.to_client[client], self.to_receiver[client] = deque(), deque()
            self.held[client], self.heard[client], self.confirms[client] = [], 0, 0

    @rule(client=_CLIENTS, size=st.integers(0, _LARGEST), number=st.integers(1, 30))
    def send(self, client: int, size: int, number: int) -> None:
        if client in self.windows:
            for _ in range(number):
                if self.windows[client].take_if_room(size):
                    self.to_receiver[client].append(("request", size))

    @rule(client=_CLIENTS)
    def arrive(self, client: int) -> None:
        self.at += 0.1
        while self.to_receiver.get(client):
            kind, number = self.to_receiver[client].popleft()
            if kind == "confirm":
                self.fair.confirm(client, number)
                continue
            share = self.fair.take(client, number, self.at)  # one that keeps the rules is never refused
            self.held[client].append(number)
            if share is not None:
                self.to_client[client].append(share)

    @rule(client=_CLIENTS, number=st.integers(1, 30))
    def answer(self, client: int, number: int) -> None:
        for size in self.held.get(client, [])[:number]:
            self.fair.done(client, size, self.at)
            self.to_client[client].append(size)
            self.held[client].remove(size)

    @rule(client=_CLIENTS)
    def hear(self, client: int) -> None:
        while self.to_client.get(client):
            said = self.to_client[client].popleft()
            if isinstance(said, Share):
                self.heard[client] = self.confirms[client] = said.serial
                self.windows[client].resize(*said.room)
            else:
                self.windows[client].give_back(1, said)
            if self.confirms[client] and self.windows[client].fits:
                self.to_receiver[client].append(("confirm", self.confirms[client]))
                self.confirms[client] = 0

    @rule()
    def rest(self) -> None:
        self.at += 2.0
        for client, share in self.fair.adjust(self.at):
            self.to_client[client].append(share)

    @invariant()
    def it_is_bounded(self) -> None:
        """By the room, the least share of each client, and one request of each that goes beyond it."""
        said = self.fair.statistics()
        assert said["given_requests"] <= self.room.requests
        assert said["given_bytes"] <= self.room.size
        assert said["requests"] == sum(map(len, self.held.values()))
        assert said["requests"] <= self.room.requests + len(self.windows) * LEAST.requests
        assert said["bytes"] <= self.room.size + len(self.windows) * (LEAST.size + _LARGEST)


TestBorder = Border.TestCase
