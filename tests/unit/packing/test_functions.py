"""Claims about functions by value: names of files, shared variables, what they read."""

import colorsys
import gc
import inspect
import sys
import traceback
import weakref
import xml.dom.minidom
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest

from corps.packing import picklers
from corps.packing.packer import Packer
from tests.unit.packing.lines import Line, closing_over, with_globals

CODECS = pytest.mark.parametrize("codec", ["pickle", "dill"])
LIMIT = 5
TEN_TIMES = 10


@CODECS
def test_code_keeps_its_file_and_its_lines(codec: str) -> None:
    def fail(n: int) -> float:
        return 1 / n  # the line to be seen

    class Local:
        def method(self) -> str:
            return "text"

    line = Line(codec=codec)
    for _ in range(3):
        there, cls = line.send((fail, Local))
        for copy, original in ((there, fail), (cls.method, Local.method), (line.send_back(there), fail)):
            assert copy.__code__.co_filename == __file__
            assert list(copy.__code__.co_lines()) == list(original.__code__.co_lines())
            assert inspect.getsource(copy) == inspect.getsource(original)
        try:
            there(0)
        except ZeroDivisionError:
            assert "return 1 / n  # the line to be seen" in traceback.format_exc()


@CODECS
def test_functions_around_one_variable_share_it(codec: str) -> None:
    def outer() -> tuple[Callable[[], int], Callable[[], int]]:
        count = 0

        def up() -> int:
            nonlocal count
            count += 1
            return count

        return up, lambda: count

    up, read = Line(codec=codec).send(outer())
    assert (up(), up(), read()) == (1, 2, 2)


@CODECS
def test_functions_that_refer_to_themselves_and_each_other_arrive(codec: str) -> None:
    def even(n: int) -> bool:
        return n == 0 or odd(n - 1)

    def odd(n: int) -> bool:
        return n != 0 and even(n - 1)

    there = Line(codec=codec).send(even)
    assert [there(n) for n in range(4)] == [True, False, True, False]


@CODECS
def test_what_is_set_on_a_function_arrives(codec: str) -> None:
    def function(a: "int", /, b: list[int] = [1], *, c: int = 3) -> dict[str, int]:  # noqa: B006
        """What it does."""
        return {"a": a + b[0] + c}

    function.mark = [1]  # type: ignore[attr-defined]
    line = Line(codec=codec)
    for _ in range(3):
        there = line.send(function)
        assert there(1) == {"a": 5}
        assert inspect.signature(there) == inspect.signature(function)
        for name in (
            "__name__",
            "__qualname__",
            "__module__",
            "__doc__",
            "__annotations__",
            "__kwdefaults__",
        ):
            assert getattr(there, name) == getattr(function, name)
        assert there.mark == [1]


def test_a_renamed_function_keeps_its_other_name() -> None:
    function = closing_over(1)
    function.__name__, function.__qualname__, function.__module__, function.__doc__ = "a", "b.a", "m", "d"
    there = Line().send(function)
    assert (there.__name__, there.__qualname__, there.__module__, there.__doc__) == ("a", "b.a", "m", "d")


def test_a_class_inside_a_function_reads_globals_too() -> None:
    function = with_globals("def f():\n class Inner:\n  limit = value\n return Inner.limit", value=7)
    assert Line().send(function)() == 7


def test_an_empty_variable_stays_empty() -> None:
    def outer() -> Callable[[], int]:
        if TEN_TIMES < 0:
            value = 1
        return lambda: value

    with pytest.raises(NameError):
        Line().send(outer())()


def test_submodules_that_code_reaches_through_their_package_are_imported_there() -> None:
    function = with_globals("def f(): return xml.dom.minidom.Document", xml=xml)
    body = Packer().pack(function).body
    assert b"xml.dom.minidom" in body
    assert Line().send(function)() is xml.dom.minidom.Document


def test_code_is_one_object_in_each_process_and_comes_back_as_itself() -> None:
    line = Line()
    function = closing_over(1)
    there, again = line.send(function), line.send(closing_over(2))
    assert there.__code__ is again.__code__ is not function.__code__
    assert line.send_back(there).__code__ is function.__code__


def test_code_inside_of_other_code_is_the_same_object_as_by_itself() -> None:
    def outer() -> Callable[[], int]:
        return lambda: 1

    line = Line()
    inner = line.send(outer())
    assert any(inner.__code__ is each for each in line.send(outer).__code__.co_consts)


def test_code_lives_no_longer_than_its_functions() -> None:
    sender, reader = Packer(), Packer()
    there = weakref.ref(reader.unpack(sender.pack(closing_over(1))).__code__)
    gc.collect()
    assert there() is None


def test_a_large_tuple_in_a_closure_costs_what_a_list_does() -> None:
    steps: list[int] = []
    for values in ([*range(1000)], tuple(range(1000)), frozenset(range(1000))):
        assert Line().both_ways(closing_over(values))() == values
        calls = 0

        def count(*_: Any) -> None:
            nonlocal calls
            calls += 1

        packer, function = Packer(), closing_over(values)
        sys.setprofile(count)
        try:
            packer.pack(function)
        finally:
            sys.setprofile(None)
        steps.append(calls)
    assert max(steps) < 2 * min(steps)


def test_what_is_registered_goes_by_value() -> None:
    packer, other = Packer(), Packer()
    original = colorsys.rgb_to_hsv
    assert other.unpack(packer.pack(original)) is original
    cloudpickle.register_pickle_by_value(colorsys)
    try:
        copy = other.unpack(packer.pack(original))
        assert copy is not original
        assert copy(1, 2, 3) == original(1, 2, 3)
    finally:
        cloudpickle.unregister_pickle_by_value(colorsys)


def test_the_registry_is_asked_in_public_where_it_has_no_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert picklers._REGISTERED is not None  # a private name of cloudpickle: faster, and not needed
    monkeypatch.setattr(picklers, "_REGISTERED", None)
    test_what_is_registered_goes_by_value()
