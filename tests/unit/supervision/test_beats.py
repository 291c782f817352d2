"""Claims about silence: it is waited for long enough, and not longer, and only the silent are asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.supervision.beats import Beats, Looked


def test_only_who_is_silent_is_asked() -> None:
    beats: Beats[str] = Beats(8.0)
    assert beats.every == 2.0
    assert beats.look(0.0, ["a", "b"], []) == Looked(["a", "b"], [])
    assert beats.look(2.0, ["a", "b"], ["a", "b"]) == Looked([], [])
    assert beats.look(4.0, ["a", "b"], ["b"]) == Looked(["a"], [])


def test_silence_is_said_once() -> None:
    beats: Beats[str] = Beats(8.0)
    looks = [beats.look(2.0 * number, ["a", "b"], ["b"]) for number in range(8)]
    assert [look.silent for look in looks] == [[], [], [], [], ["a"], [], [], []]


def test_one_that_goes_and_comes_begins_anew() -> None:
    beats: Beats[str] = Beats(8.0)
    for number in range(4):
        assert beats.look(2.0 * number, ["a"], []).silent == []
    assert beats.look(8.0, [], ["a"]) == Looked([], [])
    assert beats.look(10.0, ["a"], []).silent == []


@pytest.mark.parametrize("late", [5.0, 100.0])
def test_a_process_that_slept_gives_nobody_up_for_that(late: float) -> None:
    beats: Beats[str] = Beats(8.0)
    beats.look(0.0, ["a"], [])
    beats.look(2.0, ["a"], ["a"])
    assert beats.look(2.0 + late, ["a"], []) == Looked(["a"], [])
    assert beats.look(4.0 + late, ["a"], ["a"]).silent == []


@given(st.lists(st.booleans(), max_size=40), st.floats(0.1, 100.0))
def test_a_gap_is_fatal_if_and_only_if_it_lasts(heard: list[bool], silence: float) -> None:
    beats: Beats[str] = Beats(silence)
    beats.look(0.0, ["a"], [])
    quiet, is_over = 0, False
    for number, was_heard in enumerate(heard, 1):
        found = beats.look(number * beats.every, ["a"], ["a"] if was_heard else [])
        quiet = 0 if was_heard else quiet + 1
        if found.silent:
            assert not is_over
            assert quiet >= 4
            is_over = True
        assert is_over or quiet < 6
