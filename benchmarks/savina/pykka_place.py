"""Pykka as a place for the benchmarks. A program runs in the main thread; an actor has a thread."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pykka

from benchmarks.savina.problem import Problem, Size
from benchmarks.savina.suite import works
from benchmarks.timing import Works


def _play(problem: Problem, size: Size) -> Any:
    return importlib.import_module(f"benchmarks.savina.{problem.folder}.on_pykka").run(**size)


@contextmanager
def in_one_process(share: float) -> Iterator[Works]:
    """Actors in this process."""
    try:
        yield works(_play, pykka.ActorRegistry.stop_all, share)
    finally:
        pykka.ActorRegistry.stop_all()
