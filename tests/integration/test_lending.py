"""Claims about arrays that go to a worker through a Future: they move once, and nobody shares them."""

import asyncio
import gc
import os
import signal
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pytest

import corps
from corps.transport.unix.lending import find_lent

LIMIT: Final = 30.0
SIZE: Final = 1 << 20  # numbers: 8 MiB


class Counter:
    """Counts the bytes that an Env puts into shared memory for others."""

    def __init__(self, env: Any) -> None:
        self.size = 0
        arenas = env.peers._transport._inner._arenas
        self._place = arenas.place
        arenas.place = self._counted

    def _counted(self, buffers: Any, holder: int) -> Any:
        self.size += sum(memoryview(each).nbytes for each in buffers)
        return self._place(buffers, holder)


class Maker(corps.Conc):
    def __init__(self) -> None:
        self.kept: list[Any] = []

    def make(self, value: float, size: int = SIZE) -> Any:
        return np.full(size, value)

    def plus(self, array: Any, more: float) -> Any:
        return array + more

    def total(self, *arrays: Any) -> list[float]:
        return [float(each.sum()) for each in arrays]

    def spoil(self, array: Any) -> float:
        """Write to what came, which is ours."""
        array[:] = -1.0
        return float(array.sum())

    def keep(self, array: Any) -> None:
        self.kept.append(array)

    def sums_of_kept(self) -> list[float]:
        return [float(each.sum()) for each in self.kept]

    def same(self, one: Any, other: Any) -> bool:
        return one is other

    def count(self) -> None:
        """Count what this Env puts into shared memory from now on."""
        self.counter = Counter(self._corps_own_cell().env)

    def placed(self) -> int:
        """Return how many bytes that were."""
        return self.counter.size

    def pid(self) -> int:
        return os.getpid()


class App(corps.Corps):
    pass


@pytest.fixture
def three() -> Iterator[list[Any]]:
    with corps.boot(App, envs=3) as app:
        yield [app, *(corps.options(env=env).create(Maker) for env in (1, 2, 3))]


def test_a_chain_of_three_envs_moves_each_array_once(three: list[Any]) -> None:
    app, one, two, last = three
    ours = Counter(app._bound())
    for each in (one, two, last):
        each.count().result()
    more = two.plus(one.make(1.0), 2.0)
    assert last.total(more).result(LIMIT) == [3.0 * SIZE]
    array = 8 * SIZE
    assert [each.placed().ret for each in (one, two, last)] == [array, array, 0]
    assert ours.size == 0
    assert last.total(more.ret).result(LIMIT) == [3.0 * SIZE]  # an ordinary argument is copied
    assert ours.size == array


def test_what_was_there_before_the_call_moves_once_too(three: list[Any]) -> None:
    app, one, two, last = three
    ours = Counter(app._bound())

    async def ask() -> Any:
        return await corps.asking(two.total, made)

    made = one.make(1.0)
    while not made.done():
        pass
    assert last.total(made).result(LIMIT) == [SIZE]
    two.keep.send(made)
    assert asyncio.run(ask()) == [SIZE]
    assert two.sums_of_kept().ret == [SIZE]
    assert ours.size == 0
    assert made.ret.sum() == SIZE


def test_what_the_receiver_writes_nobody_else_sees(three: list[Any]) -> None:
    _, one, two, last = three
    made = one.make(1.0)
    assert two.spoil(made).result(LIMIT) == -SIZE
    assert last.total(made).result(LIMIT) == [SIZE]
    assert made.ret.sum() == SIZE
    assert two.spoil(made).result(LIMIT) == -SIZE
    assert made.ret.sum() == SIZE


def test_what_the_caller_writes_afterwards_the_receiver_does_not_see(three: list[Any]) -> None:
    _, one, two, last = three
    made = one.make(1.0)
    two.keep(made).result(LIMIT)
    array = made.ret
    array[:] = 7.0
    last.keep(made).result(LIMIT)  # it was opened: an ordinary argument now
    assert two.sums_of_kept().ret == [SIZE]
    assert last.sums_of_kept().ret == [7.0 * SIZE]
    array[:] = 8.0
    assert last.sums_of_kept().ret == [7.0 * SIZE]


def test_what_the_caller_does_with_the_value_while_the_call_waits_is_not_seen(three: list[Any]) -> None:
    _, one, two, last = three
    for n in range(10):
        made, other = one.make(float(n)), last.make(1.0, 10)
        total = two.total(made, other)
        made.ret[:] = -1.0
        assert total.result(LIMIT) == [n * SIZE, 10.0]


def test_memory_that_was_lent_is_not_used_for_what_comes_next(three: list[Any]) -> None:
    _, one, two, last = three
    for n in range(5):
        two.keep(one.make(float(n))).result(LIMIT)
        last.keep(one.make(float(-n))).result(LIMIT)
        gc.collect()
        assert one.make(100.0).ret.sum() == 100.0 * SIZE
    assert two.sums_of_kept().ret == [n * SIZE for n in range(5)]
    assert last.sums_of_kept().ret == [-n * SIZE for n in range(5)]


def test_what_else_goes_with_it_does_not_matter(three: list[Any]) -> None:
    _, one, two, last = three
    made = one.make(1.0)
    small = [np.full(1000, 1.0) for _ in range(30)]  # 240 kB in small frames
    assert two.total(*small, made).result(LIMIT) == [1000.0] * 30 + [SIZE]
    other = np.full(SIZE, 5.0)  # in memory of the caller: all of it is copied
    assert last.total(made, other, one.make(2.0)).result(LIMIT) == [SIZE, 5.0 * SIZE, 2.0 * SIZE]
    assert two.total(made, *small).result(LIMIT) == [SIZE] + [1000.0] * 30


def test_frames_that_are_all_small_lend_nothing() -> None:
    loans: Any = {object(): object()}
    assert find_lent(loans, [b"x"] * 3, lambda frame: len(frame) > 10, lambda: 1) is None


def test_one_future_in_two_places_is_one_object(three: list[Any]) -> None:
    _, one, two, _ = three
    made = one.make(1.0)
    assert two.same(made, made).result(LIMIT)
    assert two.total(made, one.make(2.0), made).result(LIMIT) == [SIZE, 2 * SIZE, SIZE]


def test_what_was_lent_outlives_the_env_that_made_it_and_the_worker_that_keeps_it_goes_on(
    three: list[Any],
) -> None:
    _, one, two, _ = three
    two.keep(one.make(1.0)).result(LIMIT)
    ended = corps.watch(one)
    os.kill(one.pid().ret, signal.SIGKILL)
    assert ended.result(LIMIT).reason == "killed"
    assert two.sums_of_kept().ret == [SIZE]


def test_a_receiver_that_keeps_very_many_goes_on(three: list[Any]) -> None:
    _, one, two, _ = three
    size = 32 * 1024
    for n in range(100):
        two.keep(one.make(float(n), size)).result(LIMIT)
    assert two.sums_of_kept().ret == [n * size for n in range(100)]


def test_many_at_once_keep_their_own_values(three: list[Any]) -> None:
    _, one, two, last = three
    size = 64 * 1024
    sums = [last.total(two.plus(one.make(float(n), size), 1.0)) for n in range(60)]
    assert [each.result(LIMIT) for each in sums] == [[(n + 1) * size] for n in range(60)]
