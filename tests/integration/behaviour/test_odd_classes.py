"""Claims about classes that Python allows and that make it hard for a runtime: they work, or are refused."""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import pytest

import corps
from tests.integration.behaviour.paths import Way

T = TypeVar("T")


class Box(corps.Conc, Generic[T]):
    def __init__(self, content: T) -> None:
        self.content = content


@dataclass(frozen=True)
class Frozen(corps.Conc):
    content: int = 1


class Guarded(corps.Conc):
    is_ready: bool

    def __init__(self) -> None:
        object.__setattr__(self, "is_ready", True)

    def __setattr__(self, name: str, value: object) -> None:
        if not self.is_ready:
            raise RuntimeError("not ready")
        object.__setattr__(self, name, value)

    def ready(self) -> bool:
        return self.is_ready


class Forwarding(corps.Conc):
    """Has no `inner` before its constructor has run: what it lacks leads to endless recursion."""

    def __init__(self) -> None:
        self.inner = {"a": 1}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def me(self) -> str:
        return self.my_tag() + str(self.inner)


class ByType(corps.Conc):
    @functools.singledispatchmethod
    def kind(self, what: object) -> str:
        return "object"

    @kind.register
    def _(self, what: int) -> str:
        return "int"

    def pair(self, one: int, two: int) -> tuple[int, int]:
        return one, two

    pair_of_one: Any = functools.partialmethod(pair, 1)


class KeepsMuch(corps.Conc):
    """Keeps data under the names of steps and hooks."""

    def __init__(self) -> None:
        vars(self).update(dict.fromkeys(("process", "after", "reply", "handle"), "data"))
        vars(self).update(dict.fromkeys(("cleanup", "on_ended", "keep_state"), None))
        vars(self).update(dict.fromkeys(("restart", "strategy", "interleave"), True))

    def before(self, request: corps.Request) -> None:
        self.last = request.method

    def kept(self) -> tuple[object, ...]:
        return vars(self)["process"], vars(self)["cleanup"], self.last


class Single(corps.Conc):
    known: "ClassVar[Single | None]" = None

    def __new__(cls) -> "Single":
        cls.known = cls.known or object.__new__(cls)
        return cls.known


class Soft(corps.Conc):
    async def __init__(self) -> None:  # type: ignore[misc]  # that is what is tested
        pass


class Giving(corps.Conc):
    def __init__(self) -> None:
        return 5  # type: ignore[return-value]  # noqa: PLE0101 - that is what is tested


class Interleaving(corps.Conc):
    interleave = True

    def __init__(self) -> None:
        self.begun = 0
        self.over = asyncio.Event()

    async def stay(self) -> int:
        self.begun += 1
        await self.over.wait()
        return self.begun

    async def leave(self) -> None:
        self.over.set()

    @property
    def computed(self) -> int:
        return self.begun


def test_a_generic_class_may_be_named_with_its_argument(way: Way) -> None:
    assert way.create(Box[int], 3).content.ret == 3


def test_a_frozen_dataclass_and_a_guarding_class_are_workers(way: Way) -> None:
    assert way.create(Frozen, 4).content.ret == 4
    assert way.create(Guarded).ready().ret is True
    assert way.create(Forwarding).me().ret == "{'a': 1}"


def test_dispatching_and_partial_methods_are_methods(way: Way) -> None:
    by_type = way.create(ByType)
    assert [by_type.kind(3).ret, by_type.kind("x").ret, by_type.pair_of_one(2).ret] == [
        "int",
        "object",
        (1, 2),
    ]


def test_what_an_object_keeps_hides_no_step_and_no_hook(way: Way) -> None:
    keeps = way.create(KeepsMuch)
    assert keeps.kept().ret == ("data", None, "kept")
    assert keeps.exit().ret is None


@pytest.mark.parametrize(
    ("cls", "why"),
    [(Soft, "gave <coroutine"), (Giving, "gave 5"), (Single, "each worker is an object of its")],
)
def test_a_constructor_that_makes_no_object_of_its_own_is_refused(way: Way, cls: type[Any], why: str) -> None:
    if cls is Single:
        way.create(cls)  # the first one is an object of its own
    with pytest.raises(corps.DefinitionError, match=why):
        way.create(cls)


def test_an_attribute_of_an_interleaving_worker_is_read_while_coroutines_wait(way: Way) -> None:
    worker = way.create(Interleaving)
    staying = worker.stay()
    while worker.begun.ret == 0:
        assert not staying.done()
    assert not staying.done()
    computed = worker.computed  # runs code, so it waits like a plain method
    left = worker.leave()
    assert [staying.done(), computed.done(), left.done()] == [False, False, False]
    staying.cancel()
    assert computed.ret == 1


class Lazy:
    """A proxy whose class nothing may ask for before it is set up."""

    def __init__(self, how: str) -> None:
        self._how = how

    @property
    def __class__(self) -> Any:
        raise SystemExit("not set up") if self._how == "exits" else LookupError("not set up")

    @__class__.setter
    def __class__(self, value: Any) -> None: ...


class WithLazy(corps.Conc):
    interleave: ClassVar[bool | int] = True

    def take(self, what: object) -> str:
        return type(what).__name__

    def give(self, how: str) -> Any:
        return Lazy(how)

    async def agive(self, how: str) -> Any:
        return Lazy(how)

    def yields(self, how: str) -> Any:
        yield Lazy(how)


@pytest.mark.parametrize("how", ["raises", "exits"])
def test_an_object_that_will_not_say_its_class_travels_or_is_refused(way: Way, how: str) -> None:
    """Was a defect: the result of a method was asked for its class, and failed the method or the worker."""
    worker = way.create(WithLazy)
    asked: list[Callable[[], Any]] = [
        lambda: worker.take(Lazy(how)).result(20),
        lambda: worker.give(how).result(20),
        lambda: worker.agive(how).result(20),
        lambda: worker.options(deadline=20.0).give(how).result(),
        lambda: next(worker.yields(how).ret),
    ]
    for ask in asked:
        if way.is_local:
            given = ask()
            assert given == "Lazy" or type(given) is Lazy
        else:
            with pytest.raises(corps.PackError, match=r"of type .*Lazy: .*not set up"):
                ask()
    assert worker.take(1).result(20) == "int"
