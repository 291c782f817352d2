"""Claims about the promise of a request that wants no answer."""

import logging
import threading

import pytest

from corps.errors import WorkerGone
from corps.messages.outcomes import Raised, Refused, Value
from corps.messages.promises import NoAnswer


def test_it_is_settled_once() -> None:
    promise = NoAnswer("a request")
    assert not promise.done()
    assert promise.settle(Value(1))
    assert promise.done()
    assert not promise.settle(Value(2))


@pytest.mark.parametrize("turn", range(20))
def test_of_many_threads_one_settles_it(turn: int) -> None:
    promise, ready = NoAnswer(f"request {turn}"), threading.Barrier(4)
    firsts: list[bool] = []

    def settle() -> None:
        ready.wait()
        firsts.append(promise.settle(Value(None)))

    threads = [threading.Thread(target=settle) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(firsts) == [False, False, False, True]


def test_a_value_is_dropped_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    NoAnswer("a request").settle(Value(1))
    assert caplog.records == []


def test_a_failure_goes_to_the_log_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        NoAnswer("'add' of a Counter").settle(Raised.capture(ValueError("no"), "a Counter"))
        NoAnswer("'add' of a Counter").settle(Refused(WorkerGone("it has ended")))
    assert "'add' of a Counter, sent without wanting an answer, failed: ValueError: no" in caplog.text
    assert "it has ended" in caplog.text
