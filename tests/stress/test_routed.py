"""Claims about functions in several Envs behind one Name while their processes are killed again and again."""

import os
import random
import signal
import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import pytest

import corps

pytestmark = [pytest.mark.stress, pytest.mark.timeout(240)]

KILLS = 12
EVERY = 0.4  # seconds
UNDER_WAY = 60
ASKERS = 3
OFTEN = corps.Restart(max=100, backoff=(0.01, 0.1))


def pid() -> int:
    return os.getpid()


def work(folder: str, number: int) -> int:
    """Write down that this number has begun, in a file of this process, and take a moment."""
    with (Path(folder) / str(os.getpid())).open("a") as file:
        file.write(f"{number}\n")
    time.sleep(0.002)
    return number


class App(corps.Corps):
    def __init__(self) -> None:
        self.pool = corps.options(at_once=2, restart=OFTEN).replicate_funcs(2, pid, work)

    def funcs(self) -> corps.Name[Any]:
        return self.pool


def ask(pool: Any, folder: str, first: int, stop: threading.Event, ended: list[tuple[int, str]]) -> None:
    """Keep some requests under way until it is told to stop; note how each has ended."""
    asked: deque[tuple[int, Any]] = deque()
    number = first
    while asked or not stop.is_set():
        while len(asked) < UNDER_WAY and not stop.is_set():
            asked.append((number, pool.work(folder, number)))
            number += ASKERS
        n, future = asked.popleft()
        try:
            assert future.result(60) == n
        except corps.RequestError as error:
            ended.append((n, error.executed))
        else:
            ended.append((n, "value"))


def test_many_kills_lose_nothing_that_had_not_begun_and_run_nothing_twice(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    with corps.boot(App, envs=3, config={"env_restart.max": 100}) as app:
        pool = app.funcs().ret
        places = [corps.options(env=env, restart=OFTEN).create_funcs(pid) for env in (1, 2, 3)]
        stop, ended = threading.Event(), list[tuple[int, str]]()
        askers = [
            threading.Thread(target=ask, args=(pool, str(tmp_path), number, stop, ended))
            for number in range(ASKERS)
        ]
        for asker in askers:
            asker.start()
        try:
            for _ in range(KILLS):
                time.sleep(EVERY)
                try:
                    os.kill(chance.choice(places).pid().result(20), signal.SIGKILL)
                except corps.RequestError:
                    continue  # it was just about to come back
        finally:
            stop.set()
            for asker in askers:
                asker.join()
        begun = Counter(int(n) for file in tmp_path.iterdir() for n in file.read_text().split())
        outcomes = dict(ended)
        assert len(outcomes) == len(ended)
        assert "no" not in outcomes.values()
        assert max(begun.values()) == 1
        assert {n for n, how in ended if how == "value"} <= begun.keys()
        assert sum(how != "value" for how in outcomes.values()) <= KILLS * 4  # what ran: two of two at once
