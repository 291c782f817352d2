import enum
import os
import pickle
import sys
from types import ModuleType

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from corps.errors import UnpackError, Untrusted
from corps.packing.codecs import PICKLE
from corps.packing.packer import Packed, Packer
from tests.unit.packing.kinds import Holder, NameStandIn, Point, RaisesWhenRestored, add

_SYSTEM = b"cos\nsystem\n(S'exit 1'\ntR."


def _body(body: bytes) -> Packed:
    return Packed(PICKLE, body, ())


def test_a_rebound_name_is_answered_with_what_the_reader_bound() -> None:
    def bind(address: str) -> NameStandIn:
        return NameStandIn(address, router="mine")

    reader = Packer(
        rebind={(NameStandIn.__module__, "restore_name"): bind}, allow=lambda _module, _name: False
    )
    name = reader.unpack(Packer().pack(NameStandIn("a/b")))
    assert (name.address, name.router) == ("a/b", "mine")


def test_what_is_not_allowed_is_never_looked_up() -> None:
    def resolve(name: str) -> ModuleType:
        raise AssertionError(name)

    reader = Packer(allow=lambda module, _name: module != "os", resolve_module=resolve)
    with pytest.raises(Untrusted, match="os:system"):
        reader.unpack(_body(_SYSTEM))


def test_allow_sees_module_and_qualified_name() -> None:
    seen = []

    def allow(module: str, qualname: str) -> bool:
        seen.append((module, qualname))
        return True

    assert Packer(allow=allow).unpack(Packer().pack(Holder.Inner)) is Holder.Inner
    assert seen == [(Holder.__module__, "Holder.Inner")]


@pytest.mark.parametrize("value", [lambda: 1, type("Local", (), {}), os, enum.Enum("E", "A")])
def test_allow_sees_the_helpers_that_code_by_value_needs(value: object) -> None:
    with pytest.raises(Untrusted, match=r"corps\.packing\.|os:"):
        Packer(allow=lambda module, _name: not module.startswith(("corps.packing", "os"))).unpack(
            Packer().pack(value)
        )


def test_the_alias_of_main_is_no_way_around_allow() -> None:
    packed = _body(b"ccorps.packing.references\nrestore_main\n(S'os'\nS'system'\ntR.")
    assert Packer().unpack(packed) is os.system
    with pytest.raises(Untrusted, match="os:system"):
        Packer(allow=lambda module, _name: module != "os").unpack(packed)


def test_a_name_with_dots_does_not_reach_another_module() -> None:
    body = b"\x80\x05\x8c\x08tempfile\x8c\x0a_os.system\x93."
    with pytest.raises(UnpackError, match="leads out"):
        Packer().unpack(_body(body))


@pytest.mark.parametrize("body", [b"cno_such_module\nthing\n.", b"cos\nno_such_name\n.", b"c.os\nsystem\n."])
def test_names_that_do_not_exist_are_unpack_errors(body: bytes) -> None:
    with pytest.raises(UnpackError):
        Packer().unpack(_body(body))


@pytest.mark.parametrize(
    "error", [ValueError("bad"), SystemExit(3), GeneratorExit(), MemoryError(), RecursionError()]
)
def test_whatever_code_in_the_bytes_raises_becomes_an_unpack_error(error: BaseException) -> None:
    with pytest.raises(UnpackError, match=type(error).__name__) as caught:
        Packer().unpack(Packer().pack([RaisesWhenRestored(error)]))
    assert type(caught.value.__cause__) is type(error)


def test_a_keyboard_interrupt_is_meant_for_the_process() -> None:
    with pytest.raises(KeyboardInterrupt):
        Packer().unpack(Packer().pack(RaisesWhenRestored(KeyboardInterrupt())))


class _Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError


def test_an_exception_without_a_text_is_still_reported() -> None:
    with pytest.raises(UnpackError, match="_Unspeakable"):
        Packer().unpack(Packer().pack(RaisesWhenRestored(_Unspeakable())))


@given(st.binary(max_size=40))
def test_garbage_is_an_unpack_error_or_a_value(body: bytes) -> None:
    # PUT and LONG_BINPUT have CPython allocate, and fill, a memo up to the index that they name: gigabytes.
    assume(not set(body) & {*pickle.PUT, *pickle.LONG_BINPUT})
    # The look-up is closed: garbage must not run anything while it is tested.
    reader = Packer(allow=lambda _module, _name: False)
    try:
        reader.unpack(_body(body))
    except UnpackError:
        pass


def test_cut_pickles_and_missing_buffers_are_unpack_errors() -> None:
    packed = Packer().pack([Point(1, add), bytearray(10)])
    for cut in range(len(packed.body)):
        with pytest.raises(UnpackError):
            Packer().unpack(packed._replace(body=packed.body[:cut]))
    outside = Packer(out_of_band=1).pack(pickle.PickleBuffer(b"12345"))
    with pytest.raises(UnpackError):
        Packer().unpack(outside._replace(buffers=()))


def test_a_module_that_is_being_imported_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    unfinished = ModuleType("tests.unit.packing.kinds")
    finished = sys.modules["tests.unit.packing.kinds"]
    packed = Packer().pack(add)
    monkeypatch.setitem(sys.modules, "tests.unit.packing.kinds", unfinished)

    def finish(_name: str) -> ModuleType:
        return finished

    monkeypatch.setattr("corps.packing.unpickler.import_module", finish)
    assert Packer().unpack(packed) is add
