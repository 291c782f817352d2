"""Claims about the native core among threads: what it decides in one step, and what it leaves to Python."""

import gc
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import corps
from corps import core
from corps.launch.local import LocalEnv
from corps.runtime.calls import blocking, futures
from tests.contract.broken_lines import wait_until


class Turns(corps.Conc):
    """Says in which order its methods have run."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def hold(self, until: threading.Event) -> None:
        until.wait()

    def plain(self) -> None:
        self.ran.append("plain")

    @corps.interleave
    async def ahead(self) -> None:
        self.ran.append("ahead")

    def order(self) -> list[str]:
        return self.ran


class Worker(corps.Conc):
    """Does as little as a worker can."""

    def wait_for(self, begun: threading.Event, event: threading.Event) -> None:
        begun.set()
        event.wait()

    def same(self, number: int) -> int:
        return number

    def asks(self, other: "corps.Name[Worker]", times: int, seconds: float | None) -> int:
        return sum(other.same(1).result(seconds) for _ in range(times))


@pytest.fixture
def env() -> Iterator[LocalEnv]:
    with corps.env() as opened:
        yield opened


def in_a_thread(function: Any) -> None:
    """Call a function in a thread of the author's, and raise here what it raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for error in raised:
        raise error


def all_are_idle(threads: Mapping[str, float]) -> bool:
    return threads["ready"] == 0 < threads["idle"] == threads["threads"]


def test_a_wait_with_a_limit_is_one_wait(env: LocalEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = env.create(Worker)
    begun, go_on = threading.Event(), threading.Event()
    future = worker.wait_for(begun, go_on)
    assert begun.wait(30)  # until then it may be on its way from the main thread
    waits: list[float | None] = []

    def counted(waited: Any, subscribe: Any, timeout: float | None) -> bool:
        waits.append(timeout)
        return block_until(waited, subscribe, timeout)

    block_until = blocking.block_until
    monkeypatch.setattr(futures, "block_until", counted)

    def wait() -> None:
        with pytest.raises(corps.WaitTimeout, match=r"no answer from 'wait_for' of .* within 0.01 s"):
            future.result(0.01)

    try:
        in_a_thread(wait)
    finally:
        go_on.set()
    assert waits == ([0.01] if core.name == "pure" else [])


def test_what_interleaves_overtakes_also_where_nothing_is_under_way(env: LocalEnv) -> None:
    worker = env.create(Turns)
    go_on = threading.Event()
    holding = worker.hold(go_on)

    def ask() -> None:
        worker.plain()
        worker.ahead.send()
        worker.plain()
        worker.ahead()

    in_a_thread(ask)
    go_on.set()
    holding.result(30)
    assert worker.order().result(30) == ["ahead", "ahead", "plain", "plain"]


@pytest.mark.parametrize("nth", range(1, 7))
def test_a_garbage_collection_may_take_the_last_idle_thread(nth: int) -> None:
    """The main thread asks, and what a collection calls meanwhile asks first."""
    with corps.env(threads=1) as env:
        worker, other = env.create(Worker), env.create(Worker)
        in_a_thread(lambda: worker.same(0).result(30))  # starts a thread of the pool
        wait_until(lambda: all_are_idle(env.statistics()["threads"]))
        seen = 0
        others: list[corps.Future[int]] = []

        def collected(phase: str, _: object) -> None:
            nonlocal seen
            if phase == "start":
                seen += 1
                if seen == nth:
                    others.append(other.same(1))

        before = gc.get_threshold()
        gc.callbacks.append(collected)
        gc.set_threshold(1)
        try:
            mine = [worker.same(n) for n in range(3)]
        finally:
            gc.set_threshold(*before)
            gc.callbacks.remove(collected)
        assert [future.result(30) for future in mine] == [0, 1, 2]
        assert [future.result(30) for future in others] in ([], [1])


@pytest.mark.parametrize("spin", [0.0, 0.0002, 0.01])
def test_no_waking_is_lost_whether_threads_look_at_their_gates_or_sleep_there(spin: float) -> None:
    with corps.env(config={"spin": spin}) as env:
        workers = [env.create(Worker) for _ in range(4)]
        # The first ones keep threads in waits with and without a limit, while others call the same workers.
        sums = [workers[n].asks(workers[n + 2], 300, seconds) for n, seconds in enumerate((30.0, None))]

        def ask() -> None:
            for n in range(200):
                assert workers[2 + n % 2].same(n).result(30) == n

        threads = [threading.Thread(target=in_a_thread, args=(ask,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for n in range(200):
            assert workers[3].same(n).ret == n
        for thread in threads:
            thread.join()
        assert [each.result(30) for each in sums] == [300, 300]


def test_a_wait_with_a_limit_ends_also_while_its_thread_looks() -> None:
    with corps.env(config={"spin": 0.01}) as env:
        begun, event = threading.Event(), threading.Event()
        worker = env.create(Worker)
        waited = worker.wait_for(begun, event)
        begun.wait()
        with pytest.raises(corps.WaitTimeout):
            waited.result(0.001)
        with pytest.raises(corps.WaitTimeout):
            env.create(Worker).asks(worker, 1, 0.001).result(30)
        event.set()
        assert waited.result(30) is None
