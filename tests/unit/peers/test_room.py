"""Claims about the queue in front of a window."""

from collections import deque
from threading import Condition, Event, Lock, Thread
from typing import Any

import pytest

from corps.peers.room import Room
from corps.wire.credit import Window


class Announced(deque[Any]):
    """Tells when it grows."""

    def __init__(self) -> None:
        super().__init__()
        self.has_grown = Event()

    def append(self, item: Any, /) -> None:
        super().append(item)
        self.has_grown.set()


class Queue:
    """A room, and threads that wait in it in a known order."""

    def __init__(self, requests: int = 10, size: int = 100) -> None:
        self.lock = Lock()
        self.room = Room(self.lock, Window(requests, size))
        self.queue = self.room._queue = Announced()
        self.taken: list[int] = []
        self.refused: list[int] = []
        self.changed = Condition(self.lock)
        self.threads: list[Thread] = []

    def enter(self, size: int, seconds: float | None = None) -> None:
        """Start a thread that waits; go on when it is in the queue."""

        def wait() -> None:
            with self.lock:
                taken = self.room.wait(size, seconds)
                (self.taken if taken else self.refused).append(size)
                self.changed.notify_all()

        self.queue.has_grown.clear()
        self.threads.append(Thread(target=wait))
        self.threads[-1].start()
        assert self.queue.has_grown.wait(30)

    def length(self) -> int:
        with self.lock:
            return len(self.queue)

    def give_back(self, requests: int, size: int) -> None:
        with self.lock:
            self.room.give_back(requests, size)

    def wait_taken(self, n: int) -> None:
        with self.lock:
            assert self.changed.wait_for(lambda: len(self.taken) >= n, 30)

    def close(self) -> None:
        with self.lock:
            self.room.close()
        for thread in self.threads:
            thread.join()


def take(queue: Queue, *sizes: int) -> None:
    with queue.lock:
        for size in sizes:
            assert queue.room.take(size)


def test_who_gives_back_hands_on_to_as_many_as_it_suffices_for() -> None:
    queue = Queue()
    take(queue, 100)
    for size in (10, 20, 70, 1):
        queue.enter(size)
    queue.give_back(1, 100)
    queue.wait_taken(3)
    assert sorted(queue.taken) == [10, 20, 70]
    queue.give_back(1, 70)
    queue.wait_taken(4)
    queue.close()
    assert queue.refused == []


def test_small_ones_do_not_overtake_a_large_one() -> None:
    queue = Queue()
    take(queue, 50, 50)
    queue.enter(90)
    queue.give_back(1, 50)
    with queue.lock:
        assert not queue.room.take(1)
    queue.give_back(1, 50)
    queue.wait_taken(1)
    queue.close()
    assert queue.taken == [90]


def test_who_gives_up_lets_those_behind_go() -> None:
    queue = Queue()
    take(queue, 50, 40)
    with queue.lock:
        assert not queue.room.wait(60, 0.0)
        assert queue.room.take(10)
    queue.close()


def test_closing_wakes_all_without_room() -> None:
    queue = Queue(requests=1)
    take(queue, 1)
    queue.enter(1)
    queue.enter(2)
    queue.close()
    assert sorted(queue.refused) == [1, 2]
    with queue.lock:
        assert not queue.room.wait(1, None)


def test_ctrl_c_in_the_wait_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    queue = Queue(requests=1)
    take(queue, 1)
    monkeypatch.setattr(Condition, "wait_for", interrupted)
    with queue.lock, pytest.raises(KeyboardInterrupt):
        queue.room.wait(1, None)
    assert queue.length() == 0
    queue.give_back(1, 1)
    take(queue, 1)
