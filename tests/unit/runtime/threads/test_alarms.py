"""Claims about alarms: rung in their order, once, or not at all."""

import logging
import random
import threading
import time

import pytest

from corps.clock import now
from corps.runtime.threads.alarms import Alarms


@pytest.fixture
def alarms():  # type: ignore[no-untyped-def]
    alarms = Alarms("test-alarms", lambda: None)
    yield alarms
    alarms.close()


def test_without_an_alarm_there_is_no_thread(alarms: Alarms) -> None:
    assert alarms._thread is None


def test_alarms_ring_in_the_order_in_which_they_are_due(alarms: Alarms) -> None:
    rung: list[int] = []
    over = threading.Event()
    start = now() + 0.2
    order = random.Random(3).sample(range(50), 50)
    for place in order:
        alarms.at(start + place * 1e-5, lambda place=place: rung.append(place))  # type: ignore[misc]
    alarms.at(start + 0.001, over.set)
    assert over.wait(20)
    assert rung == list(range(50))


def test_what_is_overdue_rings_at_once_and_an_earlier_one_wakes_the_thread(alarms: Alarms) -> None:
    over = threading.Event()
    alarms.at(now() + 1000, lambda: None)
    alarms.at(now() - 1, over.set)
    assert over.wait(20)


@pytest.mark.parametrize("far", [1e10, 1e300, float("inf")])
def test_an_alarm_beyond_what_the_system_can_wait_for_holds_up_no_other(alarms: Alarms, far: float) -> None:
    rung: list[str] = []
    over = threading.Event()
    alarms.at(now() + far, lambda: rung.append("far"))
    thread = alarms._thread
    assert thread is not None
    while thread.is_alive() and not alarms._changed._waiters:  # type: ignore[attr-defined]
        time.sleep(0)  # until it waits for that one
    alarms.at(now() - 1, over.set)
    assert over.wait(20)
    assert rung == []


def test_a_cancelled_alarm_does_not_ring_and_cancelling_again_is_nothing(alarms: Alarms) -> None:
    rung: list[str] = []
    over = threading.Event()
    start = now()
    with alarms._lock:  # nothing rings meanwhile, though it is due
        alarm = alarms.at(start, lambda: rung.append("cancelled"))
        alarms.at(start + 0.0001, over.set)
        alarm.cancel()
        alarm.cancel()
    assert over.wait(20)
    assert rung == []
    alarm.cancel()


def test_cancelled_alarms_do_not_pile_up(alarms: Alarms) -> None:
    keep = [alarms.at(now() + 1000, lambda: None) for _ in range(10)]
    for _ in range(5_000):
        alarms.at(now() + 1000, lambda: None).cancel()
    assert len(alarms._heap) < 200
    assert all(alarm.ring is not None for alarm in keep)
    assert sum(entry[2] in keep for entry in alarms._heap) == 10


def test_an_alarm_that_raises_does_not_silence_the_others(
    alarms: Alarms, caplog: pytest.LogCaptureFixture
) -> None:
    over = threading.Event()
    with caplog.at_level(logging.ERROR, "corps.alarms"):
        alarms.at(now(), lambda: 1 / 0)
        alarms.at(now(), over.set)
        assert over.wait(20)
    assert "an alarm raised" in caplog.text


def test_after_closing_nothing_rings() -> None:
    alarms = Alarms("test-alarms", lambda: None)
    rung: list[str] = []
    alarms.at(now() + 1000, lambda: rung.append("late"))
    alarms.close()
    alarms.at(now() - 1, lambda: rung.append("too late")).cancel()
    alarms.close()
    assert rung == []


def test_an_alarm_may_set_and_cancel_others(alarms: Alarms) -> None:
    over = threading.Event()
    other = alarms.at(now() + 1000, over.set)

    def ring() -> None:
        other.cancel()
        alarms.at(now(), over.set)

    alarms.at(now(), ring)
    assert over.wait(20)


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_whatever_an_alarm_raises_the_others_ring(alarms: Alarms, kind: type[BaseException]) -> None:
    def ring() -> None:
        raise kind("planted")

    over = threading.Event()
    alarms.at(now(), ring)
    alarms.at(now() + 0.001, over.set)
    assert over.wait(20)


def test_the_end_of_the_thread_is_told() -> None:
    told: list[tuple[str, BaseException]] = []
    over = threading.Event()

    def failed(name: str, error: BaseException) -> None:
        told.append((name, error))
        over.set()

    def prepare() -> None:
        raise MemoryError("planted")

    alarms = Alarms("test-alarms", prepare, failed)
    alarms.at(now(), lambda: None)
    assert over.wait(20)
    assert [(name, type(error)) for name, error in told] == [("test-alarms", MemoryError)]
    alarms.close()
