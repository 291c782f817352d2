"""Claims about members of importable enums: what arrives is the very member, on every release of Python."""

import copyreg
import enum
import pickletools
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from corps.errors import PackError, UnpackError, Untrusted
from corps.packing.codecs import PICKLE
from corps.packing.durable_format import build
from corps.packing.enum_members import FIND_MEMBER, find_member
from corps.packing.packer import Packer
from tests.unit.packing import of_others
from tests.unit.packing.kinds import Permission
from tests.unit.packing.of_others import Colour, Odd, called
from tests.unit.packing.stored import load_bytes, store_bytes

MEMBERS = [*Odd, *Colour, *Permission, signal.SIGTERM, signal.SIG_IGN]
MODULES = {type(member).__module__ for member in MEMBERS}
WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda thing: Packer().unpack(Packer().pack(thing)),
    "dill": lambda thing: Packer(codec="dill").unpack(Packer(codec="dill").pack(thing)),
    "durable": lambda thing: load_bytes(store_bytes(thing)),
    "allow": lambda thing: load_bytes(store_bytes(thing), allow=lambda module, _name: module in MODULES),
    "data": lambda thing: load_bytes(store_bytes(thing), trust="data"),
}
TELLING = {"SHORT_BINUNICODE", "BININT1"}
TRUSTING = pytest.mark.parametrize("way", ["pickle", "dill", "durable"])


class Kept(enum.Flag, boundary=enum.KEEP):
    A = 1


def by_enum_name(member: Any, protocol: Any) -> Any:
    return getattr, (type(member), member.name)


def by_global_name(member: Any, protocol: Any) -> Any:
    return member.name


class Chosen(enum.Enum):
    ONE = 1

    def __reduce_ex__(self, protocol: Any) -> Any:
        return chosen, ()


def chosen() -> str:
    return "as its author says"


class Named(enum.Enum):
    ONE = 1
    TWO = 2

    # Early releases of Python 3.11 do not offer it.
    __reduce_ex__ = getattr(enum, "pickle_by_enum_name", by_enum_name)  # type: ignore[assignment]


class Exported(enum.Enum):
    HERE = 1

    __reduce_ex__ = getattr(enum, "pickle_by_global_name", by_global_name)  # type: ignore[assignment]


HERE = Exported.HERE


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_every_member_is_found(way: str, member: enum.Enum) -> None:
    assert WAYS[way](member) is member
    assert all(each is member for each in WAYS[way]([member, (member,)])[1])


@TRUSTING
def test_combinations_of_flags_are_made_by_their_value(way: str) -> None:
    assert WAYS[way](Permission.READ | Permission.WRITE) is Permission.READ | Permission.WRITE
    assert WAYS[way](Permission(0)) is Permission(0)
    there = WAYS[way](Kept(9))  # which early releases of Python 3.11 cannot unpack themselves
    assert (type(there), there.value) == (Kept, 9)


@pytest.mark.parametrize(
    ("member", "names", "arguments"),
    [
        (Colour.RED, (), [1]),
        (signal.SIGTERM, (), [int(signal.SIGTERM)]),
        (Permission.READ | Permission.WRITE, (), [3]),
        (Odd.NOWHERE, FIND_MEMBER, ["NOWHERE"]),
    ],
)
def test_the_bytes_are_the_same_on_every_python(
    member: enum.Enum, names: tuple[str, ...], arguments: list[Any]
) -> None:
    body = Packer().pack(member).body
    told = [argument for opcode, argument, _position in pickletools.genops(body) if opcode.name in TELLING]
    assert told == [*names, type(member).__module__, type(member).__qualname__, *arguments]


@TRUSTING
def test_what_an_author_says_about_packing_is_heeded(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert WAYS[way](Chosen.ONE) == "as its author says"
    monkeypatch.setitem(copyreg.dispatch_table, Colour, lambda _member: (chosen, ()))
    assert WAYS[way](Colour.RED) == "as its author says"


def test_an_author_may_choose_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = Packer().pack(Named.ONE)
    later = enum.Enum("Named", {"ONE": 2, "TWO": 1}, module=__name__)  # type: ignore[misc]
    monkeypatch.setattr(sys.modules[__name__], "Named", later)
    assert Packer().unpack(packed) is later["ONE"]


@pytest.mark.parametrize("way", ["pickle", "durable"])
def test_an_author_may_choose_a_name_of_the_module(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys.modules[__name__], "Exported")
    assert WAYS[way](HERE) is HERE


def test_a_member_that_the_reader_lacks_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = Packer().pack(Odd.UNIQUE)
    later = enum.Enum("Odd", {"OTHER": 1}, module=of_others.__name__)  # type: ignore[misc]
    monkeypatch.setattr(of_others, "Odd", later)
    with pytest.raises(UnpackError, match="Odd has no member of the name 'UNIQUE'"):
        Packer().unpack(packed)


def test_an_enum_that_cannot_be_stored_is_to_blame_and_not_the_value_of_its_member() -> None:
    class Local(enum.Enum):
        ODD = Odd

    with pytest.raises(PackError, match="Local") as caught:
        store_bytes({"x": Local.ODD})
    assert "['x'].__class__" in str(caught.value)


@pytest.mark.parametrize("trusted", [{"trust": "data"}, {"allow": lambda _module, _name: True}])
@pytest.mark.parametrize("name", ["Point", "Plain", "run", "Tagged"])
def test_bytes_of_others_look_for_members_of_enums_alone(trusted: Any, name: str) -> None:
    called.clear()
    found = f"c{FIND_MEMBER[0]}\n{FIND_MEMBER[1]}\n"
    steps = f"{found}c{of_others.__name__}\n{name}\n".encode() + b"\x8c\x01x\x86R"
    names = {":".join(FIND_MEMBER), f"{of_others.__name__}:{name}"}
    with pytest.raises((Untrusted, UnpackError)):
        load_bytes(b"".join(build(PICKLE, names, [b"\x80\x05", steps, b"."])), **trusted)
    assert called == []


def test_what_is_no_enum_has_no_members() -> None:
    class Forged:
        _member_map_ = {"x": 1}  # noqa: RUF012

    for thing in (Forged, Forged(), 5):
        with pytest.raises(UnpackError, match="no enum"):
            find_member(thing, "x")
