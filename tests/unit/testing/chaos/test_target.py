"""Claims about the handlers of a script that storms."""

import os
import signal

import pytest

from corps.testing.chaos.target import HANDLED, Missed, Signals


def test_what_the_storm_sends_is_handled_and_interrupts_nothing() -> None:
    before = {number: signal.getsignal(number) for number in HANDLED}
    with Signals().handled() as signals:
        for number in HANDLED:
            signals.send(number)
    assert {number: signal.getsignal(number) for number in HANDLED} == before


def test_what_others_send_stops_the_storm() -> None:
    with Signals().handled(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_is_not_handled_is_a_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corps.testing.chaos.target._HANDLING", 0.01)
    with pytest.raises(Missed, match="SIGWINCH was not handled"):  # by default nothing happens
        Signals().send(signal.SIGWINCH)
