"""Claims about the room that a receiver shares: it is bounded, and no client is crowded out or starves."""

from collections import Counter, deque
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from corps.errors import Overloaded, WireError
from corps.wire.fair_share import Allowance, FairShare, Grant, Room, Served

_LARGEST: Final = 300
_CLIENTS: Final = st.integers(0, 5)


def granted(fair: FairShare[str, int]) -> dict[str, Room]:
    return {grant.client: grant.more for grant in fair.grants()}


def served(fair: FairShare[str, int]) -> list[int]:
    found = []
    while (each := fair.next()) is not None:
        found.append(each.item)
    return found


def test_one_client_gets_the_most_and_many_share_what_there_is() -> None:
    fair: FairShare[str, int] = FairShare(Room(100, 1000), Room(40, 800))
    fair.join("a")
    assert granted(fair) == {"a": Room(40, 800)}
    fair.join("b", weight=3)
    assert fair.grants() == [Grant("b", Room(40, 200), Room(0, 0)), Grant("a", Room(0, 0), Room(15, 550))]
    fair.returned("a", Room(15, 550))
    assert granted(fair) == {"b": Room(0, 550)}
    assert fair.grants() == []


def test_a_newcomer_can_send_though_others_have_all_the_room() -> None:
    fair: FairShare[str, int] = FairShare(Room(4, 100), Room(4, 100))
    fair.join("a")
    fair.grants()
    fair.join("b")
    assert granted(fair) == {"b": Room(1, 0), "a": Room(0, 0)}
    fair.take("b", 1, 10_000)
    with pytest.raises(Overloaded):
        fair.take("b", 2, 1)


def test_the_one_request_of_a_newcomer_is_worth_a_message_however_little_it_is() -> None:
    fair: FairShare[str, int] = FairShare(Room(40, 100), Room(40, 100))
    fair.join("a")
    fair.grants()
    fair.join("b")
    assert granted(fair)["b"] == Room(1, 0)


def test_what_a_client_has_spent_it_need_not_give_back_and_may_be_asked_for_again() -> None:
    fair: FairShare[str, int] = FairShare(Room(4, 100), Room(4, 100))
    fair.join("a")
    fair.grants()
    fair.join("b")
    back = Grant("a", Room(0, 0), Room(2, 50))
    assert back in fair.grants()
    for number in range(4):  # they were under way when it was asked
        fair.take("a", number, 25)
    fair.leave("b")
    assert served(fair) == [0, 1, 2, 3]
    for _ in range(4):
        fair.done("a", 25, 0.0)
    assert granted(fair) == {"a": Room(4, 100)}
    fair.join("b")
    assert back in fair.grants()


def test_what_is_done_becomes_credit_again() -> None:
    fair: FairShare[str, int] = FairShare(Room(4, 100), Room(4, 100))
    fair.join("a")
    fair.grants()
    for number in range(4):
        fair.take("a", number, 25)
    assert fair.grants() == []
    assert served(fair) == [0, 1, 2, 3]
    assert fair.grants() == []
    fair.done("a", 25, at=0.0)
    assert granted(fair) == {"a": Room(1, 25)}


def test_over_its_share_a_client_hears_when_to_come_again() -> None:
    fair: FairShare[str, int] = FairShare(Room(4, 100), Room(2, 100))
    for client in "ab":
        fair.join(client)
    fair.grants()
    for client in "ab":
        for number in range(2):
            fair.take(client, number, 1)
    with pytest.raises(Overloaded, match="2 unanswered requests of 2 bytes") as refused:
        fair.take("a", 3, 1)
    assert refused.value.retry_after == 0.01
    assert refused.value.executed == "no"
    for number, at in enumerate((10.0, 12.0)):
        fair.done("a", 1, at)
        assert fair.statistics()["requests"] == 3 - number
    fair.grants()
    fair.take("a", 4, 1)
    fair.take("a", 5, 1)
    with pytest.raises(Overloaded) as refused:
        fair.take("a", 6, 1)
    assert refused.value.retry_after == 4.0  # two seconds for each, and b has its turn between


def test_control_comes_before_all_data_and_spends_nothing() -> None:
    fair: FairShare[str, int] = FairShare(Room(4, 100), Room(4, 100))
    for client in "ab":
        fair.join(client)
    fair.grants()
    fair.take("a", 1, 1)
    for number in (2, 3):
        fair.take_control("a", number)
    fair.take_control("b", 4)
    assert fair.statistics()["control"] == 3
    assert served(fair) == [2, 4, 3, 1]
    for number in range(1000):
        fair.take_control("a", number)
    with pytest.raises(Overloaded):
        fair.take_control("a", 1000)
    fair.take_control("b", 1)


def test_a_client_that_leaves_takes_all_of_its_own_along() -> None:
    fair: FairShare[str, int] = FairShare(Room(8, 100), Room(8, 100))
    for client in "ab":
        fair.join(client)
    fair.grants()
    for number in range(3):
        fair.take("a", number, 1)
    fair.take("b", 7, 1)
    fair.take_control("a", 9)
    assert fair.next() == Served("a", 9, 0, is_control=True)
    assert fair.next() == Served("a", 0, 1, is_control=False)
    fair.take_control("a", 10)
    assert fair.leave("a") == [10, 1, 2]
    assert fair.leave("a") == []
    fair.done("a", 1, 1.0)
    assert served(fair) == [7]
    with pytest.raises(WireError):
        fair.take("a", 1, 1)


@pytest.mark.parametrize("back", [Room(5, 0), Room(0, 101), Room(-1, 0), Room(0, -1)])
def test_nobody_gives_back_what_it_has_not(back: Room) -> None:
    fair: FairShare[str, int] = FairShare(Room(4, 100), Room(4, 100))
    fair.join("a")
    fair.grants()
    with pytest.raises(WireError):
        fair.returned("a", back)
    with pytest.raises(WireError):
        fair.take("a", 1, -1)


@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=6),
    st.lists(st.integers(0, _LARGEST), min_size=6, max_size=6),
)
def test_in_the_long_run_each_is_served_by_its_weight(weights: list[int], sizes: list[int]) -> None:
    """All send as much as they may, small requests or large ones; the slowest gets what is its own."""
    fair: FairShare[int, int] = FairShare(Room(20, 10_000), Room(20, 10_000))
    halves = [Allowance() for _ in weights]
    for client, weight in enumerate(weights):
        fair.join(client, weight)
    cost: Counter[int] = Counter()
    for turn in range(120):
        exchange(fair, halves)
        for client, half in enumerate(halves):
            while half.take_if_room(sizes[client]):
                fair.take(client, turn, sizes[client])
        one = fair.next()
        assert one is not None
        fair.done(one.client, one.size, float(turn))
        halves[one.client].answered()
        cost[one.client] += one.size + 4096
    per_weight = [cost[client] / weight for client, weight in enumerate(weights)]
    assert min(per_weight) > 0.5 * sum(per_weight) / len(per_weight)


def exchange(fair: FairShare[int, int], halves: list[Allowance]) -> None:
    for grant in fair.grants():
        halves[grant.client].grant(grant.more)
        if any(grant.back):
            fair.returned(grant.client, halves[grant.client].give_back(grant.back))


class Border(RuleBasedStateMachine):
    """A receiver and its clients, whose messages take any time to arrive."""

    @initialize(requests=st.integers(1, 12), size=st.integers(1, 1000), most=st.integers(1, 12))
    def begin(self, requests: int, size: int, most: int) -> None:
        self.room = Room(requests, size)
        self.fair: FairShare[int, int] = FairShare(self.room, Room(most, size))
        self.halves: dict[int, Allowance] = {}
        self.to_client: dict[int, deque[Grant[int]]] = {}
        self.to_receiver: dict[int, deque[tuple[int, int] | Room]] = {}
        self.served: list[Served[int, int]] = []
        self.expected: dict[int, deque[int]] = {}
        self.numbers = 0

    @rule(client=_CLIENTS, weight=st.integers(1, 4))
    def join(self, client: int, weight: int) -> None:
        if client not in self.halves:
            self.fair.join(client, weight)
            self.halves[client] = Allowance()
            self.to_client[client], self.to_receiver[client] = deque(), deque()
            self.expected[client] = deque()

    @rule(client=_CLIENTS)
    def leave(self, client: int) -> None:
        if client in self.halves:
            assert self.fair.leave(client) == list(self.expected.pop(client))
            for each in (self.halves, self.to_client, self.to_receiver):
                each.pop(client)
            self.served = [each for each in self.served if each.client != client]

    @rule()
    def grant(self) -> None:
        for grant in self.fair.grants():
            self.to_client[grant.client].append(grant)

    @rule(client=_CLIENTS)
    def hear(self, client: int) -> None:
        if self.to_client.get(client):
            grant = self.to_client[client].popleft()
            half = self.halves[client]
            half.grant(grant.more)
            self.to_receiver[client].append(half.give_back(grant.back))

    @rule(client=_CLIENTS, size=st.integers(0, _LARGEST))
    def send(self, client: int, size: int) -> None:
        if client in self.halves and self.halves[client].take_if_room(size):
            self.numbers += 1
            self.to_receiver[client].append((self.numbers, size))

    @rule(client=_CLIENTS)
    def arrive(self, client: int) -> None:
        if self.to_receiver.get(client):
            came = self.to_receiver[client].popleft()
            if isinstance(came, Room):
                self.fair.returned(client, came)
            else:
                self.fair.take(client, *came)  # a client that keeps the rules is never refused
                self.expected[client].append(came[0])

    @rule()
    def serve(self) -> None:
        one = self.fair.next()
        assert (one is None) == (not any(self.expected.values()))
        if one is not None:
            assert one.item == self.expected[one.client].popleft()  # in its order
            self.served.append(one)

    @precondition(lambda self: self.served)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        one = self.served.pop(data.draw(st.integers(0, len(self.served) - 1)))
        self.fair.done(one.client, one.size, float(self.numbers))
        self.halves[one.client].answered()

    @invariant()
    def it_is_bounded(self) -> None:
        """By the room, and one request of each client that goes beyond it."""
        said = self.fair.statistics()
        assert said["clients"] == len(self.halves)
        assert said["requests"] <= self.room.requests + len(self.halves)
        assert said["bytes"] <= self.room.size + len(self.halves) * _LARGEST
        assert said["waiting"] == sum(map(len, self.expected.values()))

    def teardown(self) -> None:
        """Whatever has happened, each client that wants to send is served before long."""
        if not hasattr(self, "fair"):
            return
        wanting = set(self.halves)
        for _ in range(200):
            if not wanting:
                return
            self.grant()
            for client, half in self.halves.items():
                while self.to_client[client]:
                    self.hear(client)
                if half.take_if_room(_LARGEST):
                    self.to_receiver[client].append((-1, _LARGEST))
                while self.to_receiver[client]:
                    self.arrive(client)
            self.serve()
            for one in self.served:
                if one.item == -1:
                    wanting.discard(one.client)
                self.fair.done(one.client, one.size, 0.0)
                self.halves[one.client].answered()
            self.served.clear()
        pytest.fail(f"{wanting} were not served")


TestBorder = Border.TestCase
