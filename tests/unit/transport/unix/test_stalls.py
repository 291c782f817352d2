"""Claims about connections that wait with a message: they are tried again, and not for ever."""

import pytest

from corps.reserve import FIRST_PAUSE
from corps.transport import timetable
from corps.transport.unix import stalls
from corps.transport.unix.stalls import Stalls


def test_a_stalled_connection_is_tried_again_less_and_less_often_until_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = 100.0
    monkeypatch.setattr(stalls, "now", lambda: at)
    monkeypatch.setattr(timetable, "now", lambda: at)
    stalled = Stalls(patience=10.0)
    pauses = []
    while stalled.add(7):
        assert 7 in stalled
        assert len(stalled) == 1
        assert stalled.due() == []
        rest = stalled.within(None)
        assert rest is not None
        pauses.append(rest)
        assert stalled.within(rest / 2) == rest / 2
        at += rest
        assert stalled.due() == [7]
        assert stalled.within(1.0) == 0.0
    assert at >= 110.0
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(FIRST_PAUSE)
    assert pauses[-1] == pytest.approx(1.0)
    assert 7 not in stalled


def test_one_that_goes_on_is_forgotten() -> None:
    stalled = Stalls(patience=10.0)
    assert stalled.within(5.0) == 5.0
    stalled.add(7)
    stalled.remove(7)
    stalled.remove(7)
    assert not stalled
    assert stalled.within(None) is None
