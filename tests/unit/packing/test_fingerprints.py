"""Claims about fingerprints: what may change has none, and whatever did change has another."""

import abc
import concurrent.futures
import functools
import sys
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any, ClassVar, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.packing.code_facts import facts_of
from corps.packing.fingerprints import Parts, Unfit, fingerprint
from corps.packing.packer import Packer
from corps.packing.references import reduce_by_reference
from tests.unit.packing.kinds import Holder, add


def taken(thing: Any) -> Parts:
    return fingerprint(thing, lambda other: reduce_by_reference(other, None) is not None).parts


def is_fit(thing: Any) -> bool:
    try:
        taken(thing)
    except Unfit:
        return False
    return True


def closing_over(value: Any) -> Callable[[], Any]:
    return lambda: value


def with_globals(source: str, **variables: Any) -> Any:
    """The function `f` of a program that has these globals."""
    variables["__name__"] = "made_by_hand"
    exec(source, variables)
    return variables["f"]


def reading(value: Any) -> Any:
    return with_globals("def f(): return value", value=value)


def make_class(**attributes: Any) -> type:
    return type("Made", (), {"__module__": "made_by_hand", **attributes})


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    ATOMS | st.frozensets(ATOMS, max_size=3), lambda inner: st.lists(inner, max_size=3).map(tuple)
)
FIT = [1, "x", None, (1, (b"", 2.5)), frozenset({1}), sys, len, int, add, Holder, lambda: 1, make_class(x=1)]
UNFIT = [
    [],
    {},
    set(),
    bytearray(),
    object(),
    ([],),
    ModuleType("by_hand"),
    [].append,
    Holder(),
    functools.partial(add, 1),
    make_class(x=[]),
    make_class(f=closing_over([])),
    frozenset({(1, 2)}),
    sys.stdout,
    type("Odd", (int,), {})(1),
]


@given(VALUES, VALUES)
def test_values_have_the_same_fingerprint_if_they_are_the_same(one: Any, other: Any) -> None:
    assert taken(closing_over(one)) == taken(closing_over(one))
    if taken(closing_over(one)) == taken(closing_over(other)):
        assert repr(one) == repr(other) or one == other


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0.0, -0.0), ((1,), (True,)), ("", b"")])
def test_equal_values_of_another_kind_are_others(one: Any, other: Any) -> None:
    assert taken(closing_over(one)) != taken(closing_over(other))
    assert taken(closing_over((one,))) != taken(closing_over((other,)))
    if not isinstance(one, tuple):
        assert taken(closing_over(frozenset({one}))) != taken(closing_over(frozenset({other})))


@pytest.mark.parametrize("place", [closing_over, reading, lambda value: make_class(attribute=value)])
def test_what_may_change_makes_unfit(place: Callable[[Any], Any]) -> None:
    for value in FIT:
        assert is_fit(place(value)), value
        assert is_fit(place((value,))) or value == frozenset({1}), value
    for value in UNFIT:
        if isinstance(value, type):
            # A class stands by itself: it is listed, and judged apart.
            assert not is_fit(value)
        else:
            assert not is_fit(place(value)), value
            assert not is_fit(place((value,))), value


def test_classes_by_value_are_listed_and_told_apart() -> None:
    one, other = make_class(), make_class()
    found = fingerprint(closing_over(one), lambda thing: False)
    assert found.classes == (one,)
    assert taken(closing_over(one)) != taken(closing_over(other))


def test_copies_that_came_back_from_elsewhere_have_the_same_fingerprint() -> None:
    packer = Packer()

    def outer(number: int, *, more: tuple[int, ...] = (1, 2)) -> Any:
        """Texts too."""
        return inner(number) if number else (more, outer)

    def inner(number: int) -> Any:
        return outer(number - 1)

    copy = packer.unpack(packer.pack(outer))
    assert copy is not outer
    assert taken(copy) == taken(outer)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: setattr(f, "__defaults__", (2,)),
        lambda f: setattr(f, "__kwdefaults__", {"key": 2}),
        lambda f: setattr(f, "__code__", (lambda n=1, *, key=1: n).__code__),
        lambda f: setattr(f, "__doc__", "another"),
        lambda f: setattr(f, "__name__", "another"),
        lambda f: setattr(f, "__qualname__", "another"),
        lambda f: setattr(f, "__module__", "another"),
        lambda f: setattr(f, "attribute", 1),
        lambda f: f.__annotations__.update(n=str),
        lambda f: f.__globals__.update(factor=3),
        lambda f: f.__globals__.pop("factor"),
        lambda f: f.__globals__["inner"].__globals__.update(factor=3),
        lambda f: setattr(f.__globals__["inner"], "__defaults__", (3,)),
        lambda f: f.__globals__.update(inner=lambda: 1),
    ],
)
def test_every_change_of_a_function_is_noticed(change: Callable[[Any], object]) -> None:
    function = with_globals(
        "def inner(n=1): return n\ndef f(n: int = 1, *, key=1): return inner(n) * factor * key", factor=2
    )
    before = taken(function)
    assert taken(function) == before
    change(function)
    assert taken(function) != before


def test_a_rebound_cell_is_noticed() -> None:
    def outer() -> tuple[Callable[[], int], Callable[[], None]]:
        number = 1

        def read() -> int:
            return number

        def write() -> None:
            nonlocal number
            number += 1

        return read, write

    read, write = outer()
    before = taken(read)
    write()
    assert taken(read) != before


def test_a_submodule_that_was_loaded_meanwhile_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    package = concurrent
    functions = [
        with_globals("def f(): return concurrent.futures.Future", concurrent=concurrent),
        lambda: package.futures.Future,
    ]
    before = list(map(taken, functions))
    monkeypatch.delitem(sys.modules, "concurrent.futures")
    for function, old in zip(functions, before, strict=True):
        assert taken(function) != old


def test_globals_that_the_code_does_not_name_do_not_matter() -> None:
    function = with_globals("def f(): return 1", other=[])
    before = taken(function)
    function.__globals__["another"] = 1
    assert taken(function) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda cls: setattr(cls, "number", 2),
        lambda cls: delattr(cls, "number"),
        lambda cls: setattr(cls, "another", 2),
        lambda cls: setattr(cls, "method", lambda self: 2),
        lambda cls: setattr(cls.method, "__defaults__", (2,)),
        lambda cls: setattr(cls, "made", staticmethod(lambda: 2)),
        lambda cls: setattr(cls, "built", classmethod(lambda cls: 2)),
        lambda cls: setattr(cls, "shown", property(lambda self: 2)),
        lambda cls: setattr(cls, "__bases__", (make_class(), *cls.__bases__)),
        lambda cls: setattr(cls, "__qualname__", "Another"),
        lambda cls: cls.__annotations__.update(number=str),
    ],
)
def test_every_change_of_a_class_is_noticed(change: Callable[[Any], object]) -> None:
    class Parent:
        pass

    class Child(Parent):
        number: int = 1

        def method(self, number: int = 1) -> int:
            return number

        @staticmethod
        def made() -> int:
            return 1

        @classmethod
        def built(cls) -> int:
            return 1

        @property
        def shown(self) -> int:
            return 1

    before = taken(Child)
    Packer().pack(Child())  # it leaves a note on the class
    assert taken(Child) == before
    change(Child)
    assert taken(Child) != before


def test_usual_kinds_of_classes_are_fit() -> None:
    class Abstract(abc.ABC):
        @abc.abstractmethod
        def method(self) -> None: ...

    class Slots:
        __slots__ = ("one", "two")

    class Failure(Exception):
        def __init__(self, code: int) -> None:
            super().__init__(code)

    @dataclass
    class Data:
        x: int
        tags: list[str] = field(default_factory=list)
        y: typing.Optional[int] = None  # noqa: UP045
        z: int | None = None
        kind: ClassVar[str] = "data"

    @dataclass(frozen=True, order=True, slots=True)
    class Frozen:
        x: int = 0

    for cls in (Abstract, Slots, Failure, Data, Frozen):
        assert is_fit(cls), cls
        before = taken(cls)
        packer = Packer()
        packer.unpack(packer.pack(cls))  # which puts copies of the methods into it
        assert taken(cls) == before


def test_a_field_of_a_dataclass_that_was_changed_is_noticed() -> None:
    @dataclass
    class Data:
        x: int = 1

    before = taken(Data)
    Data.__dataclass_fields__["x"].repr = False
    assert taken(Data) != before


def test_kinds_of_classes_that_cannot_be_judged_are_unfit() -> None:
    class Meta(type):
        pass

    class Odd(metaclass=Meta):
        pass

    class Colour(Enum):
        RED = 1

    class Pair(NamedTuple):
        one: int

    class Registry(abc.ABC):  # noqa: B024 - others are registered with it
        pass

    assert is_fit(Registry)
    Registry.register(int)
    T = typing.TypeVar("T")

    class Generic(typing.Generic[T]):
        pass

    for cls in (Odd, Colour, Pair, Registry, Generic):
        assert not is_fit(cls), cls


def test_code_that_writes_shared_variables_is_found() -> None:
    def outer() -> tuple[FunctionType, ...]:
        number = 1

        def reads() -> int:
            own = number

            def inner() -> None:
                nonlocal own
                own += 1

            inner()
            return own

        def writes() -> None:
            nonlocal number
            number += 1

        def makes_a_writer() -> Callable[[], None]:
            def inner() -> None:
                nonlocal number
                number += 1

            return inner

        return typing.cast(tuple[FunctionType, ...], (reads, writes, makes_a_writer))

    reads, writes, makes_a_writer = outer()
    assert [facts_of(f.__code__).writes_cells for f in (reads, writes, makes_a_writer)] == [False, True, True]
    assert not any(facts_of(f.__code__).writes_globals for f in (reads, writes, makes_a_writer))
    assert is_fit(reads)
    assert not is_fit(writes)
    assert not is_fit(closing_over(writes))
    for line in ("global n; n = 1", "global n; del n", "exec; [lambda: g() for _ in ()]\n global n; n += 1"):
        function = with_globals(f"def f():\n {line}")
        assert facts_of(function.__code__).writes_globals
        assert not is_fit(function)


def test_odd_contents_of_usual_places_are_unfit_and_no_error() -> None:
    def function() -> None: ...

    function.__dict__[1] = 2  # type: ignore[index]
    assert not is_fit(function)

    class Text(str):
        def __eq__(self, other: object) -> bool:
            raise AssertionError("code of the application was run")

        __hash__ = str.__hash__

    def another() -> None: ...

    another.__doc__ = Text("x")
    assert not is_fit(another)
    assert not is_fit(make_class(__annotations__=Text("x")))
    deep: Any = ()
    for _ in range(100_000):
        deep = (deep,)
    assert not is_fit(closing_over(deep))


def test_types_of_the_interpreter_are_fit() -> None:
    assert is_fit(closing_over(FunctionType))
