"""Many requests, many threads, and races for the end of each: none is lost, none is answered twice."""

import random
import threading
from collections import Counter
from concurrent.futures import CancelledError
from typing import Any, ClassVar

import pytest

import corps
from tests.integration.behaviour.paths import booted, local

pytestmark = [pytest.mark.stress, pytest.mark.timeout(240)]

CALLS = 100_000
THREADS = 8
ENVS = 4


class Till(corps.Conc):
    """Counts what comes, from whom, and whether in order."""

    def __init__(self) -> None:
        self.count = 0
        self.last: dict[int, int] = {}

    def take(self, sender: int, number: int) -> int:
        assert self.last.get(sender, -1) < number
        self.last[sender] = number
        self.count += 1
        return number


class Racer(corps.Conc):
    """Answers in several ways, at unforeseeable times."""

    def __init__(self) -> None:
        self.begun = 0

    def quick(self, n: int) -> int:
        self.begun += 1
        return n

    def fail(self, n: int) -> int:
        self.begun += 1
        raise LookupError(n)

    async def soft(self, n: int) -> int:
        self.begun += 1
        return n


class OpenRacer(Racer):
    interleave: ClassVar[bool | int] = 3


def test_a_hundred_thousand_calls_from_eight_threads_over_four_envs_lose_none() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    app = corps.boot("tests.integration.behaviour.app", envs=ENVS)
    with app:
        tills = corps.options().create_per_env(2, Till)
        wrong: list[Any] = []

        def work(sender: int) -> None:
            order = random.Random(seed + sender)
            futures = []
            for number in range(CALLS // THREADS):
                futures.append((number, order.choice(tills).take(sender, number)))
                if len(futures) > 500:
                    collect(futures)
            collect(futures)

        def collect(futures: list[tuple[int, "corps.Future[int]"]]) -> None:
            for number, future in futures:
                if future.exception(timeout=60) is not None or future.result() != number:
                    wrong.append((number, future))
            futures.clear()

        threads = [threading.Thread(target=work, args=(sender,)) for sender in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert sum(till.count.ret for till in tills) == CALLS


@pytest.mark.parametrize("path", ["env", "unix", "ipc"])
@pytest.mark.parametrize("cls", [Racer, OpenRacer])
def test_each_request_has_one_end_whatever_races_for_it(path: str, cls: type[Racer]) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    order = random.Random(seed)
    with local() if path == "env" else booted(path) as way, way.entered():
        for _ in range(15):
            names = [way.create(cls), way.create_far(cls)]
            seen: list[corps.Future[Any]] = []
            futures = [_race(order, order.choice(names), n, seen) for n in range(200)]
            cancellers = [
                threading.Thread(target=_cancel_some, args=(random.Random(order.random()), futures))
                for _ in range(2)
            ]
            for thread in cancellers:
                thread.start()
            ends = [name.exit() for name in names if order.random() < 0.7]
            for thread in cancellers:
                thread.join()
            outcomes = Counter(_end_of(future) for future in futures)
            assert all(end.exception(timeout=30) is None for end in ends)
            assert sum(outcomes.values()) == len(futures)
            assert Counter(map(id, seen)) == Counter(map(id, futures)), "each callback is called exactly once"
            for future in futures:
                assert _end_of(future) == _end_of(future)


def _race(
    order: random.Random, name: corps.Name[Racer], n: int, seen: list["corps.Future[Any]"]
) -> "corps.Future[Any]":
    limit = order.choice([None, None, 0.0005, 0.005, 30.0])
    method = order.choice(["quick", "quick", "fail", "soft"])
    future: corps.Future[Any] = getattr(name.options(deadline=limit), method)(n)
    future.add_done_callback(seen.append)
    return future


def _cancel_some(order: random.Random, futures: list["corps.Future[Any]"]) -> None:
    for future in order.sample(futures, len(futures) // 4):
        cancelled = future.cancel()
        assert future.done()
        assert cancelled == future.cancelled()


def _end_of(future: "corps.Future[Any]") -> str:
    try:
        future.result(timeout=30)
    except (LookupError, CancelledError, corps.DeadlineExceeded, corps.WorkerGone) as error:
        return type(error).__name__
    return "value"
