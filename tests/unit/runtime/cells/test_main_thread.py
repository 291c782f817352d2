"""The thread of a worker with a `main` of its own: what it receives, and what it keeps."""

import gc
import types
import weakref
from collections.abc import Callable
from threading import Condition
from typing import Any

from corps.addresses import ConcAddr
from corps.messages.requests import CALL, Request
from corps.runtime.calls.futures import Future
from corps.runtime.cells.mailbox import Mailbox
from corps.runtime.cells.main_thread import MainThread
from corps.runtime.context import Activity

ADDR = ConcAddr("00", 0, 1)


class Thing:
    """Can be held by weak references."""


class Waits(Condition):
    """Writes down how long it was to wait, and waits for nothing."""

    def __init__(self, lock: Any) -> None:
        super().__init__(lock)
        self.timeouts: list[float] = []

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        self.timeouts.append(timeout or 0.0)
        return predicate()


def thread_of(*, is_wanted: bool) -> tuple[MainThread, Any]:
    env: Any = types.SimpleNamespace(label="env0")
    cell: Any = types.SimpleNamespace(
        env=env,
        addr=ADDR,
        mailbox=Mailbox(limit=9),
        activity=Activity(env),
        is_wanted=lambda request: is_wanted,
        performer=types.SimpleNamespace(perform=lambda request: request.answer(Thing())),
    )
    return MainThread(cell), cell


def request(*args: Any) -> tuple[Request, Future[Any]]:
    future: Future[Any] = Future()
    asked = Request(CALL, ADDR, "work", args, {}, future, deadline=1e12)
    return asked, future


def test_requests_that_have_expired_do_not_lengthen_a_wait() -> None:
    thread, cell = thread_of(is_wanted=False)
    for _ in range(3):
        cell.mailbox.put(request()[0])
    waits = thread.arrival = Waits(cell.mailbox.lock)
    assert thread.receive(5.0) is None
    assert len(waits.timeouts) == 4
    assert all(earlier > later for earlier, later in zip(waits.timeouts, waits.timeouts[1:], strict=False))


def test_a_request_that_was_handled_is_not_kept_though_main_holds_it() -> None:
    thread, cell = thread_of(is_wanted=True)
    given = Thing()
    asked, future = request(given)
    cell.mailbox.put(asked)
    held = thread.receive(None)
    assert held is asked
    thread.handle(held)
    seen = weakref.ref(given), weakref.ref(future.result())
    del given, future
    gc.collect()
    assert [one() for one in seen] == [None, None]
    assert held.promise.done()
    assert not held.answer("again")


def test_a_request_has_its_deadline_until_it_is_handled() -> None:
    thread, cell = thread_of(is_wanted=True)
    cell.mailbox.put(request()[0])
    held = thread.receive(None)
    assert held is not None
    assert cell.activity.deadline == 1e12
    thread.handle(held)
    assert cell.activity.deadline is None


def test_waiting_for_the_next_request_ends_the_deadline_of_one_that_is_answered_later() -> None:
    thread, cell = thread_of(is_wanted=True)
    cell.mailbox.put(request()[0])
    held = thread.receive(None)
    assert held is not None
    thread.arrival = Waits(cell.mailbox.lock)
    assert thread.receive(0.0) is None
    assert (cell.activity.deadline, cell.activity.request) == (None, None)
    assert held.answer(1)
