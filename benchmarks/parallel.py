"""Parallel work: maps, single tasks, and joblib, in the Envs of a Corps."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import corps
from benchmarks.cases import JOBLIB, MAP_BUSY, MAP_TRIVIAL, N_PROCESSES, PARALLEL, SUBMIT, Subject
from benchmarks.timing import Effort, Measure, Works, each

ONE_PROCESS: Final = "the same in one process"


class App(corps.Corps):
    """It has Envs."""


def add(n: int) -> int:
    """Do next to nothing."""
    return n + 1


def busy(n: int) -> int:
    """Keep a core for some milliseconds."""
    return sum(number * number for number in range(20_000 + n % 2))


def whole(run: Any) -> Measure:
    """Time work as a whole, and share the time among its operations.

    Args:
        run: Does so many of them.

    Returns:
        The measure; it gives one sample.
    """

    def measure(effort: Effort) -> list[float]:
        once = each(lambda: run(effort.operations))(Effort(1, effort.seconds))
        return [sample / effort.operations for sample in once]

    return measure


def joblib_with(backend: str) -> Measure:
    """Measure the tasks of joblib, in one of its backends."""

    def run(number: int) -> Any:
        import joblib  # in the process of the subject alone

        with joblib.parallel_config(backend=backend, n_jobs=N_PROCESSES):
            return joblib.Parallel()(joblib.delayed(add)(n) for n in range(number))

    return whole(run)


@contextmanager
def ours(share: float) -> Iterator[Works]:
    """Two Envs, an executor in them, and the backend of joblib."""
    corps.register_joblib()
    with corps.boot(App, envs=N_PROCESSES), corps.Executor() as executor:
        yield {
            MAP_TRIVIAL: whole(lambda number: list(corps.map(add, range(number)))),
            MAP_BUSY: whole(lambda number: list(corps.map(busy, range(number)))),
            SUBMIT: each(lambda: executor.submit(add, 1).result()),
            JOBLIB: joblib_with("corps"),
        }


@contextmanager
def one_process(share: float) -> Iterator[Works]:
    """A loop."""
    yield {
        MAP_TRIVIAL: whole(lambda number: list(map(add, range(number)))),
        MAP_BUSY: whole(lambda number: list(map(busy, range(number)))),
    }


SUBJECTS: Final = (
    Subject(PARALLEL, ONE_PROCESS, "floor", one_process),
    Subject(PARALLEL, "corps", "corps", ours),
)
