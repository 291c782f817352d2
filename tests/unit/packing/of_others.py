"""An ordinary module of an application, which a forged file may name: it holds what such modules hold."""

import enum
import math
import os
from collections import namedtuple
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

called: list[str] = []
"""Which code of this module has run since the test began."""


@dataclass
class Point:
    x: Any
    y: Any = 0

    def move(self) -> None:
        called.append("move")

    @classmethod
    def load(cls, text: str) -> Any:
        called.append("load")

    @staticmethod
    def parse(text: str) -> Any:
        called.append("parse")
        return text


@dataclass(frozen=True, slots=True)
class Frozen:
    x: Any


@dataclass(slots=True)
class Slotted:
    x: Any
    when: datetime | None = None


@dataclass
class Child(Point):
    tags: list[str] = field(default_factory=list)


@dataclass
class Nosy:
    """Runs code whatever is done with it."""

    x: Any

    def __new__(cls, *args: Any) -> "Nosy":
        called.append("new")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        called.append("post_init")

    def __setattr__(self, name: str, value: Any) -> None:
        called.append("setattr")
        object.__setattr__(self, name, value)

    def __setstate__(self, state: Any) -> None:
        called.append("setstate")

    def __getattribute__(self, name: str) -> Any:
        called.append("getattribute")
        return object.__getattribute__(self, name)

    def __hash__(self) -> int:
        called.append("hash")
        return 1

    def __eq__(self, other: object) -> bool:
        called.append("eq")
        return True


@dataclass
class Temporary:
    path: str

    def __del__(self) -> None:
        called.append("del")


@dataclass
class Computed:
    x: Any

    @property
    def y(self) -> Any:
        called.append("property")

    @y.setter
    def y(self, value: Any) -> None:
        called.append("setter")


class Pair(NamedTuple):
    one: Any
    two: Any


class Tagged(namedtuple("Tagged", "tag")):
    __slots__ = ()

    def __hash__(self) -> int:
        called.append("hash")
        return 1


class Colour(enum.Enum):
    RED = 1
    BLUE = "blue"


class Odd(enum.Enum):
    """Members that no value finds once it has been packed, and one of each plain value."""

    NOWHERE = math.nan
    INSIDE = (1, math.nan)
    UNIQUE = object()
    ACTING = enum.member(lambda n: n + 1)
    UNHASHABLE = [1, 2]  # noqa: RUF012
    NOTHING = None
    TRUE = True
    TEXT = "text"
    BYTES = b"bytes"


class Plain:
    def __init__(self) -> None:
        called.append("init")

    def __call__(self) -> None:
        called.append("called")


class Rows(list[Any]):
    pass


def run(*args: Any) -> Any:
    called.append("run")
    return os.getpid()


def make_runner() -> Any:
    return run


def keyed(*, role: str = "guest") -> str:
    return role


handler = Point.move
price = Decimal("1.5")
system = os.system
