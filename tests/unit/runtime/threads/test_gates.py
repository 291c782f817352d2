"""Claims about gates: open is open, and no wake-up is lost or given twice."""

import threading

import pytest

from corps.runtime.threads.gates import Gate


def test_a_gate_that_was_opened_before_lets_through_at_once() -> None:
    gate = Gate()
    gate.open()
    assert gate.is_open
    assert gate.sleep(None)


def test_a_gate_that_nobody_opens_holds_until_the_time_is_over() -> None:
    gate = Gate()
    assert not gate.sleep(0.001)
    assert not gate.sleep(-1.0)
    assert not gate.is_open


def test_a_wait_may_be_as_long_as_one_likes() -> None:
    gate = Gate()
    threading.Timer(0.001, gate.open).start()
    assert gate.sleep(float("inf"))


def test_it_may_be_opened_and_called_often() -> None:
    gate = Gate()
    for _ in range(3):
        gate.call()
        gate.open()
    assert gate.sleep(None)
    assert not gate.sleep(0)


def test_a_call_wakes_without_opening() -> None:
    gate = Gate()
    gate.call()
    assert gate.sleep(None)
    assert not gate.is_open


def test_opening_interrupts_the_thread_that_reads_instead() -> None:
    gate = Gate()
    interrupts: list[int] = []
    assert gate.read_instead(lambda: interrupts.append(1))
    gate.open()
    assert interrupts == [1]
    assert not gate.read_instead(None)
    gate.open()
    assert interrupts == [1]


def test_an_open_gate_needs_no_reading() -> None:
    gate = Gate()
    gate.open()
    assert not gate.read_instead(lambda: pytest.fail("it was open already"))


def test_of_many_openers_and_one_thread_that_comes_and_goes_nobody_is_lost() -> None:
    for _ in range(200):
        gate, over = Gate(), threading.Event()

        def pass_through(gate: Gate = gate, over: threading.Event = over) -> None:
            while not gate.is_open:
                if gate.read_instead(gate.call):
                    gate.read_instead(None)
                gate.sleep(None)
            over.set()

        threads = [threading.Thread(target=pass_through)]
        threads += [threading.Thread(target=wake) for wake in (gate.call, gate.open, gate.open)]
        for thread in threads:
            thread.start()
        assert over.wait(20)
        for thread in threads:
            thread.join()
