"""Claims about the order in which several clients are served: none is held up by what others have sent."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from corps.wire.fair_order import FairOrder


def served(order: FairOrder[str, int]) -> list[int]:
    found = []
    while (each := order.next()) is not None:
        found.append(each)
    return found


def test_what_one_client_has_sent_stays_in_order() -> None:
    order: FairOrder[str, int] = FairOrder()
    for number in range(5):
        order.put("a", number, 100 * (5 - number))
    assert len(order) == 5
    assert served(order) == [0, 1, 2, 3, 4]
    assert len(order) == 0


def test_a_client_that_comes_late_stands_behind_one_of_each_other() -> None:
    order: FairOrder[str, int] = FairOrder()
    for number in range(100):
        order.put("a", number, 0)
    assert [order.next() for _ in range(10)] == list(range(10))
    order.put("b", -1, 0)
    order.put("b", -2, 0)
    assert served(order)[:4] == [-1, 10, -2, 11]


def test_a_large_request_costs_as_many_turns_as_it_has_bytes() -> None:
    order: FairOrder[str, int] = FairOrder()
    for number in range(4):
        order.put("large", -number - 1, 7 * 4096)
        order.put("small", 10 + number, 0)
    assert served(order)[:6] == [-1, 10, 11, 12, 13, -2]


def test_clients_that_have_gone_leave_nothing_behind() -> None:
    order: FairOrder[str, int] = FairOrder()
    for number in range(1000):
        order.put(str(number), number, 0)
        assert order.next() == number
    assert len(order._lines) < 200


@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=6),
    st.lists(st.integers(0, 5000), min_size=6, max_size=6),
)
def test_in_the_long_run_each_is_served_by_its_weight(weights: list[int], sizes: list[int]) -> None:
    """All have always something that waits, small or large; the slowest gets what is its own."""
    order: FairOrder[int, int] = FairOrder()
    for client, weight in enumerate(weights):
        for _ in range(2):
            order.put(client, client, sizes[client], weight)
    cost: Counter[int] = Counter()
    for _ in range(200):
        one = order.next()
        assert one is not None
        cost[one] += sizes[one] + 4096
        order.put(one, one, sizes[one], weights[one])
    per_weight = [cost[client] / weight for client, weight in enumerate(weights)]
    assert min(per_weight) > 0.5 * sum(per_weight) / len(per_weight)


def test_what_is_taken_out_is_the_oldest_of_its_client_or_of_who_has_most() -> None:
    order: FairOrder[str, int] = FairOrder()
    assert order.take_out("one", lambda _: True) is None
    for client, item in [("one", 1), ("two", 20), ("two", 21), ("two", 22), ("one", 2)]:
        order.put(client, item, 0)
    assert order.take_out("one", lambda item: item != 1) == 2
    assert order.take_out("new", lambda _: True) == 20
    assert order.take_out("one", lambda _: True) == 1
    assert order.take_out("one", lambda _: False) is None
    assert [order.next() for _ in range(len(order))] == [21, 22]
    assert order.next() is None
