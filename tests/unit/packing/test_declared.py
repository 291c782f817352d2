"""Claims about values between owners: they come back as declared, and bytes of anybody make nothing else."""

import builtins
import collections.abc
import concurrent.futures
import dataclasses
import datetime
import decimal
import enum
import sys
import typing
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import GenericAlias
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, NewType, TypedDict, TypeVar, Union

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corps.errors import DefinitionError, PackError, UnpackError
from corps.packing.bounds import Bounds
from corps.packing.data import decode_data, encode_data
from corps.packing.declared import declare
from corps.packing.declared_forms import Chosen
from corps.packing.declared_hints import Forms
from corps.packing.declared_holders import Table

T = TypeVar("T")
N = TypeVar("N", int, str)


class Color(enum.Enum):
    RED = "red"
    BLUE = 2
    NONE = None


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Right(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    name: str
    children: "list[Node]" = dataclasses.field(default_factory=list)
    parent: "Node | None" = None


@dataclasses.dataclass
class Box(Generic[T]):
    inside: T
    more: dict[str, T] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Picky:
    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError("a share lies\nbetween 0 and 1")


@dataclasses.dataclass
class Derived:
    side: int
    area: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.area = self.side**2


class Line(NamedTuple):
    start: Point
    end: Point | None = None


class Options(TypedDict, total=False):
    most: typing.Required[int]
    near: str


class Address(pydantic.BaseModel):
    street: str = pydantic.Field(alias="Street", min_length=1)
    zip: int | None = None


class Person(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow", populate_by_name=True)

    name: str
    addresses: list[Address] = []
    born: datetime.date | None = None


UserId = NewType("UserId", int)

VALUES: Final[list[tuple[Any, Any]]] = [
    (None, None),
    (bool, True),
    (int, 7**500),
    (float, 1.5),
    (float, 3),
    (str, "näh"),
    (bytes, b"\0\xff"),
    (bytearray, bytearray(b"a")),
    (Any, [1, (2.0, {"a": {3, None}}, frozenset({b"x"})), [True]]),
    (object, {"a": 1}),
    (list, [1, "a"]),
    (list[int], [1, 2]),
    (tuple, (1, "a")),
    (tuple[int, ...], (1, 2, 3)),
    (tuple[int, str], (1, "a")),
    (tuple[()], ()),
    (set[int], {1, 2}),
    (frozenset[tuple[int, str]], frozenset({(1, "a"), (2, "b")})),
    (dict, {1: 2}),
    (dict[str, int], {"a": 1}),
    (dict[int, str], {1: "a", 2**70: "b"}),
    (dict[tuple[int, int], list[str]], {(1, 2): ["a"], (3, 4): []}),
    (dict[Color, Point], {Color.RED: Point(1), Color.NONE: Point(2)}),
    (dict[datetime.date, decimal.Decimal], {datetime.date(2026, 1, 2): decimal.Decimal("1.50")}),
    (Mapping[str, int], {"a": 1}),
    (collections.abc.MutableSet[int], {1}),
    (Sequence[int], [1, 2]),
    (int | None, None),
    (int | None, 3),
    (int | str, "a"),
    (int | float, 1),
    (int | float, 1.0),
    (float | None, 3),
    (bool | int, 1),
    (bool | int, True),
    (list[int] | list[str], ["a"]),
    (list[int] | set[int] | None, {1}),
    (list[int] | tuple[int, ...] | None, None),
    (Point | Node | None, Node("a")),
    (str | bytes | datetime.date, datetime.date(2026, 1, 2)),
    (dict[str, int] | list[int], [1]),
    (Color | None, Color.NONE),
    (Color | None, None),
    (typing.Optional[Point], Point(1, 2.0)),  # noqa: UP045
    (Point | Any, {"x": 1}),
    (Color, Color.BLUE),
    (Level, Level.HIGH),
    (Right, Right.READ | Right.WRITE),
    (Right, Right(0)),
    (Literal["a", 1, None, True], True),
    (Literal["a", 1, None, True], 1),
    (Literal[Color.RED, Level.LOW], Level.LOW),
    (Annotated[int, "of no meaning here"], 4),
    (UserId, UserId(5)),
    (datetime.datetime, datetime.datetime(2026, 1, 2, 3, 4, 5, 6)),
    (datetime.datetime, datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC, fold=1)),
    (datetime.time, datetime.time(1, 2, 3)),
    (datetime.timedelta, datetime.timedelta(-5, 3, 9)),
    (decimal.Decimal, decimal.Decimal("1E+999999")),
    (uuid.UUID, uuid.UUID(int=7)),
    (Node, Node("a", [Node("b", [], Node("c"))])),
    (Box[int], Box(1, {"a": 2})),
    (Box[Box[str]], Box(Box("a"))),
    (Box, Box([1])),
    (Picky, Picky(0.5)),
    (Derived, Derived(3)),
    (Line, Line(Point(1), Point(2))),
    (Options, {"most": 1}),
    (Options, {"most": 1, "near": "a"}),
    (Person, Person(name="a", addresses=[Address(Street="b", zip=3)], born=datetime.date(2000, 1, 1))),
    (N, 1),
    (N, "a"),
    (T, [1]),
]


def of(hint: Any) -> Any:
    """How a method with one argument and a result of this type travels."""

    def method(value: Any) -> Any:
        return value

    method.__annotations__ = {"value": hint, "return": hint}
    return declare(method, is_bound=False)


def alike(one: Any, other: Any) -> bool:
    """Equality that tells 1 from True and from 1.0, at any depth."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(each, other[key]) for key, each in one.items())
    if dataclasses.is_dataclass(one):
        return all(alike(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    return bool(one == other)


@pytest.mark.parametrize(("hint", "value"), VALUES, ids=range(len(VALUES)))
def test_a_value_comes_back_as_declared(hint: Any, value: Any) -> None:
    method = of(hint)
    assert alike(method.unpack_result(method.pack_result(value)), value)
    assert method.unpack_arguments(method.pack_arguments((value,), {})) == ([value], {})
    assert method.unpack_arguments(method.pack_arguments((), {"value": value})) == ([], {"value": value})


@pytest.mark.parametrize(
    ("hint", "plain", "value"),
    [
        (Point, {"x": 1}, Point(1)),
        (Line, {"start": {"x": 1, "y": 2}}, Line(Point(1, 2))),
        (tuple[int, str], [1, "a"], (1, "a")),
        (int | str | None, "a", "a"),
        (Person, {"name": "a"}, Person(name="a")),
        (datetime.date, "2026-01-02", datetime.date(2026, 1, 2)),
        (Color, "red", Color.RED),
        (set[int], [1, 2], {1, 2}),
        (set[int], {1, 2}, {1, 2}),
        (dict[str, list[Point]], {"a": [{"x": 1}]}, {"a": [Point(1)]}),
    ],
)
def test_plain_data_of_a_caller_without_the_classes_is_taken_too(hint: Any, plain: Any, value: Any) -> None:
    assert alike(of(hint).unpack_result(encode_data(plain)), value)


def test_what_travels_is_plain_data_without_any_name_of_a_class() -> None:
    body = of(Line).pack_result(Line(Point(1), None))
    assert decode_data(body) == {"start": {"x": 1, "y": 0.0}, "end": None}


class Index:
    def search(self, query: str, /, *words: list[int], most: int = 3, **more: Point) -> "Iterator[Node]":
        raise NotImplementedError

    async def later(self) -> "list[Node]":
        raise NotImplementedError

    async def stream(self) -> AsyncIterator[Point]:
        yield Point(1)

    def promised(self) -> "concurrent.futures.Future[Point]":
        raise NotImplementedError

    @staticmethod
    def plain(value: int) -> None:
        raise NotImplementedError

    def undeclared(self, value):  # type: ignore[no-untyped-def]
        raise NotImplementedError


def test_arguments_of_each_kind_travel_by_their_own_hint() -> None:
    method = declare(Index.search)
    args, kwargs = ["needle", [1], [2, 3]], {"most": 2, "near": Point(1)}
    assert method.unpack_arguments(method.pack_arguments(args, kwargs)) == (args, kwargs)


def test_a_result_is_what_is_yielded_awaited_or_promised() -> None:
    for function, value in [
        (Index.search, Node("a")),
        (Index.later, [Node("a")]),
        (Index.stream, Point(1)),
        (Index.promised, Point(2)),
    ]:
        method = declare(function)
        assert method.unpack_result(method.pack_result(value)) == value


def test_without_hints_a_value_is_plain_data() -> None:
    method = declare(Index.undeclared)
    value = (1, [{"a": {2}}])
    assert alike(method.unpack_arguments(method.pack_arguments([value], {})), ([value], {}))
    assert declare(Index.__dict__["plain"], is_bound=False).pack_arguments([1], {})


@pytest.mark.parametrize(
    ("args", "kwargs", "path", "why"),
    [
        ([1], {}, "query", "str is declared, and 1 is given"),
        (["a", [1], [2, "b"]], {}, "words[1][1]", "int is declared, and 'b' is given"),
        (["a"], {"near": Point("a")}, "near.x", "int is declared, and 'a' is given"),  # type: ignore[arg-type]
        (["a"], {"query": "b", "most": True}, "query", "Point is declared, and 'b' is given"),
    ],
)
def test_an_error_says_where_in_which_argument(
    args: list[Any], kwargs: dict[str, Any], path: str, why: str
) -> None:
    method = declare(Index.search)
    with pytest.raises(PackError) as raised:
        method.pack_arguments(args, kwargs)
    assert raised.value.path == path
    assert why in str(raised.value)
    plain: Any = [
        args,
        {name: vars(each) if isinstance(each, Point) else each for name, each in kwargs.items()},
    ]
    with pytest.raises(UnpackError) as unpacked:
        method.unpack_arguments(encode_data(plain))
    assert unpacked.value.path == path


def test_arguments_that_the_method_has_not_are_refused_on_both_sides() -> None:
    method = of(int)
    for args, kwargs, why in [
        ([1, 2], {}, "takes 1 arguments by place"),
        ([], {"other": 1}, "named 'other'"),
    ]:
        with pytest.raises(PackError, match=why):
            method.pack_arguments(args, kwargs)
        with pytest.raises(UnpackError, match=why):
            method.unpack_arguments(encode_data([args, kwargs]))
    others: list[Any] = [None, [], [[], []], [{}, {}], [[], {}, 1], {"args": []}, ([], {})]
    for plain in others:
        with pytest.raises(UnpackError, match="no arguments"):
            method.unpack_arguments(encode_data(plain))
    with pytest.raises(UnpackError, match="named 1"):
        method.unpack_arguments(encode_data([[], {1: 2}]))


class Sneaky(str):
    __slots__ = ()


CIRCLE: Final[list[Any]] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("hint", "value", "why"),
    [
        (int, True, "int is declared, and True is given"),
        pytest.param(int, 2**9000, "9001 bits", id="a long int"),
        (str, Sneaky("a"), "an object of type Sneaky"),
        (str, "\ud800", "surrogates not allowed"),
        (Any, [{"a": Point(1)}], r"result\[0\]\['a'\].*of type Point is no plain data: declare its type"),
        (Any, {(1, 2): 3}, "a tuple of 2 is a key"),
        (Any, {2**64}, "an object of type int is a key of a dict or an element"),
        (Any, CIRCLE, "contains itself"),
        (list[Any], CIRCLE, "contains itself"),
        (list[int], (1,), "list.int. is declared, and a tuple of 1"),
        (tuple[int, str], (1,), "1 items are given"),
        (Point, Line(Point(1)), "Point is declared, and an object of type Line"),
        (int | str, 1.5, "int | str is declared, and 1.5 is given"),
        (Point | int, Point("a"), r"result\.x.*'a' is given"),  # type: ignore[arg-type]
        (list[int] | list[str], [1, "a"], "a list of 2 is given"),
        (Color, Level.LOW, "Color is declared"),
        (Literal["a"], "b", "'b' is given"),
        (Options, {"near": "a"}, "needs the field 'most'"),
        (Options, {"most": 1, "far": 2}, "has no field 'far'; its fields are: most, near"),
        (Person, Person(name="a", more=1), "fields that are not declared: 'more'"),  # type: ignore[call-arg]
        (datetime.datetime, datetime.datetime(2026, 1, 2, fold=1), "fold=1"),
        (Derived, Derived.__new__(Derived), "'side' of Derived has no value"),
    ],
)
def test_what_is_not_as_declared_is_refused_where_it_is_packed(hint: Any, value: Any, why: str) -> None:
    with pytest.raises(PackError, match=why):
        of(hint).pack_result(value)


@pytest.mark.parametrize(
    ("hint", "plain", "why"),
    [
        (int, "1", "int is declared, and '1' is given"),
        (str, "x" * 1000, None),
        (int, "x" * 1000, "'x{80}'... is given$"),
        pytest.param(int, 7**2900, None, id="a long int"),
        pytest.param(str, 7**2900, "an object of type int", id="a long int for a str"),
        (Point, {"x": 1, "z": 2}, "has no field 'z'; its fields are: x, y"),
        (Point, {"y": 1.0}, "needs the field 'x'"),
        (Point, {1: 1}, "has no field 1"),
        (Derived, {"side": 1, "area": 5}, "has no field 'area'"),
        (Picky, {"share": 2.0}, "Picky refuses its fields: ValueError: a share lies between 0 and 1$"),
        (Person, {"name": "a", "addresses": [{"street": ""}]}, r"addresses\[0\].*at least 1 character"),
        (Person, {"name": "a", "more": 1}, "has no field 'more'"),
        (datetime.date, "yesterday", "'yesterday' is none"),
        (datetime.timedelta, [1, 2], "days, seconds and microseconds"),
        (datetime.timedelta, [10**12, 0, 0], "timedelta is declared"),
        (decimal.Decimal, "x", "'x' is none"),
        (decimal.Decimal, "1" * 1001, "1001 characters"),
        (uuid.UUID, "x", "'x' is none"),
        (Color, "green", "'green' is none of 'red', 2, None"),
        (Color, ([],), "a tuple of 1 is none"),
        (Right, 4, "Right is declared"),
        (Right, -1, "Right is declared"),
        (set[int], [1, 1], "twice"),
        (set[Any], [[1]], "unhashable|cannot be a key"),
        (dict[str, int], [["a", 1]], "a list of 1 is given"),
        (dict[int, int], [[1, 2], [1, 3]], "twice"),
        (dict[int, int], [[1, 2, 3]], "a list of 1 is given"),
        (dict[int, int], [[n * (2**61 - 1), 0] for n in range(100)], "more than 64 keys"),
        (set[decimal.Decimal], [str(n * (2**61 - 1)) for n in range(100)], "more than 64 keys"),
        (list[int] | list[str], ["a"], "number of one of"),
        (list[int] | list[str], [2, ["a"]], "no type number 2"),
        (list[int] | list[str], [-1, ["a"]], "no type number -1"),
        (list[int] | list[str], [0, ["a"]], "int is declared"),
        (tuple[int, str], [1, "a", 2], "3 items are given"),
    ],
)
def test_what_is_not_as_declared_is_refused_where_it_comes(hint: Any, plain: Any, why: str | None) -> None:
    body = encode_data(plain)
    if why is None:
        assert of(hint).unpack_result(body) == plain
        return
    with pytest.raises(UnpackError, match=why) as raised:
        of(hint).unpack_result(body)
    assert raised.value.path.startswith("result")


def test_the_bounds_hold_on_both_sides() -> None:
    method = of(list[int])
    with pytest.raises(PackError, match="more than 10 values"):
        method.pack_result([1] * 10, Bounds(values=10))
    with pytest.raises(UnpackError, match="more than 10 values"):
        method.unpack_arguments(method.pack_arguments([[1] * 10], {}), Bounds(values=10))


class Opaque:
    pass


@dataclasses.dataclass
class Given:
    seed: dataclasses.InitVar[int]


class Wide(enum.Flag):
    FAR = 2**20


class Holder(enum.Enum):
    ONE: list[int] = []  # type: ignore[misc]  # noqa: RUF012


class Holding:
    inside: Opaque


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (Opaque, "declared as Opaque, which cannot travel to another owner: use None, bool"),
        (list[dict[str, Opaque]], "Opaque"),
        (collections.abc.Callable[[], None], "cannot travel"),
        (type[int], "cannot travel"),
        (complex, "cannot travel"),
        (Box[Opaque], "declared as Box: Box.inside is declared as Opaque"),
        (Given, "InitVar 'seed'"),
        (Wide, "more than 16 bits"),
        (Holder, "no plain data that can be a key"),
        (Literal["red", Color.RED], "two of its choices have one value"),
        ("Nowhere", "NameError.*Nowhere"),
        (1, "cannot travel"),
    ],
)
def test_a_hint_that_cannot_travel_is_an_error_of_the_declaration(hint: Any, why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        of(hint)


def test_a_class_that_could_not_be_declared_is_not_half_known_afterwards() -> None:
    forms = Forms()
    for _ in range(2):
        with pytest.raises(DefinitionError, match="Opaque"):
            forms.of(Box[Opaque], "it")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the statement `type` came with Python 3.12")
def test_type_aliases_are_what_they_stand_for_and_may_not_contain_themselves() -> None:
    names: dict[str, Any] = {"Point": Point}
    exec("type Many[T] = list[T]\ntype Pair = Many[Point]\ntype Json = list[Json]", names)
    assert of(names["Pair"]).unpack_result(encode_data([{"x": 1}])) == [Point(1)]
    with pytest.raises(DefinitionError, match="contains itself"):
        of(names["Json"])


# Chance


Declared = tuple[Any, st.SearchStrategy[Any]]


def hints_in(declared: list[Declared]) -> Any:
    return tuple(hint for hint, _ in declared)


def values_in(declared: list[Declared]) -> list[st.SearchStrategy[Any]]:
    return [values for _, values in declared]


def hints() -> st.SearchStrategy[Declared]:
    """Hints, each with its values."""
    leaves: list[Declared] = [
        (None, st.none()),
        (bool, st.booleans()),
        (int, st.integers()),
        (str, st.text()),
        (bytes, st.binary()),
        (float, st.floats(allow_nan=False)),
        (Color, st.sampled_from(Color)),
        (Right, st.sampled_from([Right(0), Right.READ, Right.WRITE])),
        (datetime.datetime, st.datetimes().map(lambda each: each.replace(fold=0))),
        (datetime.timedelta, st.timedeltas()),
        (decimal.Decimal, st.decimals(allow_nan=False)),
        (uuid.UUID, st.uuids()),
        (Point, st.builds(Point, st.integers(), st.floats(allow_nan=False))),
        (Person, st.builds(Person, name=st.text(), born=st.none() | st.dates())),
        (Literal["a", 1], st.sampled_from(["a", 1])),
    ]

    def extend(inner: st.SearchStrategy[Declared]) -> st.SearchStrategy[Declared]:
        several = st.lists(inner, min_size=2, max_size=3)
        return (
            inner.map(lambda each: (GenericAlias(list, each[0]), st.lists(each[1], max_size=4)))
            | inner.map(lambda each: (GenericAlias(tuple, (each[0], ...)), st.lists(each[1]).map(tuple)))
            | inner.map(lambda each: (GenericAlias(Box, each[0]), st.builds(Box, each[1])))
            | several.map(lambda each: (GenericAlias(tuple, hints_in(each)), st.tuples(*values_in(each))))
            | several.map(lambda each: (Union[hints_in(each)], st.one_of(values_in(each))))  # noqa: UP007
            | st.tuples(st.sampled_from(leaves[2:5]), inner).map(
                lambda each: (
                    GenericAlias(dict, (each[0][0], each[1][0])),
                    st.dictionaries(each[0][1], each[1][1], max_size=4),
                )
            )
        )

    return st.recursive(st.sampled_from(leaves), extend, max_leaves=6)


@given(hints(), st.data())
def test_any_value_of_any_hint_comes_back_equal(declared: Declared, data: st.DataObject) -> None:
    hint, values = declared
    method = of(hint)
    value = data.draw(values)
    assert method.unpack_result(method.pack_result(value)) == value


EVERY: Final = [of(hint) for hint, _ in VALUES] + [declare(Index.search)]


def plain_values() -> st.SearchStrategy[Any]:
    names = st.sampled_from(["x", "y", "name", "children", "inside", "start", "most", "__class__", "red", ""])
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | names
    return st.recursive(
        leaves | st.binary(max_size=3),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names | leaves, inner, max_size=4),
        max_leaves=10,
    )


@given(st.sampled_from(EVERY), st.binary(max_size=100) | plain_values().map(encode_data))
@settings(max_examples=500)
def test_bytes_of_anybody_raise_nothing_but_the_typed_error_and_load_nothing(
    method: Any, body: bytes
) -> None:
    loaded = set(sys.modules)
    asked: list[str] = []
    real = builtins.__import__

    def importing(name: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(name)
        return real(name, *args, **kwargs)

    builtins.__import__ = importing
    try:
        for unpack in (method.unpack_arguments, method.unpack_result):
            try:
                unpack(body)
            except UnpackError:
                continue
    finally:
        builtins.__import__ = real
    assert set(sys.modules) == loaded
    assert set(asked) <= {"_strptime", "re"}


@given(st.sampled_from(range(len(VALUES))), st.data())
@settings(max_examples=300)
def test_a_body_with_some_bytes_changed_is_another_value_or_the_typed_error(
    number: int, data: st.DataObject
) -> None:
    method = EVERY[number]
    body = bytearray(method.pack_result(VALUES[number][1]))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        method.unpack_result(bytes(body))
    except UnpackError:
        pass


def test_no_constructor_runs_that_is_not_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(Picky, "__post_init__", lambda self: made.append("Picky"))
    body = of(Picky).pack_result(Picky.__new__(Picky).__class__(0.5))
    made.clear()
    with pytest.raises(UnpackError):
        of(Point).unpack_result(body)
    assert made == []


def test_texts_say_the_types() -> None:
    forms = Forms()
    table = forms.of(dict[str, int | None], "it")
    assert isinstance(table, Table)
    assert table.words == "dict[str, int | None]"
    assert isinstance(forms.of(Color, "it"), Chosen)
