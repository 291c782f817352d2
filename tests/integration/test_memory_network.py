"""Claims about Envs that are joined in memory: what the network does, and that all Futures are settled."""

from threading import Barrier, Event, Thread
from typing import Any

import pytest

import corps
from corps.errors import DeadlineExceeded, EnvLost, Overloaded
from corps.runtime.calls.futures import Future
from corps.settings import Settings, Window
from corps.testing.memory_corps import memory_corps
from corps.testing.network import MemoryNetwork


class Notes(corps.Conc):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def note(self, what: Any) -> Any:
        self.seen.append(what)
        return what

    def notes(self) -> list[Any]:
        return self.seen


class Gate(corps.Conc):
    """Holds its first caller until the test opens it."""

    entered = Event()
    opened = Event()

    def pass_through(self) -> str:
        Gate.entered.set()
        Gate.opened.wait()
        return "through"

    async def forever(self) -> None:
        Gate.entered.set()
        await Future[None]()


@pytest.fixture(autouse=True)
def closed_gate() -> None:
    Gate.entered.clear()
    Gate.opened.clear()


def test_what_is_passed_is_copied() -> None:
    with memory_corps(2) as (one, two):
        notes = one.options(env=two.id).create(Notes)
        mine = [1, bytearray(200_000)]
        notes.note.send(mine)
        mine.append(2)
        assert notes.notes().ret == [[1, bytearray(200_000)]]


def test_workers_are_created_in_all_envs_in_turn() -> None:
    with memory_corps(3) as (one, _, three):
        names = one.options().create_many(6, Notes)
        assert [name._addr.env for name in names] == [1, 2, 3, 1, 2, 3]
        assert three.name(names[0]).note(1).ret == 1


def test_a_line_that_is_cut_keeps_what_is_sent_until_it_is_healed() -> None:
    network = MemoryNetwork()
    with memory_corps(3, network=network) as (one, two, three):
        notes = one.options(env=two.id).create(Notes)
        network.cut(one.id, two.id)
        held = [notes.note(number) for number in range(10)]
        assert three.name(notes).note("from three").ret == "from three"
        assert three.name(notes).notes().ret == ["from three"]
        assert not any(future.done() for future in held)
        network.heal(one.id, two.id)
        assert [future.ret for future in held] == list(range(10))
        assert notes.notes().ret == ["from three", *range(10)]


def test_outcomes_are_kept_by_a_cut_line_too() -> None:
    network = MemoryNetwork()
    with memory_corps(2, network=network) as (one, two):
        gate = one.options(env=two.id).create(Gate)
        future = gate.pass_through()
        Gate.entered.wait()
        network.cut(one.id, two.id)
        Gate.opened.set()
        assert two.name(gate).my_tag().ret == ""  # the outcome has been sent
        assert not future.done()
        network.heal(one.id, two.id)
        assert future.ret == "through"


def test_dropped_messages_are_gone_and_nothing_else() -> None:
    network = MemoryNetwork()
    with memory_corps(2, network=network) as (one, two):
        notes = one.options(env=two.id).create(Notes)
        network.drop_next(one.id, two.id, 2)
        lost = [notes.note(1), notes.note(2)]
        assert notes.note(3).ret == 3
        assert notes.notes().ret == [3]
        two.die()
        for future in lost:
            error = future.exception()
            assert isinstance(error, EnvLost)
            assert error.executed == "unknown"


def test_a_delay_does_not_change_the_order() -> None:
    network = MemoryNetwork()
    with memory_corps(2, network=network) as (one, two):
        notes = one.options(env=two.id).create(Notes)
        network.delay(one.id, two.id, 0.02)
        notes.note.send("slow")
        network.delay(one.id, two.id, 0.0)
        notes.note.send("quick")
        assert notes.notes().ret == ["slow", "quick"]


def test_an_env_that_dies_settles_every_request_there_and_leads_to_nothing() -> None:
    with memory_corps(3) as (one, two, three):
        gate = one.options(env=two.id).create(Gate)
        futures = [gate.pass_through() for _ in range(10)]
        Gate.entered.wait()
        dying = Thread(target=two.die)
        dying.start()
        for future in futures:
            assert isinstance(future.exception(), EnvLost)
        Gate.opened.set()
        dying.join()
        for place in (one, three):
            error = place.name(gate).pass_through().exception()
            assert isinstance(error, EnvLost)
            assert error.executed == "no"


def test_a_cancelled_coroutine_in_another_env_is_cancelled_there() -> None:
    with memory_corps(2) as (one, two):
        gate = one.options(env=two.id).create(Gate)
        future = gate.forever()
        Gate.entered.wait()
        assert future.cancel()
        Gate.opened.set()
        assert gate.pass_through().ret == "through"  # it does not interleave: so the coroutine has ended


def test_cancelled_requests_do_not_make_the_window_wider() -> None:
    settings = Settings(window=Window(requests=4))
    network = MemoryNetwork()
    with memory_corps(2, network=network, settings=settings) as (one, two):
        notes = one.options(env=two.id).create(Notes)
        network.cut(one.id, two.id)
        for number in range(4):
            notes.note(number).cancel()
        with pytest.raises((Overloaded, DeadlineExceeded)) as caught:
            notes.options(deadline=0.02).note("one more").result()
        assert caught.value.executed == "no"
        network.heal(one.id, two.id)
        assert "one more" not in notes.notes().ret


@pytest.mark.parametrize("seed", range(5))
def test_whatever_dies_when_every_future_is_settled_once(seed: int) -> None:
    threads, each = 4, 50
    settings = Settings(window=Window(requests=8))
    with memory_corps(2, settings=settings) as (one, two):
        names = [one.options(env=two.id).create(Notes) for _ in range(2)]
        barrier = Barrier(threads + 1)
        settled: list[int] = []
        futures: list[list[Future[Any]]] = [[] for _ in range(threads)]

        def ask(thread: int) -> None:
            barrier.wait()
            for number in range(each):
                future = names[number % 2].note(number)
                future.add_done_callback(lambda _: settled.append(1))
                futures[thread].append(future)
                if number % 7 == thread:
                    future.cancel()

        workers = [Thread(target=ask, args=(thread,)) for thread in range(threads)]
        for worker in workers:
            worker.start()
        barrier.wait()
        for _ in range(seed * 20):
            names[0].note.send("and more")
        two.die()
        for worker in workers:
            worker.join()
        corps.wait_all([future for mine in futures for future in mine], timeout=30)
        assert sum(map(len, futures)) == threads * each
        assert len(settled) == threads * each
        assert one.peers.statistics() == {}
