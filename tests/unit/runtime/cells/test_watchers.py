"""Claims about the watchers of one worker: each is told once, and none costs more than the one before."""

from types import SimpleNamespace
from typing import Any, cast

from corps.addresses import ConcAddr
from corps.messages.endings import End
from corps.messages.requests import WATCH, Request
from corps.runtime.calls.futures import Future
from corps.runtime.cells.watchers import Watchers

ADDR = ConcAddr("00", 0, 1)


class Counted(Future[Any]):
    """Counts how often somebody looks whether it is done."""

    looks = 0

    def done(self) -> bool:
        type(self).looks += 1
        return super().done()


def watch() -> Request:
    return Request(WATCH, ADDR, "watch", (), {}, Counted())


def test_so_many_watches_of_one_worker_are_not_looked_at_again_and_again() -> None:
    """Was a defect: each new one looked at all the others, 68 s of the reading thread for 20 000."""
    watchers = Watchers(cast("Any", SimpleNamespace(ended=None)))
    requests = [watch() for _ in range(2000)]
    for request in requests:
        watchers.add(request)
    assert Counted.looks <= 2 * 2000
    ended: Any = End.__new__(End)
    watchers.tell(ended)
    watchers.tell(ended)
    assert all(request.promise.done() for request in requests)


def test_watches_that_were_given_up_do_not_pile_up() -> None:
    watchers = Watchers(cast("Any", SimpleNamespace(ended=None)))
    kept = [watch() for _ in range(10)]
    for request in kept:
        watchers.add(request)
    for _ in range(1000):
        request = watch()
        watchers.add(request)
        request.promise.cancel()  # type: ignore[attr-defined]
        assert len(watchers._requests) <= 40
    assert [request for request in watchers._requests if not request.promise.done()] == kept
