"""Claims about the ring of the last things, and about what waits for somebody slow."""

from hypothesis import given
from hypothesis import strategies as st

from corps.observing.ring import Backlog, Ring


@given(st.integers(0, 5), st.lists(st.integers(0, 6), max_size=20))
def test_whoever_comes_back_gets_what_is_new_and_hears_what_was_lost(size: int, bursts: list[int]) -> None:
    ring: Ring[int] = Ring(size)
    seen: list[int] = []
    missed = number = total = 0
    for burst in bursts:
        for _ in range(burst):
            ring.add(total)
            total += 1
        news = ring.since(number)
        assert len(news.items) == min(burst, size)
        seen += news.items
        missed += news.missed
        number = news.next
    assert len(seen) + missed == total == ring.total
    assert seen == sorted(set(seen))
    assert not ring.since(number).items
    assert ring.since(number).missed == 0


@given(st.integers(0, 5), st.integers(0, 12), st.integers(-3, 20))
def test_any_number_gives_the_last_items_and_nothing_else(size: int, total: int, number: int) -> None:
    ring: Ring[int] = Ring(size)
    for item in range(total):
        ring.add(item)
    news = ring.since(number)
    start = number if 0 <= number <= total else 0  # else it is the number of another ring
    assert news.items == list(range(max(start, total - size), total))
    assert news.missed + len(news.items) == total - start
    assert news.next == total


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3), st.integers(0, 7))))
def test_the_oldest_go_when_there_is_no_room_and_each_is_counted(
    size: int, turns: list[tuple[int, int, int]]
) -> None:
    backlog: Backlog[int] = Backlog(size)
    came = told = 0
    taken: list[int] = []
    for number, missing, wanted in turns:
        backlog.add(range(came, came + number), missing)
        came += number
        told += missing
        while wanted > 0 and len(backlog):
            taken.append(backlog.take())
            wanted -= 1
    assert len(taken) + len(backlog) + backlog.missed == came + told
    assert taken == sorted(set(taken))
    assert len(backlog) <= size
