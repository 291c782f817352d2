"""Claims about requests with large arguments between real processes, over ZeroMQ."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

import corps
from tests.integration.behaviour.paths import Way, booted
from tests.integration.behaviour.workers import Latch

MIB = 1024 * 1024


class Log(corps.Conc):
    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def note(self, number: int, body: bytes) -> int:
        self.seen.append((number, len(body)))
        return len(body)

    def echo(self, body: bytes) -> bytes:
        return body

    def hold(self, latch: corps.Name[Latch]) -> None:
        latch.arrive.send()
        latch.wait().result()

    def pid(self) -> int:
        return os.getpid()


@pytest.fixture(scope="module", params=["ipc", "tcp"])
def way_of_module(request: pytest.FixtureRequest) -> Iterator[Way]:
    with booted(request.param) as way:
        yield way


@pytest.fixture
def way(way_of_module: Way) -> Iterator[Way]:
    with way_of_module.entered():
        yield way_of_module


def test_requests_to_one_worker_stay_in_order_while_others_go_through(way: Way) -> None:
    large, small = way.create(Log), way.create(Log)
    sizes = [16 * MIB, 0, 2 * MIB, 5, 16 * MIB, 16 * MIB, 0, 0, MIB + 1, 3]
    failures: list[BaseException] = []

    def call_the_other() -> None:
        try:
            with way.entered():
                for number in range(200):
                    assert small.note(number, b"x").result() == 1
        except BaseException as error:
            failures.append(error)

    other = threading.Thread(target=call_the_other)
    other.start()
    futures = [large.note(number, bytes(size)) for number, size in enumerate(sizes)]
    assert [future.result() for future in futures] == sizes
    other.join()
    assert failures == []
    assert large.seen.ret == list(enumerate(sizes))
    assert small.seen.ret == [(number, 1) for number in range(200)]
    for name in (large, small):
        name.exit().result()


def test_large_arguments_and_outcomes_cross_each_other(way: Way) -> None:
    workers = [way.create(Log), way.create_far(Log), way.create(Log)]
    bodies = [bytes([number]) * (3 * MIB + number) for number in range(9)]
    futures = [workers[number % 3].echo(body) for number, body in enumerate(bodies)]
    assert [future.result() for future in futures] == bodies
    for name in workers:
        name.exit().result()


def test_a_cancel_does_not_overtake_its_large_request(way: Way) -> None:
    worker = way.create(Log)
    latch = way.create(Latch)
    held = worker.hold(latch)
    latch.arrived().result()
    cancelled = worker.note(1, bytes(16 * MIB))
    kept = worker.note(2, b"")
    assert cancelled.cancel()
    # The peer has taken the request and its CANCEL when it owes two answers: else the worker may begin first.
    peers = way.engine.peers
    assert peers is not None
    while peers.statistics()[way.near]["sent"] > 2:
        time.sleep(0.01)
    latch.open().result()
    held.result()
    kept.result()
    assert worker.seen.ret == [(2, 0)]
    for name in (worker, latch):
        name.exit().result()


def test_a_peer_that_is_killed_in_the_middle_fails_what_it_had_and_nothing_else() -> None:
    with booted("tcp") as way, way.entered():
        doomed, survivor = way.create_far(Log), way.create(Log)
        pid = doomed.pid().result()
        os.kill(pid, signal.SIGSTOP)  # so that it reads nothing more
        futures = [doomed.note(number, bytes(4 * MIB)) for number in range(4)]
        os.kill(pid, signal.SIGKILL)
        for future in futures:
            with pytest.raises(corps.EnvLost):
                future.result()
        assert survivor.note(1, bytes(4 * MIB)).result() == 4 * MIB
