"""Claims about objects of the standard library that reduce to names which nobody else can import."""

import functools
import importlib.util
import sys
import typing
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from corps.errors import PackError
from corps.packing.packer import Packer
from tests.unit.packing.lines import Line

CODECS = pytest.mark.parametrize("codec", ["pickle", "dill"])


class Single:
    def __reduce__(self) -> str:
        return "SINGLE"


SINGLE = Single()


def in_main(monkeypatch: pytest.MonkeyPatch, name: str, thing: Any) -> Any:
    """The thing, as the script has it."""
    monkeypatch.setattr(thing, "__module__", "__main__", raising=False)
    monkeypatch.setattr(sys.modules["__main__"], name, thing, raising=False)
    return thing


def things() -> dict[str, Any]:
    cached = functools.lru_cache(maxsize=3)(lambda n: n + 1)
    cached.__qualname__ = "cached"
    return {
        "cached": cached,
        "UserId": typing.NewType("UserId", int),
        "T": typing.TypeVar("T", bound="int", covariant=True),
        "S": typing.TypeVar("S", str, bytes),
        "P": typing.ParamSpec("P"),
        "Ts": typing.TypeVarTuple("Ts"),
    }


@CODECS
@pytest.mark.parametrize("name", things())
def test_what_reduces_to_a_name_of_the_script_travels(
    monkeypatch: pytest.MonkeyPatch, codec: str, name: str
) -> None:
    thing = in_main(monkeypatch, name, things()[name])
    line = Line(codec=codec)
    there = line.send(thing)
    assert there is not thing
    assert there.__module__ == "__main__"
    if name == "cached":
        assert (there(1), there.cache_parameters()) == (2, thing.cache_parameters())
        return
    assert repr(there) == repr(thing)
    assert line.send(thing) is there
    assert line.send_back(there) is thing


@pytest.mark.parametrize("name", things())
def test_it_goes_by_the_alias_where_the_script_has_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    thing = in_main(monkeypatch, name, things()[name])
    packed = Packer(main_alias="script").pack(thing)
    assert b"restore_main" in packed.body
    found = Packer(resolve_module=lambda _: sys.modules["__main__"]).unpack(packed)
    assert found is thing


@CODECS
def test_a_single_instance_goes_by_its_name_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, codec: str
) -> None:
    assert Line(codec=codec).send(SINGLE) is SINGLE
    monkeypatch.setattr(Single, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "SINGLE", SINGLE, raising=False)
    with pytest.raises(PackError, match="packed as a name"):
        Packer(codec=codec).pack([SINGLE])


@CODECS
def test_weak_dictionaries_and_cached_properties_travel(codec: str) -> None:
    class Owner:
        lazy = functools.cached_property(lambda self: [5])

    owner = Line(codec=codec).send(Owner())
    assert owner.lazy is owner.lazy
    key, there = Line(codec=codec).send((Owner, weakref.WeakKeyDictionary({Owner: 1})))
    assert dict(there) == {key: 1}


@CODECS
def test_single_dispatch_travels(codec: str) -> None:
    @functools.singledispatch
    def show(thing: object) -> str:
        return "object"

    show.register(int, lambda _: "int")
    show(1)
    there = Line(codec=codec).send(show)
    assert (there(1), there("")) == ("int", "object")


PLUGIN = """
LIMIT = 3

class Thing:
    x = 1

def limit():
    return LIMIT
"""


def from_path(directory: Path, name: str) -> ModuleType:
    (directory / f"{name}.py").write_text(
        "LIMIT = 3\nclass Thing:\n    x = 1\n\ndef limit():\n    return LIMIT\n"
    )
    found = importlib.util.spec_from_file_location(name, directory / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@CODECS
@pytest.mark.parametrize("is_known", [True, False])
def test_what_is_in_a_module_from_a_path_travels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, codec: str, is_known: bool
) -> None:
    plugin = from_path(tmp_path, "plugin_of_this_test")
    if is_known:
        monkeypatch.setitem(sys.modules, "plugin_of_this_test", plugin)
    line = Line(codec=codec)
    sent = [line.forward.packer.pack(each) for each in (plugin, plugin.limit, plugin.Thing())]
    monkeypatch.delitem(sys.modules, "plugin_of_this_test", raising=False)
    there, limit, thing = map(line.backward.packer.unpack, sent)
    assert there is not plugin
    assert (there.limit(), there.Thing.x) == (3, 1)
    assert limit() == 3
    assert type(thing) is not plugin.Thing
    assert type(line.send_back(thing)) is plugin.Thing


@CODECS
def test_who_has_loaded_the_same_file_gets_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, codec: str
) -> None:
    plugin, there = (from_path(tmp_path, "plugin_of_this_test") for _ in range(2))
    vars(there)["LIMIT"] = 7
    line = Line(codec=codec)
    for _ in range(3):
        monkeypatch.setitem(sys.modules, "plugin_of_this_test", plugin)
        sent = line.forward.packer.pack([plugin, plugin.limit, plugin.Thing()])
        monkeypatch.setitem(sys.modules, "plugin_of_this_test", there)
        module, limit, thing = line.backward.packer.unpack(sent)
        assert (module, limit, type(thing)) == (there, there.limit, there.Thing)
        assert limit() == 7
        sent = line.backward.packer.pack(thing)
        monkeypatch.setitem(sys.modules, "plugin_of_this_test", plugin)
        assert type(line.forward.packer.unpack(sent)) is plugin.Thing


@CODECS
def test_modules_go_by_name_and_the_script_by_its_alias_or_not_at_all(codec: str) -> None:
    assert Line(codec=codec).send([sys, typing]) == [sys, typing]
    main = sys.modules["__main__"]
    with pytest.raises(PackError, match="another program"):
        Packer(codec=codec).pack(main)
    packed = Packer(codec=codec, main_alias="script").pack(main)
    assert (
        Packer(codec=codec, resolve_module=lambda name: ModuleType(name)).unpack(packed).__name__ == "script"
    )
