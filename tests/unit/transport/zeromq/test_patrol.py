"""Claims about who looks after links, and when; the time is the test's."""

import pytest

import corps.clock
import corps.transport.zeromq.patrol as zmq_patrol
from corps.errors import BrokenError
from corps.transport import timetable
from corps.transport.zeromq.patrol import Patrol
from corps.wire.resume import PAUSE


class Link:
    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.looks = 0

    def look_after(self) -> bool:
        self.looks += 1
        if not self.answers:
            raise BrokenError("planted")
        return self.answers.pop(0)


class Watch:
    """A patrol, and a clock that only the test moves."""

    def __init__(self) -> None:
        self.time = 100.0
        self.wakes = 0
        self.patrol = Patrol(self.wake)

    def wake(self) -> None:
        self.wakes += 1

    def wait(self, seconds: float = PAUSE) -> None:
        self.time += seconds
        self.patrol.go_if_due()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()

    def now() -> float:
        return watch.time

    monkeypatch.setattr(corps.clock, "now", now)
    monkeypatch.setattr(zmq_patrol, "now", now)
    monkeypatch.setattr(timetable, "now", now)
    return watch


def test_a_link_is_looked_after_until_there_is_no_need(watch: Watch) -> None:
    link = Link(True, True, False)
    watch.patrol.add(link.look_after)
    assert watch.wakes == 1
    for looks in (1, 2, 3, 3, 3):
        watch.wait()
        assert link.looks == looks
    assert watch.patrol.within(None) is None


def test_nobody_goes_before_it_is_time(watch: Watch) -> None:
    link = Link(True)
    watch.patrol.add(link.look_after)
    watch.wait(PAUSE / 2)
    assert link.looks == 0
    assert watch.patrol.within(None) == pytest.approx(PAUSE / 2)
    assert watch.patrol.within(60.0) == pytest.approx(PAUSE / 2)
    assert watch.patrol.within(0.0) == 0.0
    watch.wait(PAUSE)
    assert link.looks == 1


def test_the_reader_is_woken_for_the_first_link_only(watch: Watch) -> None:
    links = [Link(False), Link(False)]
    for link in links:
        watch.patrol.add(link.look_after)
    assert watch.wakes == 1
    watch.wait()
    assert [link.looks for link in links] == [1, 1]


def test_a_link_that_is_broken_is_left(watch: Watch) -> None:
    broken, sound = Link(), Link(True, True)
    watch.patrol.add(broken.look_after)
    watch.patrol.add(sound.look_after)
    watch.wait()
    watch.wait()
    assert (broken.looks, sound.looks) == (1, 2)


def test_an_interrupt_makes_it_forget_nobody(watch: Watch) -> None:
    links = [Link(True, True), Link(True, True)]
    interrupts = [KeyboardInterrupt()]

    def interrupted_once() -> bool:
        if interrupts:
            raise interrupts.pop()
        return links[0].look_after()

    watch.patrol.add(interrupted_once)
    watch.patrol.add(links[1].look_after)
    with pytest.raises(KeyboardInterrupt):
        watch.wait()
    watch.wait()
    assert [link.looks for link in links] == [1, 1]


def test_a_link_that_is_added_while_others_are_looked_after_is_not_forgotten(watch: Watch) -> None:
    late = Link(False)

    class Adder(Link):
        def look_after(self) -> bool:
            watch.patrol.add(late.look_after)
            return super().look_after()

    watch.patrol.add(Adder(False).look_after)
    watch.wait()
    watch.wait()
    assert late.looks == 1


def test_stopped_it_looks_after_nobody(watch: Watch) -> None:
    link = Link(True)
    watch.patrol.add(link.look_after)
    watch.patrol.stop()
    watch.wait()
    assert link.looks == 0
