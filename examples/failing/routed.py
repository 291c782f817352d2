"""Functions in every Env behind one Name; an Env is killed, and no call is lost that had not begun.

python examples/failing/routed.py
"""

import os
import signal
import time
from typing import Any

import corps


def where() -> int:
    return os.getpid()


def work(number: int) -> int:
    time.sleep(0.005)
    return number


@corps.func
def resize(path: str, width: int) -> str:
    """An ordinary function, which can be asked too."""
    return f"{path} at {width}"


class Shop(corps.Corps):
    def __init__(self) -> None:
        self.pool = corps.options(at_once=2).replicate_funcs(1, where, work)

    def functions(self) -> corps.Name[Any]:
        return self.pool


with corps.boot(Shop, envs=3) as app:
    print(resize("a.png", 10), "-", resize.ask("a.png", 10).ret)

    pool = app.functions().ret
    processes = sorted({pool.where().ret for _ in range(60)})
    print("processes:", len(processes))
    victim = corps.options(env=2).create_funcs(where).where().ret

    futures = [pool.work(n) for n in range(200)]
    os.kill(victim, signal.SIGKILL)
    failed = [future for future in futures if future.exception() is not None]
    print("failed because they ran there:", "at most 2" if len(failed) <= 2 else len(failed))
    print("answered:", "the others" if len(failed) <= 2 else 200 - len(failed))
