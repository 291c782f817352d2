"""``python -m benchmarks.parallel``: parallel work beside its peers, interleaved, the best of some rounds."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any, Final

import corps

TRIVIAL: Final = 100_000
CHUNKS: Final = (500, 2_000, 10_000, 50_000)
BUSY: Final = 400
SUBMITS: Final = 1_000
TASKS: Final = 1_000
ROUNDS: Final = 5


class App(corps.Corps):
    """It has Envs."""


def add(n: int) -> int:
    """Do next to nothing."""
    return n + 1


def busy(n: int) -> int:
    """Keep a core for some milliseconds."""
    return sum(each * each for each in range(20_000 + n % 2))


def seconds(work: Callable[[], Any]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def round_trip(executor: Executor) -> Callable[[], float]:
    """The median time of submit and result together, in microseconds."""

    def measure() -> float:
        return 1e6 * statistics.median(
            seconds(lambda: executor.submit(add, 1).result()) for _ in range(SUBMITS)
        )

    return measure


def joblib_with(backend: str) -> float:
    """How long 1000 small tasks take."""
    import joblib

    with joblib.parallel_config(backend=backend, n_jobs=2):
        return seconds(lambda: joblib.Parallel()(joblib.delayed(add)(n) for n in range(TASKS)))


def main() -> None:
    """Measure, and print a table."""
    corps.register_joblib()
    with ProcessPoolExecutor(2) as pool, corps.boot(App, envs=2), corps.Executor() as executor:
        works: dict[str, Callable[[], float]] = {
            "map of 100 000 trivial calls, corps [s]": lambda: seconds(
                lambda: list(corps.map(add, range(TRIVIAL)))
            ),
            **{
                f"the same, ProcessPoolExecutor(chunksize={size}) [s]": lambda size=size: seconds(  # type: ignore[misc]
                    lambda: list(pool.map(add, range(TRIVIAL), chunksize=size))
                )
                for size in CHUNKS
            },
            "the same for 5 000 calls, ProcessPoolExecutor(chunksize=1), times 20 [s]": lambda: (
                20 * seconds(lambda: list(pool.map(add, range(TRIVIAL // 20))))
            ),
            "CPU-bound map over 2 Envs, corps [s]": lambda: seconds(
                lambda: list(corps.map(busy, range(BUSY)))
            ),
            "the same in one process [s]": lambda: seconds(lambda: list(map(busy, range(BUSY)))),
            "the same, ProcessPoolExecutor(chunksize=8) [s]": lambda: seconds(
                lambda: list(pool.map(busy, range(BUSY), chunksize=8))
            ),
            "submit and result, corps.Executor [us]": round_trip(executor),
            "submit and result, ProcessPoolExecutor [us]": round_trip(pool),
            "1 000 tasks of joblib, corps [s]": lambda: joblib_with("corps"),
            "the same, loky [s]": lambda: joblib_with("loky"),
        }
        for work in works.values():
            work()
        best = dict.fromkeys(works, float("inf"))
        for _ in range(ROUNDS):
            for name, work in works.items():
                best[name] = min(best[name], work())
        for name, value in best.items():
            print(f"{value:12.4g}  {name}")


if __name__ == "__main__":
    main()
