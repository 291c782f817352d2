import enum
import math
from collections.abc import Callable
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


OF_MESSAGEPACK = [
    msgpack.Timestamp(1),
    msgpack.Timestamp(2**33, 5),
    msgpack.Timestamp(-1),
    msgpack.ExtType(TUPLE, b""),
    msgpack.ExtType(BIG_INT, b"1"),
    msgpack.ExtType(99, bytes(300)),
    msgpack.ExtType(99, bytes(70_000)),
]
PLACES: list[Callable[[Any], Any]] = [
    lambda thing: thing,
    lambda thing: [1, thing],
    lambda thing: {"key": [(0, thing)]},
    lambda thing: {thing: 1},
    lambda thing: {(1, thing)},
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("thing", OF_MESSAGEPACK)
def test_what_only_messagepack_knows_is_no_data(thing: object, place: Callable[[Any], Any]) -> None:
    with pytest.raises(Refusal) as caught:
        encode_data(place(thing))
    assert caught.value.thing is thing


@pytest.mark.parametrize("place", PLACES[:2] + PLACES[3:4])
@pytest.mark.parametrize("time", OF_MESSAGEPACK[:3])
def test_a_time_of_another_writer_is_no_data(time: object, place: Callable[[Any], Any]) -> None:
    with pytest.raises(UnpackError, match="a time of MessagePack"):
        decode_data(msgpack.packb(place(time)))


@pytest.mark.parametrize(
    "value", [[b"\xd6\xff", {"\u0558": (b"\xc7\x0c\xff",)}], [0xD6FF], {0xD7FF: "\u01ff"}]
)
def test_bytes_that_only_look_like_the_beginning_of_a_time_are_data(value: Any) -> None:
    assert same(decode_data(encode_data(value)), value)


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
