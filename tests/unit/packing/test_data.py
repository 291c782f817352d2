import enum
import math
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.errors import UnpackError
from corps.packing.data import BIG_INT, TUPLE, decode_data, encode_data
from corps.packing.refusals import Refusal

_KEYS = (
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.tuples(st.integers(), st.text())
)
_LEAVES = _KEYS | st.floats(allow_nan=False) | st.frozensets(_KEYS, max_size=3) | st.sets(_KEYS, max_size=3)
DATA_VALUES: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(_KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    """Equality that tells 1 from True and a list from a tuple."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return len(left) == len(right) and all(map(same, left.items(), right.items()))
    return bool(left == right)


@given(DATA_VALUES)
def test_data_comes_back_with_the_same_types(value: Any) -> None:
    assert same(decode_data(encode_data(value)), value)


def test_nan_comes_back_as_nan() -> None:
    assert math.isnan(decode_data(encode_data(math.nan)))


@pytest.mark.parametrize(
    "number", [2**63, 2**64 - 1, 2**64, -(2**63) - 1, 7**5000, -(7**5000), 255, 128, -128]
)
def test_integers_have_any_size(number: int) -> None:
    assert decode_data(encode_data(number)) == number


def test_buffers_arrive_as_bytes() -> None:
    assert decode_data(encode_data([bytearray(b"a"), memoryview(b"b")])) == [b"a", b"b"]


class _Level(enum.IntEnum):
    LOW = 1


@pytest.mark.parametrize("thing", [object(), _Level.LOW, type("Sub", (dict,), {})(), len, 1j, range(3)])
def test_what_is_not_exact_data_is_refused(thing: object) -> None:
    with pytest.raises(Refusal) as caught:
        encode_data({"deep": [thing]})
    assert caught.value.thing is thing


@given(st.binary(max_size=60))
def test_any_bytes_give_data_or_an_unpack_error(body: bytes) -> None:
    try:
        decode_data(body)
    except UnpackError:
        pass


@given(DATA_VALUES, st.data())
def test_cut_bytes_are_refused(value: Any, data: st.DataObject) -> None:
    body = encode_data(value)
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(UnpackError):
        decode_data(body[:cut])


@pytest.mark.parametrize(
    "body",
    [
        b"\x91" * 100_000 + b"\xc0",
        b"\x92\xc7\x00\x02" * 100_000 + b"\xc0",
        b"\x81\xc0" * 100_000 + b"\xc0",
        (b"\xdd" + (10**5).to_bytes(4, "big")) * 900 + b"\x00" * 10**5,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
    ],
    ids=["arrays", "tuples", "maps", "wide arrays", "huge array", "huge map", "huge str", "huge extension"],
)
def test_bombs_are_unpack_errors(body: bytes) -> None:
    with pytest.raises(UnpackError):
        decode_data(body)


@pytest.mark.parametrize(
    "value",
    [
        msgpack.ExtType(99, b""),
        msgpack.ExtType(TUPLE, b""),
        [1, msgpack.ExtType(TUPLE, b"")],
        [msgpack.ExtType(TUPLE, b"content"), 1],
        {msgpack.ExtType(TUPLE, b""): 1},
    ],
)
def test_extensions_out_of_place_are_refused(value: object) -> None:
    with pytest.raises(UnpackError):
        decode_data(msgpack.packb(value))


def test_an_unhashable_key_is_an_unpack_error() -> None:
    with pytest.raises(UnpackError):
        decode_data(b"\x81\x90\xc0")


def test_the_bytes_of_the_extensions_are_fixed() -> None:
    assert encode_data((1,)) == b"\x92\xc7\x00\x02\x01"
    assert encode_data(2**64) == bytes([0xC7, 9, BIG_INT]) + (2**64).to_bytes(9, "big")
