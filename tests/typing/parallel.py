"""What type checkers know of `corps.map` and its kind. Read by mypy with the other tests, never run."""

from concurrent.futures import Future
from typing import Any, assert_type

import corps


def half(n: int) -> float:
    return n / 2


async def later(n: int) -> str:
    return str(n)


def is_odd(n: int) -> bool:
    return n % 2 == 1


def maps() -> None:
    assert_type(corps.map(half, [1, 2]), corps.Results[float])
    assert_type(list(corps.map(half, range(3))), list[float])
    assert_type(corps.map(later, [1]), corps.Results[str])
    assert_type(corps.map(half, [1], errors="return"), corps.Results[Any])
    assert_type(corps.imap_unordered(half, [1]), corps.Results[float])
    assert_type(corps.starmap(half, [(1,)]), corps.Results[float])
    assert_type(corps.filter(is_odd, [1, 2]), corps.Results[int])
    corps.map(3, [1])  # type: ignore[call-overload]
    corps.map(half, 3)  # type: ignore[call-overload]


def executors(executor: corps.Executor) -> None:
    assert_type(executor.submit(half, 1), Future[float])
    executor.submit(half, "x")  # type: ignore[arg-type]
