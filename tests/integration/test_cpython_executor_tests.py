"""CPython's own tests of executors, run against `corps.Executor`, where the installed Python has them.

They are classes that take the executor from a mixin. What is left out, and why, is in `LEFT_OUT`.
"""

import importlib
import unittest
from typing import Any, Final

import pytest

import corps

executor_tests: Any = pytest.importorskip("test.test_concurrent_futures.executor")
util: Any = importlib.import_module("test.test_concurrent_futures.util")

LEFT_OUT: Final = {
    "test_interpreter_shutdown": "names the executor's class in a script that imports concurrent.futures",
    "test_submit_after_interpreter_shutdown": "the same",
    "test_hang_gh83386": "the same",
}


class Adapted(corps.Executor):
    """It takes the arguments that the tests give."""

    def __init__(self, max_workers: int | None = None, **options: Any) -> None:
        super().__init__(max_workers, **options)


class OfCorps(util.ExecutorMixin):  # type: ignore[misc]
    """What the tests ask of their mixin."""

    executor_type = Adapted
    worker_count = 2
    is_ready_before = True

    def setUp(self) -> None:
        """Boot before the test, some of which count seconds."""
        super().setUp()
        if self.is_ready_before:
            self.executor.submit(int).result()


def cases() -> list[Any]:
    found = []
    for module, names in {
        "executor": ["ExecutorTest"],
        "test_shutdown": ["ExecutorShutdownTest"],
        "test_wait": ["WaitTests"],
        "test_as_completed": ["AsCompletedTests"],
        "test_init": ["InitializerMixin", "FailingInitializerMixin"],
    }.items():
        loaded = importlib.import_module(f"test.test_concurrent_futures.{module}")
        for name in names:
            tests = getattr(loaded, name)
            bases = (tests, OfCorps, unittest.TestCase)
            if name.endswith("InitializerMixin"):  # it derives from the mixin itself
                own = {"is_ready_before": False}
                bases = (type(name, (tests, OfCorps), own), unittest.TestCase)  # type: ignore[assignment]
            case: Any = type(name, bases, {"__module__": __name__})
            for method in unittest.TestLoader().getTestCaseNames(case):
                marks = [pytest.mark.skip(reason=LEFT_OUT[method])] if method in LEFT_OUT else []
                found.append(pytest.param(case, method, id=f"{name}-{method}", marks=marks))
    return found


@pytest.mark.parametrize(("case", "method"), cases())
def test_corps_executor_passes(case: Any, method: str) -> None:
    result = unittest.TestResult()
    case(method).run(result)
    assert [text for _, text in [*result.errors, *result.failures]] == []
