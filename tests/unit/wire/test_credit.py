"""Claims about the window and what is handed back to it."""

from hypothesis import given
from hypothesis import strategies as st

from corps.wire.credit import Returns, Window


def test_an_empty_window_takes_a_request_of_any_size() -> None:
    window = Window(2, 100)
    assert window.take_if_room(10**9)
    assert not window.take_if_room(0)
    assert (window.requests, window.size) == (1, 10**9)


def test_a_window_is_full_by_number_or_by_bytes() -> None:
    window = Window(2, 100)
    window.take(60)
    assert not window.take_if_room(41)
    assert window.take_if_room(40)
    window.give_back(1, 40)
    window.take(0)
    assert not window.take_if_room(0)
    window.give_back(1, 60)
    assert (window.requests, window.size) == (1, 0)


@given(st.integers(1, 20), st.integers(1, 200), st.lists(st.integers(0, 300)))
def test_all_that_is_dealt_with_is_handed_back_once(requests: int, size: int, sizes: list[int]) -> None:
    returns = Returns(requests, size)
    lumps = [lump for each in sizes if (lump := returns.add(each)) is not None]
    held = returns.rest()
    assert returns.rest() is None
    assert sum(lump[0] for lump in lumps) + (held[0] if held else 0) == len(sizes)
    assert sum(lump[1] for lump in lumps) + (held[1] if held else 0) == sum(sizes)


@given(st.integers(1, 50), st.integers(1, 500), st.lists(st.integers(0, 100)))
def test_less_than_a_quarter_is_ever_held_back(requests: int, size: int, sizes: list[int]) -> None:
    returns = Returns(requests, size)
    owed = [0, 0]
    for each in sizes:
        lump = returns.add(each)
        owed = [owed[0] + 1, owed[1] + each] if lump is None else [0, 0]
        assert owed[0] < max(1, requests // 4)
        assert owed[1] < max(1, size // 4)
