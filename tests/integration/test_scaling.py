"""Claims about pools whose size follows their load."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import corps
from tests.integration.scaled_pools import SCALE, Application, Caller, Owner

LIMIT = 60.0  # seconds: a busy machine takes that long to boot


@pytest.fixture
def app() -> Iterator[Any]:
    with corps.boot(Application, envs=3) as app:
        yield app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where instances write down what they do."""
    folder = tmp_path / "witness"
    folder.mkdir()
    return folder


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def runs(folder: Path) -> Counter[int]:
    """How often each request has begun."""
    return Counter(int(line) for file in folder.iterdir() for line in file.read_text().split())


def state(pool: Any) -> corps.PoolState:
    return corps.pool_state(pool).result(LIMIT)


def is_least(pool: Any) -> bool:
    now = state(pool)
    return (now.up, now.starting, now.leaving) == (1, 0, 0)


@pytest.mark.parametrize(("kind", "waves"), [("workers", 3), ("inside", 2), ("corps", 1)])
def test_each_request_runs_once_while_the_pool_grows_and_shrinks(
    app: Any, folder: Path, kind: str, waves: int
) -> None:
    pool = corps.create(Owner, str(folder), kind).pool().ret
    callers = corps.options().create_many(2, Caller)
    asked: list[corps.Future[int]] = []
    stop = threading.Event()

    def trickle() -> None:  # so that requests are on their way at each step, down too
        while not stop.wait(0.03):
            asked.append(pool.work(10**6 + len(asked), 0.001))

    thread = threading.Thread(target=trickle)
    thread.start()
    number = 0
    try:
        for _ in range(waves):
            waits: list[Any] = []
            while state(pool).up < 2:
                waits = [wait for wait in waits if not wait.done() or wait.result() is None]
                if len(waits) < 4:
                    for caller in callers:
                        waits.append(caller.ask(pool, number, 20))
                        number += 20
                time.sleep(0.02)
            corps.wait_all(waits, timeout=LIMIT)
            until(lambda: is_least(pool))
    finally:
        stop.set()
        thread.join()
    answers = [future.result(LIMIT) for future in asked]
    assert answers == [10**6 + n for n in range(len(answers))]
    assert runs(folder) == Counter([*range(number), *answers])
    ended = pool.exit()
    ended.result(LIMIT)
    with pytest.raises(corps.RequestError) as gone:
        pool.work(0).result(LIMIT)
    assert gone.value.executed == "no"


def test_a_drained_pool_does_what_it_has_got(app: Any, folder: Path) -> None:
    pool = corps.create(Owner, str(folder), "workers").pool().ret
    asked = [pool.work(n) for n in range(20)]
    pool.drain().result(LIMIT)
    assert [future.result(LIMIT) for future in asked] == list(range(20))


def test_a_pool_ends_with_the_worker_that_has_it(app: Any, folder: Path) -> None:
    owner = corps.create(Owner, str(folder), "workers")
    pool = owner.pool().ret
    assert pool.work(1).result(LIMIT) == 1
    owner.exit().result(LIMIT)
    with pytest.raises(corps.WorkerGone):
        pool.work(2).result(LIMIT)


def test_instances_in_an_env_that_is_removed_are_replaced(app: Any, folder: Path) -> None:
    scale = corps.Scale(min=2, max=2, up_after=0.1)
    pool = corps.options(env="front").create(Owner, str(folder), "workers", scale).pool().ret
    gone = pool.place().result(LIMIT)
    app.remove_env(gone).result(LIMIT)
    assert all(pool.place().result(LIMIT) != gone for _ in range(20))
    until(lambda: state(pool).up == 2)


def test_a_corps_that_dies_is_replaced(app: Any, folder: Path) -> None:
    pool = corps.create(Owner, str(folder), "corps").pool().ret
    former = pool.place().result(LIMIT)
    with pytest.raises(corps.RequestError):
        pool.die().result(LIMIT)

    def is_replaced() -> bool:
        try:
            return bool(pool.place().result(LIMIT) != former)
        except corps.EnvLost:  # it was sent before the death was known here
            return False

    until(is_replaced)


def test_the_same_key_reaches_the_same_instance(app: Any, folder: Path) -> None:
    scale = corps.Scale(min=3, max=3, key="n")
    pool = corps.create(Owner, str(folder), "workers", scale).pool().ret
    for n in [*range(30)] * 2:
        pool.work(n, 0.0).result(LIMIT)
    assert len(list(folder.iterdir())) > 1
    for file in folder.iterdir():
        assert set(Counter(file.read_text().split()).values()) == {2}


def test_the_first_instances_have_to_come_up(app: Any, folder: Path) -> None:
    with pytest.raises(corps.NoSuchEnv):
        corps.options(scale=SCALE, label="gpu").create_scaled(Caller)
    with pytest.raises(corps.NoSuchEnv, match="cpu 10000"):
        corps.options(scale=corps.Scale(needs={"cpu": 10_000})).create_scaled(Caller)
    with pytest.raises(corps.LoadError):
        corps.options(scale=SCALE).boot_scaled("none.py")
    with pytest.raises(ZeroDivisionError):
        corps.options(scale=SCALE).create_scaled(_Failing)
    assert corps.options(scale=SCALE).create_scaled(Caller).ask


def test_a_pool_whose_caller_gives_up_before_it_is_there_ends(app: Any, folder: Path) -> None:
    begun = corps.options(scale=SCALE).create_scaled_nowait(
        _Slow, str(folder / "begun"), str(folder / "ended")
    )
    until((folder / "begun").exists)
    assert begun.cancel()
    until((folder / "ended").exists)


class _Slow(corps.Conc):
    def __init__(self, begun: str, ended: str) -> None:
        self._ended = ended
        Path(begun).touch()
        time.sleep(0.2)

    def cleanup(self) -> None:
        Path(self._ended).touch()


class _Failing(corps.Conc):
    def __init__(self) -> None:
        _ = 1 / 0
