import colorsys
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from corps.packing.packer import Packed, Packer
from corps.packing.references import (
    Elsewhere,
    _is_found,
    is_importable,
    reduce_by_reference,
    restore_main,
    walk,
)
from tests.unit.packing.kinds import Holder, add, greet, make_adder, make_local_class

_SOURCE = """
import enum
from dataclasses import dataclass
factor = 2
def double(number): return number * factor
def four(number): return double(double(number))
class Thing:
    class Inner: pass
    def method(self): return "called"
class Colour(enum.Enum): RED = 1
@dataclass
class Order: number: int
class Failure(Exception):
    def __init__(self, *, code): super().__init__(code)
"""


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A ``__main__`` that defines the names above."""
    module = ModuleType("__main__")
    exec(_SOURCE, module.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


def names_in(packed: Packed) -> set[str]:
    """The names that the bytes ask for."""
    names: set[str] = set()

    def note(module: str, qualname: str) -> bool:
        names.add(f"{module}:{qualname}")
        return True

    Packer(allow=note).unpack(packed)
    return names


@pytest.mark.parametrize("codec", ["pickle", "dill"])
@pytest.mark.parametrize(
    "thing", [add, greet, Holder, Holder.Inner, Holder.method, len, int, type(None), dict.get]
)
def test_importable_things_go_by_reference(thing: object, codec: str) -> None:
    packer = Packer(codec=codec)
    assert packer.unpack(packer.pack([thing]))[0] is thing


@pytest.mark.parametrize("codec", ["pickle", "dill"])
def test_local_things_go_by_value(codec: str) -> None:
    packer = Packer(codec=codec)
    adder = packer.unpack(packer.pack(make_adder(5)))
    assert adder(1) == 6
    local = packer.unpack(packer.pack(make_local_class()))
    assert local().number == 3
    assert packer.unpack(packer.pack(make_local_class()(4))).number == 4
    assert packer.unpack(packer.pack(lambda: "lambda"))() == "lambda"


@pytest.mark.parametrize("codec", ["pickle", "dill"])
def test_without_an_alias_main_goes_by_value(program: ModuleType, codec: str) -> None:
    packed = Packer(codec=codec).pack([program.four, program.Thing, program.Thing()])
    four, thing, instance = Packer().unpack(packed)
    assert four(3) == 12
    assert thing().method() == "called"
    assert instance.method() == "called"


@pytest.mark.parametrize("codec", ["pickle", "dill"])
def test_with_an_alias_main_goes_by_reference_and_the_resolver_answers(
    program: ModuleType, codec: str
) -> None:
    elsewhere = ModuleType("app")
    exec(_SOURCE, elsewhere.__dict__)
    asked = []

    def resolve(name: str) -> ModuleType:
        asked.append(name)
        return elsewhere if name == "app" else sys.modules[name]

    sender, receiver = Packer(codec=codec, main_alias="app"), Packer(codec=codec, resolve_module=resolve)
    value = [
        program.double,
        program.Thing,
        program.Thing.Inner,
        program.Thing(),
        program.Thing().method,
        program.Colour.RED,
        program.Order(7),
        program.Failure(code=9),
    ]
    double, thing, inner, instance, method, red, order, failure = receiver.unpack(sender.pack(value))
    assert double is elsewhere.double
    assert (thing, inner, type(instance)) == (elsewhere.Thing, elsewhere.Thing.Inner, elsewhere.Thing)
    assert method() == "called"
    assert red is elsewhere.Colour.RED
    assert (type(order), order.number) == (elsewhere.Order, 7)
    assert (type(failure), failure.args) == (elsewhere.Failure, (9,))
    assert "app" in asked
    assert "__main__" not in asked


@pytest.mark.parametrize("codec", ["pickle", "dill"])
def test_the_alias_holds_inside_what_goes_by_value_too(program: ModuleType, codec: str) -> None:
    elsewhere = ModuleType("app")
    exec(_SOURCE, elsewhere.__dict__)
    packer = Packer(
        codec=codec,
        main_alias="app",
        resolve_module=lambda name: elsewhere if name == "app" else sys.modules[name],
    )
    thing = program.Thing
    assert packer.unpack(packer.pack(lambda: thing))() is elsewhere.Thing


def test_what_main_no_longer_holds_goes_by_value(program: ModuleType) -> None:
    double = program.double
    del program.double
    packed = Packer(main_alias="app").pack(double)
    assert Packer().unpack(packed)(4) == 8


def test_things_of_a_module_made_by_hand_go_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("made_by_hand")
    exec(_SOURCE, module.__dict__)
    monkeypatch.setitem(sys.modules, "made_by_hand", module)
    packed = Packer().pack([module.four, module.Thing, module.Thing()])
    monkeypatch.delitem(sys.modules, "made_by_hand")
    four, thing, instance = Packer().unpack(packed)
    assert four(1) == 4
    assert thing().method() == instance.method() == "called"


def test_a_module_known_by_the_alias_counts_as_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("app")
    exec(_SOURCE, module.__dict__)
    monkeypatch.setitem(sys.modules, "app", module)
    assert reduce_by_reference(module.double, Elsewhere("app")) is NotImplemented
    assert reduce_by_reference(module.double, Elsewhere()) is None


def test_one_lambda_among_plain_things_does_not_change_how_those_go() -> None:
    names = names_in(Packer().pack([add, lambda: 1]))
    assert f"{add.__module__}:add" in names


def test_recursive_functions_and_shared_state_keep_their_shape() -> None:
    def countdown(number: int) -> int:
        return 0 if number == 0 else countdown(number - 1)

    packer = Packer()
    assert packer.unpack(packer.pack(countdown))(5) == 0
    shared: list[int] = []
    first, second = packer.unpack(packer.pack((lambda: shared, lambda: shared)))
    assert first() is second()


def test_the_walk_does_not_leave_its_module() -> None:
    module: Any = ModuleType("app")
    module.path = sys.modules["os.path"]
    with pytest.raises(AttributeError, match="leads out"):
        walk(module, "path.join")


def test_restore_main_works_for_readers_without_corps() -> None:
    assert restore_main("pathlib", "Path") is Path


def test_a_module_that_another_one_hides_from_now_on_is_importable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "colorsys.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    _is_found.cache_clear()
    assert is_importable(colorsys)
    assert not _is_found("colorsys", str(tmp_path / "elsewhere" / "colorsys.py"))
    _is_found.cache_clear()
