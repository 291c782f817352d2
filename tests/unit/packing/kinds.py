"""Importable things of all kinds for the tests of packing. Nothing in here is a test."""

import enum
import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from corps.errors import PackError


def add(left: int, right: int) -> int:
    return left + right


def shout(function: Callable[..., str]) -> Callable[..., str]:
    @functools.wraps(function)
    def shouting(*args: Any) -> str:
        return function(*args).upper()

    return shouting


@shout
def greet(name: str) -> str:
    return f"hello {name}"


class Point(NamedTuple):
    x: int
    y: Any = 0


@dataclass
class Order:
    number: int
    lines: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Slotted:
    handle: Any


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


class Permission(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Holder:
    class Inner:
        pass

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def method(self) -> str:
        return "called"


class NeedsKeywords(Exception):
    """Its constructor cannot be called with its args."""

    def __init__(self, *, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code
        self.reason = reason


class NeedsKeywordsOSError(OSError):
    def __init__(self, *, path: str) -> None:
        super().__init__(2, "gone", path)
        self.path = path


class NeedsKeywordsUnicodeError(UnicodeDecodeError):
    def __init__(self, *, data: bytes) -> None:
        super().__init__("utf-8", data, 0, 1, "bad")


class KeyedOSError(KeyError, OSError):
    def __init__(self, number: int, text: str, *, key: str) -> None:
        super().__init__(number, text)
        self.key = key


class PacksItself(Exception):
    def __init__(self, *, code: int) -> None:
        super().__init__(code)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(PacksItself, code=self.code), ()


class Guarded:
    """Keeps a lock, and leaves it out when packed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.payload: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"payload": self.payload}


class FutureStandIn:
    def __reduce_ex__(self, protocol: Any) -> Any:
        raise PackError("a Future stays with who made the request; pass its result instead")


class RaisesWhenReduced:
    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise self._error


class RaisesWhenRestored:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __setstate__(self, state: dict[str, Any]) -> None:
        raise state["error"]


class NameStandIn:
    """Packs itself as corps Names do; ``router`` is what the reader binds it to."""

    def __init__(self, address: str, router: str = "no router") -> None:
        self.address = address
        self.router = router

    def __reduce__(self) -> tuple[Any, ...]:
        return restore_name, (self.address,)


def restore_name(address: str) -> NameStandIn:
    return NameStandIn(address)


def make_adder(amount: Any) -> Callable[[Any], Any]:
    def adder(number: Any) -> Any:
        return number + amount

    return adder


def make_local_class() -> type[Any]:
    class Local:
        def __init__(self, number: int = 3) -> None:
            self.number = number

    return Local


def generate() -> Iterator[int]:
    yield 1
