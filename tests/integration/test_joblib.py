"""joblib's `Parallel` on the backend "corps"."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import joblib
import pytest

import corps

SKLEARN: Final = "INSTALL_SKLEARN"
GRID: Final = """
import corps, joblib
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC
corps.register_joblib()
x, y = load_iris(return_X_y=True)
grid = {"C": [0.1, 1, 10], "kernel": ["linear", "rbf"]}
alone = GridSearchCV(SVC(), grid).fit(x, y)
with joblib.parallel_config(backend="corps", n_jobs=2):
    together = GridSearchCV(SVC(), grid).fit(x, y)
assert together.best_params_ == alone.best_params_
assert list(together.cv_results_["mean_test_score"]) == list(alone.cv_results_["mean_test_score"])
"""


class App(corps.Corps):
    """It has Envs."""


def square(n: int) -> int:
    return n * n


def process(_: int) -> int:
    return os.getpid()


def nested(n: int) -> int:
    return sum(joblib.Parallel(n_jobs=2)(joblib.delayed(square)(each) for each in range(n)))


def reciprocal(n: int) -> float:
    return 1 / n


@pytest.fixture(params=["two Envs", "its own", "one Env"])
def parallel(request: pytest.FixtureRequest) -> Iterator[Any]:
    corps.register_joblib()
    with joblib.parallel_config(backend="corps", n_jobs=2):
        if request.param == "its own":
            yield joblib.Parallel()
            return
        with corps.boot(App, envs=2) if request.param == "two Envs" else corps.env():
            yield joblib.Parallel()


def test_results_come_in_the_order_of_the_calls(parallel: Any) -> None:
    for _ in range(2):
        assert parallel(joblib.delayed(square)(n) for n in range(300)) == [n * n for n in range(300)]
    assert parallel(joblib.delayed(lambda n: n + 1)(n) for n in range(3)) == [1, 2, 3]


def test_nested_calls_end(parallel: Any) -> None:
    assert parallel(joblib.delayed(nested)(n) for n in range(6)) == [0, 0, 1, 5, 14, 30]


def test_an_error_ends_the_call_and_the_next_one_works(parallel: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        parallel(joblib.delayed(reciprocal)(n) for n in (1, 0, 2))
    assert parallel(joblib.delayed(reciprocal)(n) for n in (1, 2)) == [1.0, 0.5]


def test_workers_are_kept_in_a_with_block(parallel: Any) -> None:
    with parallel as kept:
        first = {*kept(joblib.delayed(process)(n) for n in range(8))}
        assert first & {*kept(joblib.delayed(process)(n) for n in range(8))}


def test_results_can_be_generated() -> None:
    corps.register_joblib()
    with corps.boot(App, envs=2), joblib.parallel_config(backend="corps", n_jobs=2):
        results = joblib.Parallel(return_as="generator")(joblib.delayed(square)(n) for n in range(20))
        assert list(results) == [n * n for n in range(20)]


def test_numbers_of_jobs_mean_what_they_mean_to_joblib() -> None:
    corps.register_joblib()
    with corps.boot(App, envs=2), joblib.parallel_config(backend="corps"):
        assert joblib.effective_n_jobs(-1) == 2
        assert joblib.effective_n_jobs(-2) == 1
        assert joblib.effective_n_jobs(5) == 5
        assert joblib.Parallel(n_jobs=1)(joblib.delayed(process)(n) for n in range(2)) == [os.getpid()] * 2
        with pytest.raises(ValueError, match="n_jobs == 0"):
            joblib.Parallel(n_jobs=0)(joblib.delayed(square)(n) for n in range(2))


@pytest.mark.skipif(SKLEARN not in os.environ, reason=f"it installs scikit-learn; set {SKLEARN}=1 to run it")
@pytest.mark.timeout(600)
def test_a_grid_search_finds_the_same_on_the_backend(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tmp_path), "scikit-learn"]
    subprocess.run(pip, check=True)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", GRID],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
