"""Claims about the order of requests: one at a time, and first come, first served for each sender."""

import threading
from typing import Any

import corps
from tests.integration.behaviour.paths import Way
from tests.integration.behaviour.workers import Counter

SENDERS = 8
CALLS = 2_000


class Ledger(corps.Conc):
    def __init__(self) -> None:
        self.last: dict[int, int] = {}
        self.total = 0
        self._inside = False

    def enter(self, sender: int, number: int) -> None:
        assert not self._inside, "two at a time"
        self._inside = True
        assert self.last.get(sender, -1) == number - 1, (sender, number, self.last.get(sender))
        self.last[sender] = number
        self.total += 1
        self._inside = False


class Sender(corps.Conc):
    def send_all(self, ledger: corps.Name[Ledger], sender: int, number: int) -> None:
        for i in range(number):
            ledger.enter.send(sender, i)
        ledger.my_tag().result()


def test_requests_of_each_sender_are_run_in_turn_and_one_at_a_time(way: Way) -> None:
    ledger = way.create(Ledger)
    errors: list[BaseException | None] = []
    ready = threading.Barrier(SENDERS)

    def send(sender: int) -> None:
        ready.wait()
        futures = [ledger.enter(sender, i) for i in range(CALLS)]
        errors.extend(future.exception() for future in futures)

    threads = [threading.Thread(target=send, args=(i,)) for i in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [error for error in errors if error is not None] == []
    assert len(errors) == SENDERS * CALLS
    assert ledger.total.ret == SENDERS * CALLS
    assert ledger.last.ret == dict.fromkeys(range(SENDERS), CALLS - 1)


def test_workers_as_senders_keep_their_order_too(way: Way) -> None:
    ledger = way.create(Ledger)
    senders = [way.create(Sender), way.create_far(Sender)]
    futures = [sender.send_all(ledger, i, 1_000) for i, sender in enumerate(senders)]
    for future in futures:
        future.result()
    assert ledger.total.ret == 2_000
    assert ledger.last.ret == {0: 999, 1: 999}


def test_calls_attributes_and_sends_share_one_order(way: Way) -> None:
    counter = way.create(Counter)
    reads: list[Any] = []
    for _ in range(100):
        counter.add.send(2)
        reads.append(counter.value)
        counter.add(-1)
    assert [read.ret for read in reads] == [i + 2 for i in range(100)]


def test_no_turn_is_lost_when_a_worker_falls_idle_again_and_again(way: Way) -> None:
    counter = way.create(Counter)
    for n in range(1, 501):
        assert counter.add().result(timeout=20) == n
