"""joblib's own tests of backends, run against the backend "corps".

They are functions that take a backend by its name, and the installed joblib has them. Left out are:

- those of one backend: pools of processes and their contexts, memory maps, dask, reuse of loky's executor;
- `test_backend_context_manager`, `test_nested_backend_context_manager`, `test_nested_backend_in_sequential`,
  `test_nested_parallelism_limit`, `test_thread_bomb_mitigation`: they want nested calls to run in threads;
- `test_parallel_unordered_generator_returns_fastest_first`: a task sleeps for half a minute;
- `test_dispatch_multiprocessing`, for its manager of multiprocessing, and `test_nested_exception_dispatch`,
  which joblib expects to fail;
- those that assert how long a call takes (`test_multiple_generator_call` and `..._managed`, `..._gc`).
"""

import importlib
import inspect
from typing import Any, Final

import pytest

import corps

pytest.importorskip("joblib.test.test_parallel")
joblib_tests: Any = importlib.import_module("joblib.test.test_parallel")

STREAMS: Final = ("generator", "generator_unordered")
CASES: Final[dict[str, list[dict[str, Any]]]] = {
    "test_simple_parallel": [{"verbose": 2, "n_jobs": 2}, {"verbose": 100, "n_jobs": -1}],
    "test_parallel_pretty_print": [{"n_jobs": 2}],
    "test_main_thread_renamed_no_warning": [{}],
    "test_parallel_as_context_manager": [{}],
    "test_parallel_timeout_success": [{}],
    "test_parallel_timeout_fail": [{}],
    "test_parallel_timeout_fail_with_generator": [{"return_as": each} for each in STREAMS],
    "test_error_in_task_iterator": [{}],
    "test_invalid_njobs": [{}],
    "test_njobs_converted_to_int": [{"n_jobs": each} for each in ("2", 2.3)],
    "test_abort_backend": [{"n_jobs": each} for each in (2, -2)],
    "test_deadlock_with_generator": [{"n_jobs": 2, "return_as": each} for each in STREAMS],
    "test_multiple_generator_call_separated": [
        {"n_jobs": 2, "return_as_1": one, "return_as_2": two} for one in STREAMS for two in STREAMS
    ],
}


class App(corps.Corps):
    """It has Envs."""


@pytest.mark.filterwarnings("default")  # joblib warns of generators that its tests leave before their end
@pytest.mark.parametrize(
    ("name", "given"),
    [(name, given) for name, several in CASES.items() for given in several],
    ids=lambda each: each if isinstance(each, str) else "-".join(map(str, each.values())),
)
def test_the_backend_passes(name: str, given: dict[str, Any], request: pytest.FixtureRequest) -> None:
    corps.register_joblib()
    test = getattr(joblib_tests, name)
    fixtures = inspect.signature(test).parameters.keys() - given.keys() - {"backend"}
    with corps.boot(App, envs=2):
        test(backend="corps", **given, **{each: request.getfixturevalue(each) for each in fixtures})
