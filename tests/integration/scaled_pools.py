"""Pools whose size follows their load, for tests. Their instances write down what they do."""

import os
import time
from pathlib import Path
from typing import Any

import corps

SCALE = corps.Scale(min=1, max=3, target_queue=3, up_after=0.1, down_after=0.1, cooldown=0.05)

INSTANCE = """
import os, time
import corps

class Instance(corps.Corps):
    def __init__(self, folder):
        self.file = os.path.join(folder, str(os.getpid()))

    def work(self, n, seconds=0.02):
        with open(self.file, "a") as file:
            file.write(f"{n}\\n")
        time.sleep(seconds)
        return n

    def place(self):
        return os.getpid()

    def die(self):
        os.kill(os.getpid(), 9)
"""


class Worker(corps.Conc):
    """Writes down each request that it begins."""

    def __init__(self, folder: str) -> None:
        self._file = Path(folder) / f"{os.getpid()}-{id(self)}"

    def work(self, n: int, seconds: float = 0.02) -> int:
        with self._file.open("a") as file:
            file.write(f"{n}\n")
        time.sleep(seconds)
        return n

    def place(self) -> int:
        return self.my_env()

    def fail(self) -> None:
        raise corps.Fail("planted")


class Caller(corps.Conc):
    """Asks a pool from another Env."""

    def ask(self, pool: Any, first: int, count: int) -> list[int]:
        answers: list[int] = corps.gather(*[pool.work(first + n) for n in range(count)]).ret
        return answers


class Owner(corps.Conc):
    """Has a pool."""

    def __init__(self, folder: str, kind: str, scale: corps.Scale = SCALE) -> None:
        options = corps.options(scale=scale)
        if kind == "workers":
            self._pool: Any = options.create_scaled(Worker, folder)
        else:
            path = Path(folder).parent / "instance.py"
            path.write_text(INSTANCE)
            envs = 0 if kind == "inside" else 1
            self._pool = options.boot_scaled(path, folder, envs=envs)

    def pool(self) -> Any:
        return self._pool


class Application(corps.Corps):
    """Only boots."""
