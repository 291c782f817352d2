"""Futures of tasks: who calls the callbacks, and who unpacks the value."""

import concurrent.futures
import threading
from typing import Any

import pytest

from corps.errors import Cancelled, UnpackError
from corps.messages.outcomes import Outcome, Refused, Value
from corps.runtime.calls.task_futures import Answer, Callbacks, TaskFuture
from corps.runtime.calls.waiting import gather


class Packed:
    """An outcome that is unpacked, each time into another object."""

    failed = is_cancelled = False

    def __init__(self, opened: Outcome | None = None) -> None:
        self._opened = opened
        self.by: list[str] = []

    def opened(self) -> Outcome:
        self.by.append(threading.current_thread().name)
        return Value(object()) if self._opened is None else self._opened

    def unwrap(self) -> Any:
        return self.opened().unwrap()


@pytest.fixture
def callbacks() -> Callbacks:
    return Callbacks("test-callbacks")


def test_callbacks_that_wait_are_called_in_their_order_by_one_thread(callbacks: Callbacks) -> None:
    future: TaskFuture[Any] = TaskFuture(callbacks)
    called: list[tuple[int, str]] = []
    for number in range(3):
        future.add_done_callback(lambda _, n=number: called.append((n, threading.current_thread().name)))  # type: ignore[misc]
    future.set_answer(Answer(Value(1)))
    callbacks.close()
    callbacks.join()
    assert called == [(number, "test-callbacks") for number in range(3)]


def test_a_callback_of_one_that_is_done_is_called_at_once(callbacks: Callbacks) -> None:
    future: TaskFuture[Any] = TaskFuture(callbacks)
    future.set_answer(Answer(Value(1)))
    called: list[str] = []
    future.add_done_callback(lambda _: called.append(threading.current_thread().name))
    assert called == [threading.current_thread().name]
    callbacks.close()
    callbacks.join()


def test_one_that_becomes_done_while_a_callback_is_added_calls_it_at_once(callbacks: Callbacks) -> None:
    class Late(TaskFuture[Any]):
        def done(self) -> bool:
            return False

    future = Late(callbacks)
    future.set_answer(Answer(Value(1)))
    called: list[str] = []
    future.add_done_callback(lambda _: called.append(threading.current_thread().name))
    assert called == [threading.current_thread().name]
    callbacks.close()
    callbacks.join()


def test_callbacks_of_one_that_is_cancelled_are_called_too(callbacks: Callbacks) -> None:
    future: TaskFuture[Any] = TaskFuture(callbacks)
    called: list[bool] = []
    future.add_done_callback(lambda done: called.append(done.cancelled()))
    callbacks.close()
    assert not callbacks.are_over.done()
    assert future.cancel()
    callbacks.join()
    assert called == [True]
    assert isinstance(future.follower.failure(), Cancelled)


def test_a_callback_that_joins_does_not_wait_for_itself(callbacks: Callbacks) -> None:
    future: TaskFuture[Any] = TaskFuture(callbacks)
    future.add_done_callback(lambda _: callbacks.join())
    future.set_answer(Answer(Value(1)))
    callbacks.close()
    callbacks.join()


def test_a_value_is_unpacked_once_by_the_thread_that_wants_it(callbacks: Callbacks) -> None:
    future: TaskFuture[Any] = TaskFuture(callbacks)
    packed = Packed()
    settling = threading.Thread(target=lambda: future.set_answer(Answer(packed)))
    settling.start()
    settling.join()
    both = gather([future, future])
    assert packed.by == []
    value = future.result()
    assert both.result() == [value, value]
    assert future.exception() is None
    assert future.result() is value
    assert future._get_snapshot() == (True, False, value, None)
    assert packed.by == [threading.current_thread().name]


def test_a_value_that_cannot_be_unpacked_is_an_error(callbacks: Callbacks) -> None:
    future: TaskFuture[Any] = TaskFuture(callbacks)
    assert future._get_snapshot() == (False, False, None, None)
    future.set_answer(Answer(Packed(Refused(UnpackError("damaged")))))
    assert isinstance(future.exception(), UnpackError)
    with pytest.raises(UnpackError):
        future.result()
    assert concurrent.futures.wait([future], return_when="FIRST_EXCEPTION").done == {future}
