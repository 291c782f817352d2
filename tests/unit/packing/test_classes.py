"""Claims about classes by value: the copy is as the original is, and neither is changed by what arrives."""

import abc
import enum
import functools
import sys
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from datetime import date
from threading import Barrier, RLock, Thread
from types import SimpleNamespace
from typing import Any, Generic, NamedTuple, Protocol, TypedDict, TypeVar

import pytest

from corps.errors import PackError
from corps.packing import classes
from corps.packing.identities import Identities
from corps.packing.packer import Packed, Packer
from tests.unit.packing.lines import Line

T = TypeVar("T")
LOCK = RLock()
CODECS = pytest.mark.parametrize("line", ["pickle", "dill"], indirect=True)


@pytest.fixture
def line(request: pytest.FixtureRequest) -> Line:
    return Line(codec=getattr(request, "param", "pickle"))


def copied(line: Line, thing: Any) -> Any:
    """The copy at the other side; in vain if the way back does not lead to the original."""
    for _ in range(3):
        copy = line.send(thing)
        assert copy is not thing
        assert line.send_back(copy) is thing
        assert line.send(thing) is copy
    return copy


@CODECS
def test_the_senders_own_class_is_untouched_and_the_copy_is_set_once(line: Line) -> None:
    class Job:
        made = 0

        def __init__(self) -> None:
            Job.made += 1

    before = dict(vars(Job))
    there = copied(line, Job)
    assert vars(Job) == before
    Job()
    there()
    there()
    line.send_back(line.send(Job()))
    assert (Job.made, there.made) == (2, 2)


@CODECS
def test_what_is_changed_where_a_class_was_defined_arrives_but_not_over_what_was_changed_there(
    line: Line,
) -> None:
    class Base:
        limit = 1

    class Job(Base):
        scale, made, things = 1, 0, [1]

        def scaled(self) -> int:
            return self.scale

    def last(self: Any) -> int:
        return -1

    there = line.send(Job)
    for scale in (2, 3, 2):
        Job.scale = scale
        assert line.send(Job()).scaled() == scale
        there.made += 1
        there.things.append(scale)
        assert there.made == len(there.things) - 1
    Job.made = 100
    assert line.send(Job).made == 3
    Job.scaled = last  # type: ignore[method-assign]
    Base.limit = 7
    there.things = there.things[:1]
    assert (line.send(Job()).scaled(), there.limit, there.things) == (-1, 7, [1])
    del Job.scaled
    Job.new = [5]  # type: ignore[attr-defined]
    line.send(Job)
    assert (there.new, hasattr(there, "scaled")) == ([5], False)
    assert (line.send_back(there), Job.made, Job.things) == (Job, 100, [1])


@CODECS
def test_globals_of_methods_that_are_bound_anew_arrive(line: Line) -> None:
    variables: dict[str, Any] = {"__name__": "by_hand", "factor": 2, "calls": 0}
    program = "class Tool:\n def scale(self, n):\n  global calls\n  calls += 1\n  return n * factor, calls"
    exec(program, variables)
    tool = variables["Tool"]()
    for number, factor in enumerate((2, 3, 3, 4), 1):
        variables["factor"] = factor
        assert line.send(tool).scale(1) == (factor, number)
    variables["calls"] = 50
    assert line.send(tool).scale(1) == (4, 5)


def test_globals_behind_methods_are_noticed_too(line: Line) -> None:
    variables: dict[str, Any] = {"__name__": "by_hand", "factor": 2, "functools": functools}
    program = """
def scale(n):
    return n * factor

def add(n):
    return scale(n) + 1

def wrap(f):
    @functools.wraps(f)
    def inner(*args):
        return f(*args)
    return inner

class Tool:
    def added(self, n):
        return add(n)

    @wrap
    def wrapped(self, n):
        return n * factor

    @property
    def double(self):
        return factor * 2
"""
    exec(program, variables)
    tool = variables["Tool"]()
    for factor in (2, 3):
        variables["factor"] = factor
        for _ in range(3):
            there = line.send(tool)
            assert (there.added(1), there.wrapped(1), there.double) == (factor + 1, factor, 2 * factor)
    exec("def scale(n): return n * other", variables)
    for other in (10, 20):
        variables["other"] = other
        assert line.send(tool).added(1) == other + 1


def test_an_older_version_that_is_opened_later_changes_nothing() -> None:
    class Job:
        scale = 1

    sender, reader = Packer(), Packer()
    packed = []
    for scale in range(4):
        Job.scale = scale
        packed.append(sender.pack(Job))
    there = {reader.unpack(packed[number]) for number in (1, 3, 0, 2)}
    assert [cls.scale for cls in there] == [3]


def test_a_change_goes_through_a_third_process() -> None:
    class Job:
        scale, own = 1, 1

    packers = [Packer() for _ in range(3)]
    copies = [packer.unpack(packers[0].pack(Job)) for packer in packers[1:]]
    copies[0].own = 2
    Job.scale = 5
    packers[1].unpack(packers[0].pack(Job))
    assert packers[2].unpack(packers[1].pack(copies[0])) is copies[1]
    assert (copies[1].scale, copies[1].own) == (5, 1)


@CODECS
def test_methods_at_the_other_side_keep_their_globals_between_messages(line: Line) -> None:
    variables: dict[str, Any] = {"__name__": "by_hand", "CALLS": []}
    exec("class Tool:\n def note(self):\n  CALLS.append(1)\n  return len(CALLS)", variables)
    tool = variables["Tool"]()
    assert [line.send(tool).note() for _ in range(3)] == [1, 2, 3]
    assert variables["CALLS"] == []


def slotted() -> list[Any]:
    class One:
        __slots__ = ("a",)

        def __init__(self, a: int) -> None:
            self.a = a

    class More(One):
        __slots__ = ("__dict__", "b")

    class Child(One):
        __slots__ = "b"

    class Private:
        __slots__ = ("__a",)

        def __init__(self, a: int) -> None:
            self.__a = a

    class Weak:
        __slots__ = {"__weakref__": "", "a": "its meaning"}

        def __init__(self, a: int) -> None:
            self.a = a

    @dataclass(slots=True)
    class Data:
        a: int

    @dataclass(slots=True, frozen=True)
    class Frozen:
        a: int = 3

    # dataclass(slots=True) leaves this in early releases of Python 3.11: a descriptor of another class.
    attributes = {"__slots__": (), "__weakref__": vars(Weak)["__weakref__"]}
    copied_from = type("CopiedFrom", (), attributes)

    return [One(1), More(1), Child(1), Private(1), Weak(1), Data(1), Frozen(1), copied_from()]


@CODECS
@pytest.mark.parametrize("number", range(len(slotted())))
def test_slots_are_slots_there(line: Line, number: int) -> None:
    thing = slotted()[number]
    there = line.send(thing)
    assert there.__slots__ == thing.__slots__
    assert hasattr(there, "__dict__") == hasattr(thing, "__dict__")
    assert type(there).__weakrefoffset__ == type(thing).__weakrefoffset__
    assert type(there).__basicsize__ == type(thing).__basicsize__
    assert type(line.send_back(there)) is type(thing)


def made_by_a_call() -> Any:
    return enum.Enum("Api", "GET")


def enums() -> list[Any]:
    class Colour(enum.Enum):
        RED = 1
        BLUE = 2
        CRIMSON = 1  # noqa: PIE796 - an alias

    class Perm(enum.Flag):
        R = enum.auto()
        W = enum.auto()
        X = enum.auto()

    class Odd(enum.IntFlag):
        A = 11
        B = 37

    class Kept(enum.Flag, boundary=enum.KEEP):
        A = 1

    class Word(enum.StrEnum):
        YES = "yes"

    class Planet(enum.Enum):
        EARTH = (5.9, 6.3)

        def __init__(self, mass: float, radius: float) -> None:
            self.mass, self.radius = mass, radius

    class Coded(bytes, enum.Enum):
        def __new__(cls, value: int, label: str) -> "Coded":
            made = bytes.__new__(cls, [value])
            made._value_ = value
            made.label = label  # type: ignore[attr-defined]
            return made

        A = (1, "one")

    class Day(date, enum.Enum):
        FIRST = 2000, 1, 1

    class Unhashable(enum.Enum):
        L = [1, 2]  # noqa: RUF012

    class Missing(enum.Enum):
        UNKNOWN = 0

        @classmethod
        def _missing_(cls, value: object) -> "Missing":
            return cls.UNKNOWN

    class Acting(enum.Enum):
        ADD = enum.member(lambda self, n: n + 1)

    return [
        *(
            Colour.CRIMSON,
            Perm.R,
            Perm.R | Perm.X,
            ~Perm.R,
            Perm(0),
            Odd.A | Odd.B,
            Odd(64),
            Kept(9),
            Word.YES,
        ),
        *(
            Planet.EARTH,
            Coded.A,
            Day.FIRST,
            Unhashable.L,
            Missing(99),
            Acting.ADD,
            made_by_a_call().GET,
        ),
    ]


def are_one(one: enum.Enum, other: enum.Enum) -> bool:
    """Whether they are one object, or as good as one.

    Early releases of Python 3.11 make a combination of flags with bits of no member anew for each use.
    """
    is_made_anew = type(one)(one.value) is not one
    return one is other or (is_made_anew and (type(one), one.value) == (type(other), other.value))


@CODECS
@pytest.mark.parametrize("number", range(len(enums())))
def test_enums_keep_members_aliases_attributes_and_their_identity(line: Line, number: int) -> None:
    member = enums()[number]
    cls = type(member)
    for _ in range(3):
        there = line.send(member)
        assert are_one(line.send_back(there), member)
        assert are_one(line.send(member), there)
        assert (there.name, str(there), type(there).__name__) == (member.name, str(member), cls.__name__)
    copy = type(there)
    assert list(copy.__members__) == list(cls.__members__)
    assert [each.name for each in copy] == [each.name for each in cls]
    if not callable(member.value):
        assert there.value == member.value
        assert are_one(copy(member.value), there)
    for name in vars(member):
        if name not in ("_value_", "__objclass__", "_inverted_"):
            assert vars(there)[name] == vars(member)[name]
    assert set(vars(copy)) - {"__weakref__"} == set(vars(cls)) - {"__weakref__"}
    with pytest.raises(AttributeError):
        copy.__members__.popitem()


def odd_classes() -> list[Any]:
    class Registered:
        tag = "none"
        known: list[str] = []  # noqa: RUF012

        def __init_subclass__(cls, /, tag: str) -> None:
            cls.tag = tag
            Registered.known.append(tag)

    class Tagged(Registered, tag="one"):
        pass

    class Guarded(type):
        def __new__(mcs, name: str, bases: Any, namespace: Any, *, need: int = 0) -> Any:
            if not need:
                raise TypeError("say what you need")
            return super().__new__(mcs, name, bases, namespace)

        def __setattr__(cls, name: str, value: object) -> None:
            raise AttributeError("fixed")

    class Fixed(metaclass=Guarded, need=1):
        n = 1

    class Base:
        limit = 10
        name = "x"

    class Same(Base):
        limit = 10
        name = "x"
        method = functools.partialmethod(print)

    class Shape(abc.ABC):
        @property
        @abc.abstractmethod
        def area(self) -> float: ...

    Shape.register(int)

    class Box(Generic[T]):
        def get(self, value: T) -> T:
            return value

    class Pair(NamedTuple):
        left: int
        right: str = "r"

    class Reads(Protocol):
        def read(self) -> str: ...

    class Options(TypedDict, total=False):
        a: int

    class Named:
        def __set_name__(self, owner: type, name: str) -> None:
            owner.found = name  # type: ignore[attr-defined]

    class Owner:
        thing = Named()
        lazy = functools.cached_property(lambda self: 5)

    class Failure(Exception):
        pass

    return [Registered, Tagged, Fixed, Base, Same, Shape, Box, Pair, Reads, Options, Owner, Failure]


# Python keeps these for itself, or they are objects that say nothing of their contents.
_UNEQUAL = {"__dict__", "__weakref__", "_abc_impl", "__orig_bases__", "__parameters__", "__doc__"}
# Python 3.14 evaluates them when they are asked for, and keeps them elsewhere.
_ANNOTATIONS = {"__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__"}


@CODECS
@pytest.mark.parametrize("number", range(len(odd_classes())))
def test_classes_are_copied_as_they_are(line: Line, number: int) -> None:
    cls = odd_classes()[number]
    there = copied(line, cls)
    assert set(vars(there)) - _ANNOTATIONS == set(vars(cls)) - _ANNOTATIONS
    assert there.__annotations__ == cls.__annotations__
    assert (there.__module__, there.__qualname__, there.__doc__) == (
        cls.__module__,
        cls.__qualname__,
        cls.__doc__,
    )
    assert [each.__qualname__ for each in there.__mro__] == [each.__qualname__ for each in cls.__mro__]
    assert type(there).__name__ == type(cls).__name__
    assert getattr(there, "__abstractmethods__", None) == getattr(cls, "__abstractmethods__", None)
    for name, value in vars(cls).items():
        if isinstance(value, str | int | tuple) and name not in _UNEQUAL:
            assert vars(there)[name] == value, name


def test_bases_hear_of_no_new_subclass_and_what_they_did_once_is_copied(line: Line) -> None:
    tagged = odd_classes()[1]
    there = line.send(tagged)
    assert there.tag == "one"
    assert there.__base__.known == ["one"]
    assert there.__base__.__subclasses__() == [there]


def test_what_was_registered_with_an_abstract_class_is_there_too(line: Line) -> None:
    shape = line.send(odd_classes()[5])
    assert issubclass(int, shape)
    assert not issubclass(str, shape)
    with pytest.raises(TypeError, match="abstract"):
        shape()


def test_private_names_of_abc_are_done_without_if_they_are_gone(
    monkeypatch: pytest.MonkeyPatch, line: Line
) -> None:
    for name in ("_get_dump", "_abc_init"):
        assert hasattr(abc, name)
    monkeypatch.setattr(classes, "abc", SimpleNamespace())
    shape = line.send(odd_classes()[5])
    assert not issubclass(int, shape)  # what was registered is left behind
    with pytest.raises(TypeError, match="abstract"):
        shape()


def test_a_dataclass_that_was_copied_can_be_subclassed(line: Line) -> None:
    @dataclass
    class Base:
        a: int
        b: list[int] = field(default_factory=list, compare=False)

    there = line.send(Base)
    assert fields(there)[0].default is MISSING

    @dataclass
    class Child(there):  # type: ignore[valid-type, misc]
        c: int = 1

    assert Child(1) == Child(1, [2])


def test_super_and_recursion_through_closures_work(line: Line) -> None:
    class Base:
        def who(self) -> str:
            return "base"

    class Child(Base):
        def who(self) -> str:
            return f"child of {super().who()}"

        def again(self) -> "Child":
            return Child()

    there = line.send(Child())
    assert there.again().who() == "child of base"
    assert type(there.again()) is type(there)


def test_a_class_that_its_base_refers_to_arrives_once(line: Line) -> None:
    class Base:
        kinds: list[type] = []  # noqa: RUF012

    class Child(Base):
        pass

    Base.kinds.append(Child)
    there = line.send(Child)
    assert there.__base__.kinds == [there]


def test_a_class_that_went_through_a_third_process_is_known_again() -> None:
    class Local:
        pass

    packers = [Packer() for _ in range(3)]
    copies = [Local, *(packer.unpack(packers[0].pack(Local)) for packer in packers[1:])]
    assert len(set(copies)) == 3
    assert packers[2].unpack(packers[1].pack(copies[1])) is copies[2]
    assert packers[0].unpack(packers[2].pack(copies[2])) is Local


def test_classes_made_in_c_are_refused_where_they_are_packed() -> None:
    class Point(__import__("ctypes").Structure):  # type: ignore[misc]
        _fields_ = [("x", __import__("ctypes").c_int)]  # noqa: RUF012

    for value, what in ((Point, "metaclass is made in C"), (type(iter([])), "made in C")):
        with pytest.raises(PackError, match=what):
            Packer().pack(value)
    assert Packer().unpack(Packer().pack(type(lambda: 1))) is type(lambda: 1)


def count_there(reader: Packer, packed: Packed, start: Barrier, found: list[Any]) -> None:
    start.wait()
    there = reader.unpack(packed)
    with LOCK:
        type(there).total += there.method()
        found.append(type(there))


def test_two_threads_that_unpack_the_first_messages_get_one_complete_class() -> None:
    for _ in range(20):

        class Counting:
            total = 0
            method: Callable[[Any], int] = lambda self: 7

        packed = Packer().pack(Counting())
        reader = Packer(identities=Identities(RLock()))
        start, found = Barrier(4), list[Any]()

        threads = [Thread(target=count_there, args=(reader, packed, start, found)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(found)) == 1
        assert found[0].total == 28


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a syntax of Python 3.12")
def test_classes_with_type_parameters_arrive(line: Line) -> None:
    variables: dict[str, Any] = {"__name__": "by_hand"}
    exec("class Box[T]:\n def get(self, value: T) -> T:\n  return value", variables)
    there = copied(line, variables["Box"])
    assert there.__type_params__[0].__name__ == "T"
    assert there[int]().get(1) == 1
