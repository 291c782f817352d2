"""corps as a place for the benchmarks: in one Env, or over two. A program runs inside of a worker."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import corps
from benchmarks.cases import SAVINA, Subject
from benchmarks.savina.problem import Problem, Size
from benchmarks.savina.suite import works
from benchmarks.timing import Works

ONE_ENV: Final = "corps, one Env"
ONE_ENV_PURE: Final = "corps, one Env, pure"
TWO_ENVS: Final = "corps, two Envs"
TWO_ENVS_PURE: Final = "corps, two Envs, pure"


class Latch(corps.Conc):
    """Has the answer when it is there."""

    def __init__(self) -> None:
        self._answer: corps.Promise[Any] = corps.Promise()

    def open(self, answer: Any) -> None:
        """Give the answer."""
        self._answer.set_result(answer)

    def wait(self) -> "corps.Promise[Any]":
        """Answer as soon as it is there."""
        return self._answer


class Conductor(corps.Conc):
    """Runs programs; what they create is below it, and ends with it."""

    def conduct(self, folder: str, size: Size) -> Any:
        """Run the program of a folder."""
        return importlib.import_module(f"benchmarks.savina.{folder}.on_corps").run(**size)


class App(corps.Corps):
    """It has Envs."""


def _works(options: corps.Options, share: float) -> Works:
    conductors: list[corps.Name[Conductor]] = []

    def play(problem: Problem, size: Size) -> Any:
        conductors.append(options.create(Conductor))
        return conductors[0].conduct(problem.folder, size).ret

    def clear() -> None:
        conductors.pop().exit().result()

    return works(play, clear, share)


@contextmanager
def in_one_env(share: float) -> Iterator[Works]:
    """All workers in one Env of this process."""
    with corps.env() as env:
        yield _works(env.options(), share)


@contextmanager
def over_two_envs(share: float) -> Iterator[Works]:
    """The workers of each program in two Envs by turns."""
    with corps.boot(App, envs=2):
        yield _works(corps.options(), share)


SUBJECTS: Final = (
    Subject(SAVINA, ONE_ENV, "corps", in_one_env),
    Subject(SAVINA, ONE_ENV_PURE, "corps", in_one_env, is_pure=True),
    Subject(SAVINA, TWO_ENVS, "corps", over_two_envs),
    Subject(SAVINA, TWO_ENVS_PURE, "corps", over_two_envs, is_pure=True),
)
