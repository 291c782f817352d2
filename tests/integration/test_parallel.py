"""`corps.map` and its kind, in one Env and over two."""

import asyncio
import itertools
import operator
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import corps


class App(corps.Corps):
    """It has Envs."""


class Scorer(corps.Conc):
    def score(self, text: str) -> int:
        return len(text)

    def add(self, a: int, b: int) -> int:
        return a + b


class Lock(Exception):
    """It cannot be packed as it is."""

    def __init__(self, text: str) -> None:
        super().__init__(text, threading.Lock())


def square(n: int) -> int:
    return n * n


async def later(n: int) -> int:
    await asyncio.sleep(0)
    return n + 1


def reciprocal(n: int) -> float:
    return 1 / n


def raise_lock(n: int) -> int:
    if n == 3:
        raise Lock("three")
    return n


def end_iteration(n: int) -> Any:
    if n == 3:
        raise StopIteration
    return n


@pytest.fixture(scope="module", params=["one Env", "two Envs"])
def booted(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "one Env":
        yield None
        return
    with corps.boot(App, envs=2) as app:
        # Links, journals and threads are there before the leak check looks.
        assert list(corps.map(square, range(100))) == [n * n for n in range(100)]
        for name in corps.options().create_per_env(1, Scorer):
            corps.watch(name)
            name.exit().result()
        yield app


@pytest.fixture
def place(booted: Any) -> Iterator[Any]:
    if booted is None:
        with corps.env() as env:
            yield env
    else:
        yield booted


def test_the_results_come_in_the_order_of_the_items(place: Any) -> None:
    assert list(corps.map(square, range(1000))) == [n * n for n in range(1000)]


def test_lambdas_builtins_and_several_iterables_are_taken(place: Any) -> None:
    factor = 3
    assert list(corps.map(lambda n: n * factor, range(10))) == list(range(0, 30, 3))
    assert list(corps.map(operator.add, range(10), itertools.count(5))) == list(range(5, 25, 2))
    assert list(corps.starmap(pow, [(2, 3), (3, 2)])) == [8, 9]
    assert list(corps.map(str, [])) == []


def test_without_order_all_results_come(place: Any) -> None:
    assert sorted(corps.imap_unordered(square, range(500))) == [n * n for n in range(500)]
    assert sorted(corps.map(square, range(500), ordered=False, chunk=7)) == [n * n for n in range(500)]


def test_an_endless_iterable_is_drawn_as_it_is_needed(place: Any) -> None:
    drawn = itertools.count()
    with corps.map(square, drawn, chunk=10, at_once=2) as results:
        assert list(itertools.islice(results, 15)) == [n * n for n in range(15)]
    assert next(drawn) <= 10 * (2 + 2 * 8)  # what was given, and two windows


def test_the_first_error_comes_in_its_place_and_ends_the_iteration(place: Any) -> None:
    results = corps.map(reciprocal, [1, 2, 0, 4], chunk=2)
    assert [next(results), next(results)] == [1.0, 0.5]
    with pytest.raises(ZeroDivisionError) as raised:
        next(results)
    assert isinstance(raised.value, corps.RemoteError)
    assert list(results) == []


def test_errors_can_stand_in_the_place_of_results(place: Any) -> None:
    results = list(corps.map(reciprocal, [1, 0, 4, 0], errors="return", chunk=4))
    assert [results[0], results[2]] == [1.0, 0.25]
    assert [type(results[n]).__mro__[0].__name__ for n in (1, 3)] == ["ZeroDivisionError"] * 2
    assert isinstance(results[1], corps.RemoteError)


def test_an_error_that_cannot_be_packed_comes_as_text(place: Any) -> None:
    with pytest.raises(corps.RemoteError, match="three"):
        list(corps.map(raise_lock, range(6), chunk=6))


def test_a_function_that_raises_stop_iteration_loses_no_item(place: Any) -> None:
    results = list(corps.map(end_iteration, range(6), chunk=6, errors="return"))
    assert [n for n in results if isinstance(n, int)] == [0, 1, 2, 4, 5]
    assert isinstance(results[3], RuntimeError)


def test_what_the_iterable_raises_comes_out(place: Any) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(corps.map(square, items()))


def test_filter_gives_the_items_themselves(place: Any) -> None:
    assert list(corps.filter(lambda n: n % 3 == 0, range(1000))) == list(range(0, 1000, 3))
    kept: list[Any] = list(corps.filter(reciprocal, [1, 0, 2], errors="return", chunk=3))
    assert [kept[0], kept[2]] == [1, 2]
    assert isinstance(kept[1], ZeroDivisionError)


def test_reduce_keeps_the_order(place: Any) -> None:
    words = [str(n) for n in range(2000)]
    assert corps.reduce(operator.add, words, ">", chunk=10) == ">" + "".join(words)
    assert corps.reduce(operator.add, range(10_000)) == sum(range(10_000))
    assert corps.reduce(operator.sub, range(10), associative=False) == -45
    assert corps.reduce(operator.add, [], 7) == 7
    with pytest.raises(TypeError, match="empty"):
        corps.reduce(operator.add, [])


def test_methods_of_names_and_groups_are_asked(place: Any) -> None:
    words = ["a", "bb", "ccc"] * 50
    name = place.create(Scorer)
    assert list(corps.map(name.score, words)) == [1, 2, 3] * 50
    assert list(corps.starmap(name.add, [(1, 2), (3, 4)])) == [3, 7]
    group = corps.options().replicate(2, Scorer)
    assert list(corps.map(group.any.score, words)) == [1, 2, 3] * 50
    with pytest.raises(TypeError):
        list(corps.map(name.score, [1]))


def test_coroutine_functions_run_beside_each_other(place: Any) -> None:
    assert list(corps.map(later, range(300))) == list(range(1, 301))


def test_amap_gives_results_to_a_coroutine(place: Any) -> None:
    async def numbers() -> AsyncIterator[int]:
        for n in range(100):
            yield n

    async def main() -> None:
        assert [n async for n in corps.amap(square, range(100))] == [n * n for n in range(100)]
        assert [n async for n in corps.amap(later, numbers())] == list(range(1, 101))
        with pytest.raises(ZeroDivisionError):
            _ = [n async for n in corps.amap(reciprocal, [1, 0])]
        results = corps.amap(square, itertools.count())
        assert await anext(results) == 0
        await results.aclose()

    asyncio.run(main())


def test_maps_in_maps_end(place: Any) -> None:
    assert list(corps.map(lambda n: sum(corps.map(square, range(n))), range(6))) == [0, 0, 1, 5, 14, 30]


def test_bad_input_is_refused_by_name(place: Any) -> None:
    with pytest.raises(TypeError, match="wants a function"):
        corps.map(3, [1])  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="not iterable"):
        corps.map(square, 3)  # type: ignore[call-overload]
    with pytest.raises(corps.ConfigError, match="chunk=0"):
        corps.map(square, [1], chunk=0)
    with pytest.raises(corps.ConfigError, match="errors='no'"):
        corps.map(square, [1], errors="no")  # type: ignore[call-overload]


def test_no_bar_is_shown_where_stderr_is_no_terminal(place: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert list(corps.map(square, range(10), progress=True)) == [n * n for n in range(10)]
    assert capfd.readouterr() == ("", "")
