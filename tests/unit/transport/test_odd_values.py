"""Claims about values and exceptions that no author means to send: there is an answer, whatever they do.

Each of them comes from a real kind of mistake: a `__reduce__` without its arguments, a lazy proxy outside of
its request, a weak reference to what is gone, a dict that refuses to be read. They are sent by each codec,
bare and inside of other things. The seed of the choice is in the name of the test.
"""

import asyncio
import collections
import contextvars
import dataclasses
import enum
import functools
import random
import sys
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pytest

from corps.addresses import ConcAddr
from corps.errors import CorpsError, PackError, RemoteError
from corps.messages.outcomes import Outcome, Raised, Value
from corps.packing.packer import Packer
from corps.peers.outcome_codec import OutcomeCodec

HELD: Final = BaseException.__dict__["__dict__"].__get__
LOCK: Final = threading.Lock()
ENDS: Final = (SystemExit, GeneratorExit, asyncio.CancelledError, BaseException, RuntimeError, MemoryError)


def failing(kind: type[BaseException]) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise kind("planted")

    return fail


def of_class(name: str, bases: tuple[type, ...] = (), *args: Any, **members: Any) -> Any:
    """An object of a class that is made here, so that it goes by value."""
    return type(name, bases, members)(*args)


def dead_proxy() -> Any:
    target = of_class("Target")
    return weakref.proxy(target)


class Lazy:
    """As the proxies of web frameworks: outside of a request even its class cannot be told."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("working outside of request context")


class Pair(NamedTuple):
    left: Any
    right: Any


def _planted(_: object) -> Any:
    raise RuntimeError("planted")


Meta: Any = type("Meta", (type,), {"__dict__": property(_planted), "__module__": property(_planted)})


OfMeta: Any = Meta("OfMeta", (), {"lock": LOCK})


def values(kind: type[BaseException]) -> dict[str, Callable[[], Any]]:
    """What cannot be packed, most of it; `kind` is what their methods raise."""
    fail = failing(kind)
    return {
        "dead proxy": dead_proxy,
        "lazy proxy": Lazy,
        "no arguments": lambda: of_class("Row", __reduce__=lambda self: (type(self),)),
        "no tuple of arguments": lambda: of_class("Row", __reduce__=lambda self: (type(self), 5)),
        "nothing callable": lambda: of_class("Row", __reduce__=lambda _: (None, None, None)),
        "too many": lambda: of_class("Row", __reduce__=lambda self: (type(self), (), 1, 2, 3, 4, 5)),
        "no reduction": lambda: of_class("Row", __reduce__=fail),
        "no state": lambda: of_class("Row", __getstate__=fail),
        "state of odd keys": lambda: of_class(
            "Row", __reduce__=lambda _: (object, (), {5: LOCK, ("x",): LOCK, "a": LOCK})
        ),
        "no items": lambda: of_class("Table", (dict,), [("a", LOCK)], items=fail),
        "no iteration": lambda: of_class("Row", (list,), [LOCK], __iter__=fail),
        "odd fields": lambda: of_class("Row", (tuple,), [LOCK], _fields=5),
        "failing fields": lambda: of_class("Row", (tuple,), [LOCK], _fields=property(fail)),
        "no hash": lambda: of_class("Row", __hash__=fail, __reduce__=lambda _: (LOCK, ())),
        "no equality": lambda: of_class("Row", __eq__=fail, __hash__=None, lock=LOCK),
        "no attributes": lambda: of_class("Row", __getattr__=fail, lock=LOCK),
        "no class": lambda: of_class("Row", __class__=property(fail), lock=LOCK),
        "no module": lambda: of_class("Row", __module__=property(fail), lock=LOCK),
        "metaclass": OfMeta,
        "class of metaclass": lambda: OfMeta,
        "no repr": lambda: of_class("Row", __repr__=fail, __reduce__=lambda self: (self, self)),
        "lock": lambda: LOCK,
        "frame": sys._getframe,
        "generator": lambda: (each for each in range(3)),
        "context": contextvars.copy_context,
        "weak set": weakref.WeakSet,
        "partial": lambda: functools.partial(print, LOCK),
        "released": lambda: _released(),
        "cell": lambda: (lambda: lambda: LOCK)(),
        "proxy": lambda: types.MappingProxyType({"a": LOCK}),
        "named": lambda: Pair(LOCK, 1),
        "default": lambda: collections.defaultdict(lambda: LOCK),
        "chain": lambda: collections.ChainMap({"a": LOCK}),
        "flag": lambda: enum.Flag("Odd", "A B").A,  # type: ignore[attr-defined]
        "itself": _itself,
        "deep": lambda: _deep(20_000),
        "half a pair": lambda: "\udc80",
    }


def _released() -> memoryview:
    view = memoryview(b"abc")
    view.release()
    return view


def _itself() -> Any:
    found: dict[str, Any] = {"lock": LOCK}
    found["itself"] = found
    return found


def _deep(levels: int) -> Any:
    found: Any = LOCK
    for _ in range(levels):
        found = [found]
    return found


@dataclasses.dataclass
class Holder:
    held: Any


WRAPS: Final[tuple[Callable[[Any], Any], ...]] = (
    lambda thing: thing,
    lambda thing: [1, thing],
    lambda thing: {"key": (thing, None)},
    Holder,
    lambda thing: functools.partial(Holder, thing),
)


class NoStreams:
    corps_id = ""

    def address_abroad(self, addr: ConcAddr) -> ConcAddr:
        raise AssertionError

    def expect_garbage(self) -> None:
        raise AssertionError

    def forsake(self, held: object) -> None:
        raise AssertionError


def there_and_back(codec: OutcomeCodec, outcome: Outcome) -> Outcome:
    status, packed = codec.pack(outcome)
    return codec.receive(status, packed.codec, [packed.body, *packed.buffers]).opened()


@pytest.mark.parametrize("codec", ["pickle", "dill", "data"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore::Warning")  # dill warns of what it does not find
def test_an_odd_value_is_packed_or_refused(codec: str, seed: int) -> None:
    chance = random.Random(seed)
    packer = Packer(codec=codec)
    outcomes = OutcomeCodec(packer, NoStreams())
    for name, make in values(ENDS[seed]).items():
        value = chance.choice(WRAPS)(make())
        refusal = _refusal(packer, value)
        if refusal is not None:
            assert isinstance(refusal, PackError), name
            assert refusal.__cause__ is not None, name
        outcome = there_and_back(outcomes, Value(value))
        if outcome.failed:
            with pytest.raises(CorpsError) as caught:
                outcome.unwrap()
            assert vars(caught.value)["executed"] == "yes", name


def _refusal(packer: Packer, value: Any) -> BaseException | None:
    try:
        packer.pack(((value,), {}), what="arguments")
    except BaseException as error:
        return error
    return None


CHAIN: Final = ("__cause__", "__context__", "__suppress_context__")


class Odd(LookupError):
    """An exception that holds something odd, and whose class is odd too."""


def exceptions(kind: type[BaseException], held: Any) -> list[BaseException]:
    """Exceptions with something odd in them, or whose methods raise `kind`."""
    fail = failing(kind)

    def of(**members: Any) -> BaseException:
        return of_class("Local", (Odd,), "text", **members)  # type: ignore[no-any-return]

    with_attribute, with_cause, with_notes = Odd("text"), Odd("text"), Odd("text")
    vars(with_attribute)["held"] = held
    with_cause.__cause__ = Odd(held)
    vars(with_notes)["__notes__"] = held
    return [
        Odd(held),
        with_attribute,
        with_cause,
        with_notes,
        ExceptionGroup("several", [Odd(held), Odd("text")]),
        of(__str__=fail),
        of(__repr__=fail, __str__=fail),
        of(__reduce__=fail),
        of(__reduce_ex__=fail),
        of(__getattribute__=fail),
        of(__setattr__=fail),
        of(__eq__=fail, __hash__=fail),
        of(__bool__=fail, __len__=fail),
        of(__init__=lambda *_, **__: None, __new__=lambda cls, *_: LookupError.__new__(cls)),
        *(
            of(**{name: property(fail)})
            for name in (
                "__cause__",
                "__context__",
                "__notes__",
                "__traceback__",
                "__class__",
                "args",
                "__dict__",
            )
        ),
        of(__reduce__=lambda self: (type(self),)),
        of(__reduce__=lambda _: "no.such.name"),
        of(__reduce__=lambda _: (int, ("5",))),
        of(__setstate__=fail, held=LOCK),
    ]


@pytest.mark.parametrize("codec", ["pickle", "dill", "data"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore::Warning")
def test_an_odd_exception_comes_back_typed(codec: str, seed: int) -> None:
    chance = random.Random(seed)
    outcomes = OutcomeCodec(Packer(codec=codec), NoStreams())
    odd = list(values(ENDS[seed]).values())
    for number in range(24):
        for error in exceptions(ENDS[seed], chance.choice(odd)())[number::24]:
            captured = Raised.capture(error, "a Counter")
            for found in map(_raised_by, (captured, there_and_back(outcomes, captured))):
                assert isinstance(found, RemoteError), (number, type(error))
                if not issubclass(type(error), ExceptionGroup):
                    assert isinstance(found, LookupError), (number, type(error))
                assert "a Counter" in "".join(map(str, HELD(found)["__notes__"])), number
                assert isinstance(str(found), str)
                assert isinstance(repr(found), str)


def _raised_by(outcome: Outcome) -> Any:
    try:
        outcome.unwrap()
    except Exception as error:
        return error
    return None
