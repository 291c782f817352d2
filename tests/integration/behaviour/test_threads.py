"""Claims about the threads that run workers: enough of them, and none for what is idle."""

import threading
import time
from pathlib import Path
from threading import Barrier, Event

import pytest

import corps
from tests.integration.behaviour.paths import Way, booted, local
from tests.integration.behaviour.workers import Counter


class Link(corps.Conc):
    """One of a chain: each waits for the next."""

    def reach(self, others: list[corps.Name["Link"]]) -> int:
        return 1 + (others[0].reach(others[1:]).ret if others else 0)

    def reach_with_patience(self, others: list[corps.Name["Link"]]) -> int:
        return 1 + (others[0].reach_with_patience(others[1:]).result(timeout=50) if others else 0)

    def reach_any(self, others: list[corps.Name["Link"]]) -> int:
        if not others:
            return 1
        return 1 + int(corps.wait_any([others[0].reach_any(others[1:])]).ret)

    def tree(self, depth: int) -> int:
        if depth == 0:
            return 1
        children = corps.options(env="here").create_many(2, Link)
        below: list[int] = corps.gather(*(child.tree(depth - 1) for child in children)).ret
        return 1 + sum(below)

    def meet(self, barrier: Barrier) -> None:
        barrier.wait()

    def hang(self, gate: Event) -> None:
        gate.wait()

    def spin(self, path: Path) -> int:
        turns = 0
        while not path.exists():
            turns += sum(range(1_000)) > 0
        return turns


class Sleeper(corps.Conc):
    """Sleeps without corps knowing, until it is told otherwise."""

    def nap(self, path: Path) -> int:
        naps = 0
        while not path.exists():
            time.sleep(0.01)
            naps += 1
        return naps


@pytest.mark.parametrize(("cls", "method"), [(Link, "spin"), (Sleeper, "nap")])
def test_a_worker_that_is_busy_for_long_does_not_keep_others_of_its_env_from_answering(
    way: Way, tmp_path: Path, cls: type[corps.Conc], method: str
) -> None:
    over = tmp_path / "over"
    busy, counter = way.create(cls), way.create(Counter)
    future = getattr(busy, method)(over)
    for _ in range(100):
        counter.add().result(timeout=20)
    assert not future.done()
    over.touch()
    assert future.result(timeout=20) >= 0


@pytest.mark.parametrize("method", ["reach", "reach_with_patience", "reach_any"])
def test_a_chain_of_forty_that_wait_for_each_other_never_stalls_two_threads(method: str) -> None:
    with local({"threads.max": 2}) as way, way.entered():
        names = [way.create(Link) for _ in range(40)]
        assert getattr(names[0], method)(names[1:]).ret == 40
        future = getattr(names[0], method)(names[1:])
        assert future.result(timeout=50) == 40


@pytest.mark.parametrize("method", ["reach", "reach_with_patience"])
def test_a_chain_over_two_processes_never_stalls_two_threads(method: str) -> None:
    with booted("unix", {"threads.max": 4, "threads.min": 4}) as way, way.entered():
        names = [way.create(Link) if i % 2 else way.create_far(Link) for i in range(40)]
        assert getattr(names[0], method)(names[1:]).ret == 40


def test_a_chain_of_a_thousand_workers_gets_through() -> None:
    with local() as way, way.entered():
        names = [way.create(Link) for _ in range(1000)]
        assert names[0].reach(names[1:]).result(timeout=50) == 1000
        assert names[0].reach([]).ret == 1


def test_many_chains_at_once_never_stall_two_threads() -> None:
    with local({"threads.max": 2}) as way, way.entered():
        chains = [[way.create(Link) for _ in range(10)] for _ in range(10)]
        futures = [chain[0].reach_with_patience(chain[1:]) for chain in chains]
        assert [future.result(timeout=50) for future in futures] == [10] * 10


def test_a_tree_of_workers_that_wait_for_their_children_never_stalls() -> None:
    with local({"threads.max": 2}) as way, way.entered():
        assert way.create(Link).tree(5).ret == 63


def test_an_idle_worker_costs_no_thread(way: Way) -> None:
    before = threading.active_count()
    names = corps.options(env="here").create_many(200, Counter)
    assert sum(name.add().ret for name in names) == 200
    assert threading.active_count() <= before + 4


def test_threads_that_are_idle_end() -> None:
    with local({"threads.idle": 0.01, "threads.min": 1}) as way, way.entered():
        barrier = Barrier(13)
        futures = [way.create(Link).meet(barrier) for _ in range(12)]
        barrier.wait()
        for future in futures:
            future.result(timeout=20)
        pool = way.engine.pool
        with pool._all_gone:
            assert pool._all_gone.wait_for(lambda: pool._total == 1, timeout=20)


def test_no_more_threads_run_than_there_may_be() -> None:
    with local({"threads.max": 3}) as way, way.entered():
        gate = Event()
        futures = [way.create(Link).hang(gate) for _ in range(10)]
        assert way.engine.statistics()["threads"]["threads"] <= 3
        gate.set()
        for future in futures:
            future.result(timeout=20)
