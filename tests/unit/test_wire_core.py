"""Whichever core runs reads and writes what goes between Envs as the Python code does, which defines it."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps import core
from corps.addresses import ConcAddr
from corps.core import pure_function, pure_of
from corps.errors import CorpsError
from corps.messages.requests import Kind
from corps.packing.packer import Packed, Packer
from corps.wire.frames import MAX_NUMBER, RequestHeader, outcome_frame, read_header, request_frame

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**66), 2**66)
    | st.sampled_from([-(2**31) - 1, -(2**31), 2**31 - 1, 2**31, 255, 256, 65535, 65536, -1, 2**63, -(2**63)])
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
    | st.binary(max_size=300)
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(ATOMS, inner, max_size=5)
        | st.lists(inner, min_size=1, max_size=3).map(lambda items: [items, items, tuple(items), items[0]])
    ),
    max_leaves=12,
)
NUMBERS = st.integers(0, MAX_NUMBER) | st.integers(0, 300)
ANY = NUMBERS | st.integers() | st.none() | st.text() | st.booleans() | st.floats()


def shape(value: Any, seen: dict[int, int] | None = None) -> Any:
    """Return what a value is made of: types, contents, and which lists and dicts are the same one."""
    seen = {} if seen is None else seen
    if isinstance(value, list | dict | tuple):
        if id(value) in seen and not isinstance(value, tuple):
            return "again", seen[id(value)]
        seen.setdefault(id(value), len(seen))
        items = value.items() if isinstance(value, dict) else value
        return type(value), [
            (shape(item[0], seen), shape(item[1], seen)) if isinstance(value, dict) else shape(item, seen)
            for item in items
        ]
    return type(value), repr(value)


def result_of(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what a call gives, or the type of what it raises."""
    try:
        return function(*args, **kwargs)
    except (CorpsError, TypeError, ValueError, OverflowError, AttributeError, IndexError) as error:
        return type(error)


@given(VALUES)
def test_a_value_is_packed_as_pickle_packs_it(value: Any) -> None:
    packed = Packer().pack(value)
    assert packed == pure_of(Packer)().pack(value)
    assert shape(Packer().unpack(packed)) == shape(pickle.loads(packed.body))


def test_a_list_that_holds_itself_comes_back_holding_itself() -> None:
    value: list[Any] = [1]
    value.append((value, {"self": value}))
    copy = Packer().unpack(Packer().pack(value))
    assert copy[1][0] is copy
    assert copy[1][1]["self"] is copy


def test_what_is_deep_or_large_is_packed_as_ever() -> None:
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    for value in (deep, list(range(2000)), {n: str(n) for n in range(1500)}, "x" * 70_000, b"y" * 5000):
        packed = Packer().pack(value)
        assert packed == pure_of(Packer)().pack(value)
        assert Packer().unpack(packed) == value


@given(st.binary(max_size=60) | VALUES.map(lambda value: pickle.dumps(value, 5)), st.data())
def test_damaged_pickles_are_read_as_pickle_reads_them(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body)))
    change = data.draw(st.binary(max_size=3))
    damaged = body[:at] + change + body[at + data.draw(st.integers(0, 3)) :]
    for each in (damaged, damaged[:at], b"\x80\x05" + damaged):
        packed = Packed(1, each, ())
        mine, its = result_of(Packer().unpack, packed), result_of(pure_of(Packer)().unpack, packed)
        assert shape(mine) == shape(its)


@given(NUMBERS | ANY, st.sampled_from(Kind), NUMBERS | ANY, st.text(max_size=250) | ANY, st.data())
def test_the_header_of_a_request_is_written_as_ever(
    number: Any, kind: Kind, conc: Any, method: Any, data: st.DataObject
) -> None:
    sender = data.draw(
        st.none() | st.tuples(st.integers(-1, MAX_NUMBER), NUMBERS) | st.tuples(ANY, ANY) | ANY
    )
    rest = data.draw(st.none() | st.floats() | st.none())
    args = (number, kind, ConcAddr("c", 1, conc), method, sender, rest, data.draw(st.integers(-1, 300)))
    assert result_of(request_frame, *args) == result_of(pure_function(request_frame), *args)


@given(NUMBERS | ANY, st.integers(0, 5) | ANY, st.integers(0, 300) | ANY)
def test_the_header_of_an_outcome_is_written_as_ever(number: Any, status: Any, codec: Any) -> None:
    args = number, status, codec
    assert result_of(outcome_frame, *args) == result_of(pure_function(outcome_frame), *args)


HEADERS = st.builds(
    lambda number, conc, method, sender: request_frame(
        number, Kind.CALL, ConcAddr("c", 1, conc), method, sender, None, 1
    ),
    *(st.integers(0, MAX_NUMBER), st.integers(0, MAX_NUMBER), st.text(max_size=40)),
    st.none() | st.tuples(st.integers(-1, MAX_NUMBER), st.integers(0, MAX_NUMBER)),
) | st.builds(outcome_frame, st.integers(1, MAX_NUMBER), st.integers(0, 3), st.integers(0, 255))


@pytest.mark.skipif(core.name == "pure", reason="no header is read natively here")
@given(HEADERS, st.integers(0, 60), st.binary(max_size=3), st.integers(0, 3))
def test_a_header_that_is_read_natively_is_read_as_ever(header: bytes, at: int, put: bytes, cut: int) -> None:
    from corps._core import engine

    for data in (header, header[:at] + put + header[at + cut :]):
        fields = engine.read_usual(data)
        if fields is not None:  # else it is left to Python
            read = read_header([data, b""])
            known = (*read[:5], read.codec) if isinstance(read, RequestHeader) else tuple(read)
            assert fields == known
            assert not isinstance(read, RequestHeader) or (read.remaining, read.optional) == (None, None)
