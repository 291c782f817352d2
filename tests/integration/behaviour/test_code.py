"""Claims about functions and classes that no module holds, passed again and again, over every path."""

import enum
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from threading import Barrier, Thread
from typing import Any

import pytest

import corps
from corps.errors import EnvLost
from corps.testing.memory_corps import memory_corps
from tests.integration.behaviour.paths import Way


class Applier(corps.Conc):
    def __init__(self) -> None:
        self.kept: list[Any] = []

    def apply(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    def keep(self, thing: Any) -> int:
        self.kept.append(thing)
        return len(self.kept)

    def agree(self) -> bool:
        """Whether all that was kept is of the class of the first."""
        return all(isinstance(thing, type(self.kept[0])) for thing in self.kept)

    def make(self) -> Callable[[int], int]:
        return lambda n: n + 7

    def fail(self, error: Exception) -> None:
        raise error


def times(number: int) -> Callable[[int], int]:
    return lambda n: n * number


def local_class() -> Any:
    @dataclass
    class Point:
        x: int
        factor: int = 1

        def scaled(self) -> "Point":
            return Point(self.x * self.scale(), self.factor)

        def scale(self) -> int:
            return 2

    return Point


def test_a_function_that_is_passed_again_does_the_same(way: Way) -> None:
    applier = way.create(Applier)
    number = 3
    assert [applier.apply(lambda n: n * number, 5).ret for _ in range(5)] == [15] * 5
    assert [applier.apply(times(number), 5).ret for number in range(5)] == [0, 5, 10, 15, 20]
    assert [applier.make().ret(1) for _ in range(4)] == [8] * 4


def test_what_was_changed_in_between_is_what_arrives(way: Way) -> None:
    applier = way.create(Applier)
    program: dict[str, Any] = {"__name__": "made_by_hand", "factor": 1}
    exec("def scaled(n, more=0): return n * factor + more", program)
    for factor in (1, 2, 1, 3):
        program["factor"] = factor
        program["scaled"].__defaults__ = (factor,)
        for _ in range(3):
            assert applier.apply(program["scaled"], 10).ret == 10 * factor + factor


def test_a_patched_class_arrives_as_it_is(way: Way) -> None:
    applier = way.create(Applier)
    cls = local_class()

    def scaled(point: Any) -> Any:
        return point.scaled().x

    for _ in range(3):
        assert applier.apply(scaled, cls(5)).ret == 10
    for scale in (3, 4, 3):
        cls.scale = lambda self, scale=scale: scale
        for _ in range(3):
            assert applier.apply(scaled, cls(5)).ret == 5 * scale
    cls.things = []
    assert applier.apply(lambda point: point.things, cls(1)).ret == []


def test_instances_of_several_messages_are_of_one_class(way: Way) -> None:
    applier = way.create(Applier)
    cls = local_class()
    assert [applier.keep(cls(number)).ret for number in range(5)] == [1, 2, 3, 4, 5]
    assert applier.agree().ret
    for number in range(4):
        back = applier.apply(lambda point: point.scaled(), cls(number)).ret
        assert type(back) is cls
        assert back == cls(2 * number)


def test_the_class_of_what_comes_back_is_the_callers_and_untouched(way: Way) -> None:
    class Job:
        made = 0

        def __init__(self) -> None:
            Job.made += 1
            self.number = Job.made

    class Shade(enum.Enum):
        DARK = 1
        BLACK = 1  # noqa: PIE796 - an alias

        @property
        def double(self) -> int:
            return 2 * int(self.value)

    applier = way.create(Applier)
    method = Job.__init__
    for number in range(1, 5):
        back = applier.apply(lambda job: job, Job()).ret
        assert (type(back), back.number, Job.made, Job.__init__) == (Job, number, number, method)
        assert applier.apply(lambda shade: shade, Shade.BLACK).ret is Shade.DARK
        assert applier.apply(lambda shade: shade.double, Shade.DARK).ret == 2


def test_code_has_its_file_and_its_lines_where_it_runs(way: Way) -> None:
    def fail(n: int) -> float:
        return n / 0  # the line to be seen

    applier = way.create(Applier)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError) as caught:
            applier.apply(fail, 1).result()
        assert "return n / 0  # the line to be seen" in caught.value.traceback  # type: ignore[attr-defined]
        assert applier.apply(inspect.getsource, fail).ret == inspect.getsource(fail)


def test_errors_of_a_local_class_keep_it(way: Way) -> None:
    class Failure(Exception):
        pass

    applier = way.create(Applier)
    for _ in range(4):
        with pytest.raises(Failure, match="it"):
            applier.fail(Failure("it")).result()


def test_many_threads_pass_the_same_at_once(way: Way) -> None:
    appliers = [way.create(Applier) for _ in range(3)]
    cls = local_class()
    start = Barrier(8)
    wrong: list[Any] = []

    def pass_all() -> None:
        with way.entered():
            start.wait()
            for number in range(20):
                futures = [applier.apply(lambda p: p.scaled().x, cls(number)) for applier in appliers]
                wrong.extend(ret for ret in (future.ret for future in futures) if ret != 2 * number)

    threads = [Thread(target=pass_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_each_peer_gets_what_it_has_not_had() -> None:
    number = 2
    with memory_corps(3) as (one, two, three):
        first, second = (one.options(env=env.id).create(Applier) for env in (two, three))
        for _ in range(3):
            assert first.apply(lambda n: n + number, 1).ret == 3
        two.die()
        with pytest.raises(EnvLost):
            first.apply(lambda n: n + number, 1).result()
        for _ in range(3):
            assert second.apply(lambda n: n + number, 1).ret == 3
    with memory_corps(2) as (one, two):
        again = one.options(env=two.id).create(Applier)
        for _ in range(3):
            assert again.apply(lambda n: n + number, 1).ret == 3
        assert len(two.peers._peers[1].definitions._built) == 1
