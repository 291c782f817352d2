"""Parallel work from other habits: tuples, results as they are ready, coroutines, joblib.

python examples/more_parallel.py
"""

import asyncio

import joblib

import corps


def area(width: int, height: int) -> int:
    return width * height


async def shout(word: str) -> str:
    await asyncio.sleep(0)  # what waits does not hold up the others
    return word.upper()


async def shouted() -> list[str]:
    return [word async for word in corps.amap(shout, ["a", "word", "each"])]


class Parallel(corps.Corps):
    """It has the Envs; all that follows uses them."""


if __name__ == "__main__":
    corps.register_joblib()
    with corps.boot(Parallel, envs=2):
        print("areas:", list(corps.starmap(area, [(2, 3), (4, 5)])))
        print("in any order:", sorted(corps.imap_unordered(abs, [-3, -2, -1])))
        print("coroutines:", asyncio.run(shouted()))
        with joblib.parallel_config(backend="corps", n_jobs=2):
            print("joblib:", joblib.Parallel()(joblib.delayed(area)(n, n) for n in range(5)))
