import pickle
import sys
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corps.errors import ConfigError, UnpackError, Untrusted
from corps.packing.by_value import ByValue
from corps.packing.codecs import CODEC_TAGS, DATA
from corps.packing.packer import Packed, Packer
from corps.packing.picklers import ReferencePickler, ValuePickler
from corps.packing.plain import is_plain
from tests.unit.packing.kinds import Colour, Holder, Order, Permission, Point, add, greet
from tests.unit.packing.test_data import DATA_VALUES, same

_OBJECTS = st.recursive(
    DATA_VALUES
    | st.complex_numbers(allow_nan=False)
    | st.sampled_from([Colour.RED, Permission.READ | Permission.WRITE, add, Holder, int, ..., len, range(3)]),
    lambda inner: (
        st.builds(Point, st.integers(), inner)
        | st.builds(Order, st.integers(), st.lists(inner, max_size=2))
        | st.lists(inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("codec", CODEC_TAGS)
@given(value=DATA_VALUES)
def test_data_comes_back_the_same_by_every_codec(codec: str, value: Any) -> None:
    packer = Packer(codec=codec)
    packed = packer.pack(value)
    assert packed.codec == CODEC_TAGS[codec]
    assert same(packer.unpack(packed), value)


@settings(deadline=None)
@pytest.mark.parametrize("codec", ["pickle", "dill"])
@given(value=_OBJECTS)
def test_objects_come_back_equal(codec: str, value: Any) -> None:
    packer = Packer(codec=codec)
    assert packer.unpack(packer.pack(value)) == value
    # The same beside something that goes by value only.
    assert packer.unpack(packer.pack((value, lambda: 0)))[0] == value


@pytest.mark.parametrize("codec", ["pickle", "dill"])
def test_identity_inside_a_value_is_kept(codec: str) -> None:
    packer = Packer(codec=codec)
    holder = Holder(kind="shared")
    ring: list[Any] = [holder, holder]
    ring.append(ring)
    first, second, again = packer.unpack(packer.pack(ring))
    assert first is second
    assert again[2] is again


def test_iterators_keep_their_position() -> None:
    packer = Packer()
    numbers = iter([1, 2, 3])
    next(numbers)
    mapped: Iterator[int] = map(add, [1, 2], [3, 4])
    assert list(packer.unpack(packer.pack(numbers))) == [2, 3]
    assert list(packer.unpack(packer.pack(mapped))) == [4, 6]
    assert list(packer.unpack(packer.pack(filter(lambda x: x > 1, [1, 2])))) == [2]


def test_decorated_functions_work_by_reference_and_by_value() -> None:
    packer = Packer()
    assert packer.unpack(packer.pack(greet)) is greet
    assert packer.unpack(packer.pack(greet.__wrapped__))("you") == "hello you"


@pytest.mark.parametrize(
    "thing", [sys, MappingProxyType({1: 2}), {1: 2}.keys(), memoryview(b"12"), property(len)]
)
def test_kinds_that_only_cloudpickle_knows_are_packed(thing: object) -> None:
    packer = Packer()
    restored = packer.unpack(packer.pack([thing]))[0]
    assert isinstance(thing, property) or restored == thing


def test_the_standard_output_is_the_readers() -> None:
    output = sys.stdout
    packer = Packer()
    assert packer.unpack(packer.pack(lambda: output))() is sys.stdout


@pytest.mark.parametrize("codec", ["pickle", "dill"])
def test_large_buffers_share_their_memory_with_the_object(codec: str) -> None:
    packer = Packer(codec=codec)
    array = np.zeros(100_000)
    packed = packer.pack({"array": array, "function": add})
    assert len(packed.buffers) == 1
    assert len(packed.body) < 1_000
    assert np.shares_memory(np.frombuffer(packed.buffers[0]), array)
    array[5] = 7.0
    received = packer.unpack(packed)["array"]
    assert received[5] == 7.0
    assert np.shares_memory(received, array)


def test_buffers_stay_outside_when_the_value_goes_by_value_too() -> None:
    array = np.zeros(100_000)
    packed = Packer().pack(lambda: array)
    assert [memoryview(buffer).nbytes for buffer in packed.buffers] == [800_000]


@pytest.mark.parametrize(("size", "outside"), [(99, 0), (100, 1)])
def test_the_threshold_decides_what_stays_outside(size: int, outside: int) -> None:
    packer = Packer(out_of_band=100)
    packed = packer.pack([pickle.PickleBuffer(bytes(size)), np.zeros(3)])
    assert len(packed.buffers) == outside
    assert bytes(packer.unpack(packed)[0]) == bytes(size)


def test_buffers_keep_their_order_and_may_come_back_as_other_memory() -> None:
    packer = Packer(out_of_band=1)
    packed = packer.pack([np.array([1, 2]), np.array([3])])
    copied = packed._replace(buffers=tuple(bytes(buffer) for buffer in packed.buffers))
    assert [part.tolist() for part in packer.unpack(copied)] == [[1, 2], [3]]


@pytest.mark.parametrize("shape", ["F", "strided"])
def test_arrays_of_any_layout_come_back_equal(shape: str) -> None:
    array = np.arange(40_000.0).reshape(200, 200)
    array = np.asfortranarray(array) if shape == "F" else array[::2, ::2]
    packer = Packer(out_of_band=1)
    assert np.array_equal(packer.unpack(packer.pack(array)), array)


def test_a_reader_of_data_refuses_pickles_before_anything_is_run() -> None:
    reader = Packer(codec="data")
    for codec in ("pickle", "dill"):
        with pytest.raises(Untrusted):
            reader.unpack(Packer(codec=codec).pack(1))
    assert Packer().unpack(reader.pack((1, 2))) == (1, 2)


def test_data_has_no_buffers_and_unknown_codecs_are_refused() -> None:
    with pytest.raises(UnpackError, match="2 buffers"):
        Packer().unpack(Packed(DATA, b"\x01", (b"", b"")))
    with pytest.raises(UnpackError, match="unknown codec 9"):
        Packer().unpack(Packed(9, b"", ()))


def test_an_unknown_codec_is_refused_at_once() -> None:
    with pytest.raises(ConfigError):
        Packer(codec="json")


def test_plain_data_meets_no_pickler_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Packer, "_dump", refuse)
    for value in ((1,), ((1, "a"), {"x": 2.5}), {"k": [b"", None, (True,)]}, "text"):
        assert is_plain(value)
        Packer().pack(value)


@pytest.mark.parametrize(
    "value",
    [Point(1), [Colour.RED], {add: 1}, (add,), {1: 2}, [0] * 17, [[[[[1]]]]], True.__class__, {"k": {1}}],
)
def test_only_small_exact_builtins_count_as_plain(value: object) -> None:
    assert not is_plain(value)


def test_what_goes_by_reference_never_pays_for_cloudpickle(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = []
    packed_by = Packer._dump

    def note(
        self: Packer,
        kind: type[ReferencePickler | ValuePickler],
        value: object,
        by_value: ByValue | None = None,
    ) -> Packed:
        kinds.append(kind)
        return packed_by(self, kind, value, by_value)

    monkeypatch.setattr(Packer, "_dump", note)
    Packer().pack(
        [list(range(100)), add, Holder(x=Colour.RED), Point(1), np.zeros(3), ValueError("x"), range(3)]
    )
    assert kinds == [ReferencePickler]
    Packer().pack(lambda: 1)
    assert kinds[1:] == [ReferencePickler, ValuePickler]
