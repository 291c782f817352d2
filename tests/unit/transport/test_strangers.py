"""Claims about connections that have not said who they are; the time is the test's."""

import pytest

import corps.transport.strangers as module
from corps.transport import timetable
from corps.transport.strangers import Strangers


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "now", clock.now)
    monkeypatch.setattr(timetable, "now", clock.now)
    return clock


def test_a_stranger_that_says_nothing_is_due_when_its_time_is_over(clock: Clock) -> None:
    strangers = Strangers(3.0)
    strangers.add(7)
    clock.time += 2.0
    strangers.add(8)
    assert strangers.due() == []
    assert strangers.within(None) == 1.0
    assert strangers.within(0.5) == 0.5
    clock.time += 1.0
    assert strangers.within(None) == 0.0
    assert strangers.due() == [7]


def test_who_has_said_who_it_is_is_none_any_more(clock: Clock) -> None:
    strangers = Strangers(3.0)
    strangers.add(7)
    strangers.remove(7)
    strangers.remove(7)
    clock.time += 9.0
    assert strangers.due() == []
    assert strangers.within(None) is None
    assert strangers.within(5.0) == 5.0


def test_if_there_are_too_many_the_oldest_are_due_at_once(clock: Clock) -> None:
    strangers = Strangers(3.0, most=2)
    for fd in (5, 9, 4, 7):
        strangers.add(fd)
    assert strangers.due() == [5, 9]
