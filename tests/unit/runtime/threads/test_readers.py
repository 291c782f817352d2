"""Claims about who reads: always somebody, never two, and best of all the one that waits."""

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest

from corps.errors import LoopBlocked
from corps.runtime.context import Activity, current
from corps.runtime.threads.gates import Gate
from corps.runtime.threads.readers import Readers
from corps.security.audit import Audit
from corps.transport.link import Link, OnBroken, OnMessage, Ready, Transport

LIMIT = 20.0


class Post(Transport):
    """Hands on what the test puts in: functions, which are called by the thread that reads."""

    def __init__(self) -> None:
        self.audit = Audit("test")
        self._changed = threading.Condition()
        self._letters: deque[Callable[[], object]] = deque()
        self._is_interrupted = False
        self.inside = 0
        self.most_inside = 0

    def put(self, letter: Callable[[], object]) -> None:
        with self._changed:
            self._letters.append(letter)
            self._changed.notify()

    def await_ready(self, timeout: float | None) -> Ready:
        with self._changed:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
            self._changed.wait_for(lambda: self._letters or self._is_interrupted, timeout)
            self.inside -= 1
            self._is_interrupted = False
            ready = list(self._letters)
            self._letters.clear()
            return ready

    def hand_on(self, ready: Ready) -> None:
        for letter in ready:
            letter()

    def interrupt(self) -> None:
        with self._changed:
            self._is_interrupted = True
            self._changed.notify()

    endpoint = ""

    def start(self, on_message: OnMessage, on_broken: OnBroken) -> None: ...
    def admit(self, member: Any) -> None: ...
    def expel(self, member: Any) -> None: ...
    def connect(self, member: Any) -> Link:
        raise NotImplementedError

    def close(self) -> None: ...


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture(params=[0.0, 0.0001], ids=["sleeping", "looking"])
def readers(post: Post, request: pytest.FixtureRequest) -> Iterator[Readers]:
    activity = Activity(cast("Any", None))
    activity.reading = True
    readers = Readers(post, activity, "test-io", spin=request.param)
    readers.start()
    yield readers
    readers.close()
    assert post.most_inside <= 1


def in_threads(calls: Sequence[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()


def one_wait(post: Post, readers: Readers) -> int:
    """Wait for a letter that opens the gate; the ident of the thread that read it."""
    gate = Gate()
    by: list[int] = []

    def letter() -> None:
        by.append(threading.get_ident())
        gate.open()

    post.put(letter)
    assert readers.wait(gate, LIMIT)
    return by[0]


def test_without_anybody_who_waits_the_standby_reads(post: Post, readers: Readers) -> None:
    read = threading.Event()
    post.put(read.set)
    assert read.wait(LIMIT)


def test_a_thread_that_waits_often_reads_itself(post: Post, readers: Readers) -> None:
    by = [one_wait(post, readers) for _ in range(1_000)]
    assert by.count(threading.get_ident()) > 900


def test_a_wait_ends_with_its_time_whoever_reads(readers: Readers) -> None:
    assert not readers.wait(Gate(), 0.005)
    assert not readers.rest(Gate(), 0.005)


def test_whoever_reads_is_marked_so_while_it_hands_on(post: Post, readers: Readers) -> None:
    seen: list[bool] = []
    gate = Gate()

    def letter() -> None:
        here = current.get()
        seen.append(here is not None and here.reading)
        gate.open()

    post.put(letter)
    assert readers.wait(gate, LIMIT)
    assert seen == [True]
    assert current.get() is None


def test_a_gate_that_another_thread_opens_ends_the_reading(readers: Readers) -> None:
    for wait in (readers.wait, readers.rest):
        gate = Gate()
        opener = threading.Timer(0.005, gate.open)
        opener.start()
        assert wait(gate, LIMIT)
        opener.join()


def test_those_who_wait_longer_read_when_the_first_has_gone(post: Post, readers: Readers) -> None:
    long_gate, by = Gate(), []
    waiter = threading.Thread(target=lambda: by.append(readers.wait(long_gate, LIMIT)))
    waiter.start()
    for _ in range(100):
        one_wait(post, readers)
    post.put(long_gate.open)
    waiter.join(LIMIT)
    assert by == [True]


def test_an_idle_worker_leaves_the_reading_to_one_that_waits(post: Post, readers: Readers) -> None:
    idle, rested = Gate(), []
    worker = threading.Thread(target=lambda: rested.append(readers.rest(idle, LIMIT)))
    worker.start()
    by = [one_wait(post, readers) for _ in range(1_000)]
    assert by.count(threading.get_ident()) > 500
    idle.open()
    worker.join(LIMIT)
    assert rested == [True]


def test_what_is_raised_in_the_reading_leaves_the_role_vacant(post: Post, readers: Readers) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    raised = 0
    for _ in range(50):
        post.put(fail)
        try:
            readers.wait(Gate(), 0.05)
        except KeyboardInterrupt:
            raised += 1
        one_wait(post, readers)
    assert raised


def test_who_reads_cannot_wait_in_the_midst_of_it(post: Post, readers: Readers) -> None:
    gate, refused = Gate(), []

    def letter() -> None:
        try:
            readers.wait(Gate(), LIMIT)
        except LoopBlocked as error:
            refused.append(error)
        gate.open()

    post.put(letter)
    assert readers.wait(gate, LIMIT)
    assert len(refused) == 1


def test_many_threads_wait_and_rest_and_none_is_forgotten(post: Post, readers: Readers) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)

    def wait(number: int) -> None:
        chance = random.Random(seed + number)
        for _ in range(300):
            gate = Gate()
            way = chance.choice([readers.wait, readers.rest])
            if chance.random() < 0.3:
                opener = threading.Thread(target=gate.open)
                opener.start()
                assert way(gate, LIMIT)
                opener.join()
            else:
                post.put(gate.open)
                assert way(gate, LIMIT)

    in_threads([lambda number=number: wait(number) for number in range(6)])  # type: ignore[misc]


@pytest.mark.parametrize("how", ["wait", "rest"])
def test_closing_ends_the_reading_and_leaves_those_who_wait_at_their_gates(post: Post, how: str) -> None:
    readers = Readers(post, Activity(cast("Any", None)), "test-io")
    readers.start()
    gate, passed = Gate(), []
    waiter = threading.Thread(target=lambda: passed.append(getattr(readers, how)(gate, LIMIT)))
    waiter.start()
    readers.close()
    readers.close()
    assert post.inside == 0
    assert waiter.is_alive() or passed == [False]
    gate.open()
    waiter.join(LIMIT)
    assert passed == [True]


def test_one_that_was_never_started_can_be_closed(post: Post) -> None:
    readers = Readers(post, Activity(cast("Any", None)), "test-io")
    readers.close()
    assert not readers.wait(Gate(), 0.001)


# Signs of life


def asks_for_sign(readers: Readers) -> threading.Event:
    given = threading.Event()
    readers.ask_for_sign(given.set)
    return given


def test_whoever_reads_gives_a_sign(post: Post, readers: Readers) -> None:
    for _ in range(100):
        assert asks_for_sign(readers).wait(LIMIT)
    one_wait(post, readers)
    assert asks_for_sign(readers).wait(LIMIT)


def test_a_thread_that_waits_for_long_gives_a_sign(readers: Readers) -> None:
    gate = Gate()
    waiting = threading.Thread(target=readers.wait, args=(gate, LIMIT))
    waiting.start()
    for _ in range(100):
        assert asks_for_sign(readers).wait(LIMIT)
    gate.open()
    waiting.join(LIMIT)
    assert not waiting.is_alive()


def test_a_reader_that_is_blocked_gives_none(post: Post, readers: Readers) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def block() -> None:
        entered.set()
        go_on.wait(LIMIT)

    post.put(block)
    assert entered.wait(LIMIT)
    signs = [asks_for_sign(readers) for _ in range(10)]
    assert not any(sign.wait(0.01) for sign in signs)
    go_on.set()
    assert signs[-1].wait(LIMIT), "it was only late"


def test_signs_are_given_under_load(post: Post, readers: Readers) -> None:
    stop = threading.Event()

    def wait_often() -> None:
        while not stop.is_set():
            one_wait(post, readers)

    threads = [threading.Thread(target=wait_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(100):
            assert asks_for_sign(readers).wait(LIMIT)
    finally:
        stop.set()
        for thread in threads:
            thread.join(LIMIT)
