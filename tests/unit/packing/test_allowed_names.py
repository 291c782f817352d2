"""Forged files against `allow`: what they name is taken for what it is, and nothing else is reached."""

import pickle
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.errors import UnpackError, Untrusted
from corps.packing.codecs import PICKLE
from corps.packing.durable_format import build
from tests.unit.packing import of_others
from tests.unit.packing.of_others import Child, Colour, Frozen, Pair, Point, Rows, Slotted, called, keyed
from tests.unit.packing.stored import load_bytes, store_bytes

MINE = of_others.__name__


def attributes() -> dict[str, Any]:
    """Of all classes of the module, without what `copyreg` notes on them."""
    classes = {name: cls for name, cls in vars(of_others).items() if type(cls) is type}
    return {
        f"{name}.{attribute}": value
        for name, cls in classes.items()
        for attribute, value in vars(cls).items()
        if attribute != "__slotnames__"
    }


@pytest.fixture(autouse=True)
def _nothing_has_run() -> Iterator[None]:
    called.clear()
    before = attributes()
    yield
    assert attributes() == before
    assert keyed() == "guest"


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"\x8c" + struct.pack("<B", len(encoded)) + encoded


def named(qualname: str, module: str = MINE) -> bytes:
    """The steps that push what a name stands for."""
    return b"X" + struct.pack("<I", len(module)) + module.encode() + text(qualname) + b"\x93"


def forged(steps: bytes, *names: str) -> bytes:
    """A stored form whose manifest lists all that it names."""
    listed = {name if ":" in name else f"{MINE}:{name}" for name in names}
    return b"".join(build(PICKLE, listed, [b"\x80\x05", steps, b"."]))


def load(data: bytes) -> Any:
    return load_bytes(data, allow=lambda module, _name: module == MINE)


HIDDEN = [
    "Point.__init__.__globals__.get",
    "Point.__base__.__getattribute__",
    "Point.__base__.__subclasses__",
    "Point.move.__globals__",
    "Point.move.__code__",
    "Point.__dict__",
    "Point.__class__",
    "Point.mro",
    "Point.load",
    "Point.x",
    "Point.load.__func__",
    "run.__globals__",
    "run.__call__",
    "__builtins__",
    "__loader__.load_module",
    "__spec__",
    "os",
    "os.system",
    "system",
    "handler",
    "price",
    "called.append",
    "called",
    "datetime",
    "Decimal",
    "dataclass",
    "field",
    "NamedTuple",
    "enum.Enum",
    "Colour.RED",
    "Colour.RED.__class__",
    "Point.",
    ".Point",
    "",
    "Point..move",
]


@pytest.mark.parametrize("qualname", HIDDEN)
def test_a_name_that_leads_away_from_what_was_defined_there_is_untrusted(qualname: str) -> None:
    for steps in (named(qualname), named(qualname) + text("os") + b"\x85R"):
        with pytest.raises(UnpackError):
            load(forged(steps, qualname))
        with pytest.raises(UnpackError):
            load(forged(steps, "Point"))  # and not in the manifest
    assert called == []


@pytest.mark.parametrize(
    ("module", "qualname"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("operator", "attrgetter"),
        ("corps.packing.unpickler", "unpickle"),
        ("corps.packing.references", "restore_main"),
        ("corps", "load"),
        ("copyreg", "_reconstructor"),
        ("_pickle", "loads"),
        (f"{MINE}.os", "system"),
    ],
)
def test_what_lies_elsewhere_is_untrusted_and_what_is_hidden_or_ours_even_if_it_is_allowed(
    module: str, qualname: str
) -> None:
    data = forged(named(qualname, module), f"{module}:{qualname}")
    with pytest.raises(Untrusted, match=f"{module}:{qualname}"):
        load(data)
    if module.startswith(("_", "corps", "copyreg")):
        with pytest.raises(Untrusted):
            load_bytes(data, allow=lambda _module, _name: True)


@pytest.mark.parametrize(
    "steps",
    [
        # state of a class, of a function: by attributes, by a dict
        named("Point") + b"N}" + text("move") + named("run") + b"s\x86b",
        named("keyed") + b"N}" + text("__kwdefaults__") + b"}" + text("role") + text("admin") + b"ss\x86b",
        named("keyed") + b"}" + text("mark") + b"Nsb",
        named("Point") + b"}" + text("x") + b"Nsb",
        # items
        named("Point") + text("x") + b"Ns",
        named("run") + b"Na",
        # a call of what came of a call, of an object, of a method
        named("make_runner") + b")R)R",
        named("Plain") + b")\x81)R",
        named("run") + b")\x81",
        # through the memo
        named("Point") + b"\x940h\x00N}" + text("move") + b"Ns\x86b",
    ],
)
def test_nothing_is_called_or_changed_but_what_was_named_and_made(steps: bytes) -> None:
    names = [name for name in ("Point", "keyed", "run", "make_runner", "Plain") if text(name) in steps]
    with pytest.raises(Untrusted):
        load(forged(steps, *names))
    assert called == []


def test_what_is_allowed_is_loaded_and_called() -> None:
    rows = Rows([1, 2])
    value = [Point(1, Pair(2, [Colour.RED])), Child(1), Frozen(2), Slotted(3), rows, Point, of_others.run]
    assert load_bytes(store_bytes(value), allow=lambda _module, _name: True) == value
    assert (
        load_bytes(store_bytes(Point.parse), allow=lambda *name: name == (MINE, "Point.parse")) is Point.parse
    )


GADGETS = (
    *(
        named(name)
        for name in ("Point", "Child", "Frozen", "Pair", "Colour", "Nosy", "Temporary", "run", "keyed")
    ),
    *(named(name) for name in HIDDEN),
    *(text(name) for name in ("x", "__class__", "__dict__", "__setstate__", "__kwdefaults__", "move")),
    *(
        b"N",
        b")",
        b"]",
        b"}",
        b"\x8f",
        b"(",
        b"K\x01",
        b"\x85",
        b"\x86",
        b"\x87",
        b"t",
        b"\x94",
        b"h\x00",
        b"h\x01",
    ),
    *(b"R", b"\x81", b"\x92", b"b", b"a", b"e", b"s", b"u", b"\x90", b"\x91", b"0", b"1"),
)


@given(steps=st.lists(st.sampled_from(GADGETS), max_size=25))
def test_no_mixture_of_gadgets_runs_anything_with_trust_in_data_only(steps: list[bytes]) -> None:
    called.clear()
    data = forged(b"".join(steps), "Point", "Child", "Frozen", "Pair", "Colour")
    try:
        load_bytes(data, trust="data")
    except UnpackError:
        pass
    assert called == []


@given(steps=st.lists(st.sampled_from(GADGETS), max_size=25))
def test_no_mixture_of_gadgets_reaches_beyond_the_module_that_is_allowed(steps: list[bytes]) -> None:
    names = ("Point", "Child", "Frozen", "Pair", "Colour", "Nosy", "Temporary", "keyed")
    try:
        load(forged(b"".join(steps), *names))
    except UnpackError:
        pass
    assert "run" not in called


def test_the_plain_pickle_of_the_same_gadgets_would_run_them() -> None:
    pickle.loads(b"\x80\x05" + named("Point.__init__.__globals__.get") + text("run") + b"\x85R)R.")
    assert called == ["run"]
