"""Claims about the look through a body of a stranger: what is data passes, what claims too much does not."""

import re
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corps.errors import UnpackError
from corps.packing.bounds import Bounds, check_bounds
from corps.packing.data import SET, decode_data, encode_data

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
KEYS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary()
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | st.sets(KEYS, max_size=4) | st.frozensets(KEYS, max_size=4),
    lambda inner: (
        st.lists(inner, max_size=20)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=20)
    ),
    max_leaves=30,
)


@given(VALUES)
@example(["x" * 40, b"x" * 300, "x" * 70_000, list(range(70_000)), dict.fromkeys(range(70_000))])
@example({n: [-n, n / 3] for n in (0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**32, 2**63)})
@example([2**100, -(2**8000)])
def test_all_data_with_plain_keys_passes(value: Any) -> None:
    check_bounds(encode_data(value), Bounds(values=1_000_000))


@given(st.binary(max_size=200))
def test_what_passes_can_be_read_or_has_a_fault_that_takes_no_room(body: bytes) -> None:
    try:
        check_bounds(body, Bounds())
    except UnpackError:
        return
    try:
        decode_data(body)
    except UnpackError as error:  # text that is no UTF-8, a list as a key
        assert re.search("utf-8|unhashable", str(error))  # noqa: PT017


@given(VALUES, st.data())
def test_a_body_that_is_cut_short_or_goes_on_does_not_pass(value: Any, data: st.DataObject) -> None:
    body = encode_data(value)
    length = data.draw(st.integers(0, len(body) - 1))
    for wrong in (body[:length], body + b"\xc0"):
        with pytest.raises(UnpackError):
            check_bounds(wrong, Bounds())


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "ends in the middle"),
        (b"\xc1", "no token begins with the byte 0xc1"),
        (b"\xdd\xff\xff\xff\xff", "claims 4294967295 items"),
        (b"\xdf\x7f\xff\xff\xff", "claims 2147483647 items"),
        (b"\xc6\xff\xff\xff\xff", "ends in the middle"),
        (b"\xdb\xff\xff\xff\xffabc", "ends in the middle"),
        (b"\xdc\x00\x02\xc0", "claims 2 items"),
        (b"\xdd\x00\x00\x03\xe8" * 300 + b"\xc0" * 1000, "more than 64 deep"),
        (b"\xd6\xff\x00\x00\x00\x01", "extension of the type 255 with 4 bytes"),
        (b"\xc7\x00\x02", "extension of the type 2 with 0 bytes"),  # a mark that begins no array
        (b"\x91\xc8\x00\x00\x03", "extension of the type 3"),  # a mark in a form that is never written
        (b"\xc8\x04\x01\x01" + b"\x7f" * 1025, "extension of the type 1 with 1025 bytes"),
        (encode_data({(1, 2): 3}), "no plain scalar"),
        (encode_data({2**64: 3}), "no plain scalar"),
        (encode_data({(1,)}), "no plain scalar"),
        (encode_data({1, 2**64}), "no plain scalar"),
        (encode_data([{"a": {frozenset(): 1}}]), "no plain scalar"),
        (msgpack.packb([msgpack.ExtType(SET, b""), []]), "no plain scalar"),
    ],
)
def test_what_does_not_pass_is_named(body: bytes, what: str) -> None:
    with pytest.raises(UnpackError, match=re.escape(what)):
        check_bounds(body, Bounds())


@pytest.mark.parametrize(
    ("value", "bounds", "what"),
    [
        ("x" * 100, Bounds(bytes=100), "102 bytes, and 100 are allowed"),
        (list(range(100)), Bounds(values=100), "more than 100 values"),
        ([[1] * 10] * 10, Bounds(values=100), "more than 100 values"),
        ({1: 2, 3: 4}, Bounds(values=4), "more than 4 values"),
        ([[[]]], Bounds(depth=2), "more than 2 deep"),
        ({1: {2: ({},)}}, Bounds(depth=3), "more than 3 deep"),
    ],
)
def test_each_bound_holds_and_one_less_passes(value: Any, bounds: Bounds, what: str) -> None:
    with pytest.raises(UnpackError, match=what):
        check_bounds(encode_data(value), bounds)
    wider = Bounds(bounds.bytes + 2, bounds.values + 11, bounds.depth + 1)
    check_bounds(encode_data(value), wider)
