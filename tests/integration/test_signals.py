"""Exceptions of signal handlers in the main thread, and callers at the end of their stack.

An exception is raised at each point of the runtime where a handler may run, in turn, and after each one
everything must answer.
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

import corps
from tests.integration.behaviour.paths import Way, booted, local
from tests.striking import strike


class Counter(corps.Conc):
    def __init__(self) -> None:
        self.value = 0

    def add(self, n: int = 1) -> int:
        self.value += n
        return self.value

    def count_up(self) -> Iterator[int]:
        yield from count(1)

    async def add_softly(self) -> int:
        return self.add()

    def down(self, levels: int) -> int:
        return self.down(levels - 1) if levels else 0

    def ask_at(self, depth: int, other: corps.Name["Counter"], levels: int = 0) -> int:
        if depth:
            return self.ask_at(depth - 1, other, levels)
        answer = other.down(levels) if levels else other.add()
        return int(answer.ret)


class Struck(BaseException):
    """What a handler raises."""


ACTS: Final[dict[str, Callable[[Any], object]]] = {
    "call": lambda counter: counter.add().ret,
    "timed": lambda counter: counter.add().result(20),
    "send": lambda counter: counter.add.send(),
    "limited": lambda counter: counter.options(deadline=20).add().ret,
    "cancel": lambda counter: counter.add().cancel(),
    "many": lambda counter: corps.wait_all([counter.add() for _ in range(3)]),
    "coroutine": lambda counter: counter.add_softly().ret,
    "attribute": lambda counter: counter.value.ret,
}


@pytest.mark.parametrize("transport", ["env", "unix"])
@pytest.mark.parametrize("what", ["strike_everywhere", "strike_iterators"])
def test_an_exception_at_any_point_of_the_main_thread_tears_nothing(what: str, transport: str) -> None:
    # In a process of its own: where a trace function raises, CPython may go on to show the exception that was
    # handled there as one that is handled still, which other tests would see.
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import {what} as s; s({transport!r})"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def strike_everywhere(transport: str) -> None:
    """Raise at every point of each act, and see whether all goes on."""
    with local() if transport == "env" else booted(transport) as way, way.entered():
        counter, other = way.create(Counter), way.create(Counter)
        for act in ACTS.values():
            point = 1
            while strike(point, lambda act=act: act(counter), Struck) is not None:  # type: ignore[misc]
                assert counter.add().result(20) > 0
                point += 1
            assert point > 10
        assert other.add().result(20) == 1
        way.engine.exit(counter._addr).result(20)  # the last one: all before it were answered
        assert not any(peer["sent"] for peer in way.engine.statistics()["peers"].values())
        errands = way.engine.errands
        assert errands is not None
        with errands._turn:  # what was just done is not posted any more
            assert not errands.posted


def strike_iterators(transport: str) -> None:
    """Raise at every point of a `next`, and see whether each item is given, once and in order."""
    with local() if transport == "env" else booted(transport) as way, way.entered():
        for prefetch, deadline in ((0, None), (3, None), (0, 20)):
            items = way.create(Counter).options(prefetch=prefetch, deadline=deadline).count_up().ret
            got: list[int] = []
            point = 1
            while strike(point, lambda: got.append(next(items)), Struck) is not None:  # noqa: B023
                got.append(next(items))
                point += 1
            assert point > 10
            assert got == list(range(1, len(got) + 1)), got
        assert way.create(Counter).options(deadline=20).add().result(20) == 1  # there are alarms still


def _at(depth: int, act: Callable[[], int]) -> int:
    return _at(depth - 1, act) if depth else act()


@pytest.mark.parametrize("transport", ["env", "unix"])
def test_a_caller_at_any_depth_of_its_stack_is_answered_or_has_asked_nothing(transport: str) -> None:
    limit = sys.getrecursionlimit()
    with local() if transport == "env" else booted(transport) as way, way.entered():
        near, far, asker = way.create(Counter), way.create_far(Counter), way.create(Counter)
        outcomes = set[str]()
        for depth in range(limit - 100, limit):
            for other in (near, far):
                error = asker.ask_at(depth, other).exception()
                assert error is None or isinstance(error, RecursionError)
                outcomes.add(type(error).__name__)
                for caller in (_in_a_thread, _here):
                    caller(lambda depth=depth, other=other: _at(depth, lambda: other.add().ret))  # type: ignore[misc]
                assert other.add().result(20) > 0
        assert len(outcomes) == 2


def _here(act: Callable[[], object]) -> None:
    try:
        act()
    except RecursionError:
        pass


def _in_a_thread(act: Callable[[], object]) -> None:
    thread = threading.Thread(target=_here, args=(act,))
    thread.start()
    thread.join()


def test_a_method_has_its_stack_whoever_waits_for_it() -> None:
    with local() as way, way.entered():
        _has_its_stack(way)
    with booted("unix") as way, way.entered():
        _has_its_stack(way)


def _has_its_stack(way: Way) -> None:
    near, far, asker = way.create(Counter), way.create_far(Counter), way.create(Counter)
    for depth in range(0, 900, 75):
        assert asker.ask_at(depth, near, 600).ret == asker.ask_at(depth, far, 600).ret == 0
        assert _at(depth, lambda: near.down(600).ret) == 0
