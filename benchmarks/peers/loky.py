"""What joblib does by default: processes of loky."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.cases import JOBLIB
from benchmarks.parallel import joblib_with
from benchmarks.timing import Works


@contextmanager
def tasks(share: float) -> Iterator[Works]:
    """Small tasks."""
    yield {JOBLIB: joblib_with("loky")}
