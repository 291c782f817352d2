"""Claims about timers that are cancelled and set anew at any moment, here and from another Env."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import pytest

import corps
from corps.testing.memory_corps import memory_corps

SEEDS = range(6)
ROUNDS = 150


class Target(corps.Conc):
    """Counts what it was called with. It is busy for a moment now and then, so that ticks wait."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: Counter[int] = Counter()
        self._chance = random.Random(1)

    def tick(self, number: int) -> None:
        with self._lock:
            self._seen[number] += 1
        if self._chance.random() < 0.2:
            time.sleep(0.001)

    def seen(self) -> dict[int, int]:
        with self._lock:
            return dict(self._seen)


@contextmanager
def target(*, is_far: bool) -> Iterator[corps.Name[Target]]:
    if is_far:
        with memory_corps(2) as (one, two):
            yield one.options(env=two.id).create(Target)
    else:
        with corps.env() as env:
            yield env.create(Target)


@pytest.mark.parametrize("is_far", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_timer_calls_once_or_is_cancelled(seed: int, is_far: bool) -> None:
    chance = random.Random(seed)
    with target(is_far=is_far) as name:
        timers = {}
        cancelled: set[int] = set()
        for number in range(ROUNDS):
            timers[number] = corps.after(chance.random() * 0.004, name.tick, number)
            if chance.random() < 0.5:
                time.sleep(chance.random() * 0.003)
            for other in chance.sample(sorted(timers), min(2, len(timers))):
                if timers.pop(other).cancel():
                    cancelled.add(other)
        while any(timer.due is not None for timer in timers.values()):
            time.sleep(0.001)
        seen = corps.call(name, Target.seen).result(30.0)
    assert seen.keys() == set(range(ROUNDS)) - cancelled
    assert set(seen.values()) <= {1}


@pytest.mark.parametrize("is_far", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_comes_after_a_timer_that_was_cancelled(seed: int, is_far: bool) -> None:
    chance = random.Random(seed)
    with target(is_far=is_far) as name:
        for number in range(ROUNDS // 5):
            timer = corps.every(0.001, name.tick, number)
            time.sleep(chance.random() * 0.006)
            assert timer.cancel() is True
            seen = corps.call(name, Target.seen).result(30.0).get(number)
            assert corps.call(name, Target.seen).result(30.0).get(number) == seen
        before = corps.call(name, Target.seen).result(30.0)
        time.sleep(0.01)
        assert corps.call(name, Target.seen).result(30.0) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_a_key_has_one_timer_however_often_it_is_set(seed: int) -> None:
    chance = random.Random(seed)
    with target(is_far=False) as name:
        for number in range(ROUNDS):
            timer = corps.after(0.001 + chance.random() * 0.002, name.tick, number, key="k")
            time.sleep(chance.random() * 0.003)
            assert len(corps.timers()) <= 1
        while timer.due is not None:
            time.sleep(0.001)
        seen = corps.call(name, Target.seen).result(30.0)
    assert seen[ROUNDS - 1] == 1
    assert set(seen.values()) == {1}
