import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.errors import UnpackError, Untrusted
from corps.packing.allowed_names import _AllowedNames
from corps.packing.pickle_reader import PickleReader
from corps.packing.plain_objects import _PlainObjects
from tests.unit.packing.test_data import DATA_VALUES, same


def read(body: bytes) -> Any:
    def none(_name: str) -> Any:
        raise AssertionError("a module was asked for")

    return PickleReader(_PlainObjects(none, lambda _module, _name: False)).read(body)


@given(value=DATA_VALUES)
def test_data_is_read_as_the_standard_library_reads_it(value: Any) -> None:
    assert same(read(pickle.dumps(value, 5)), value)


def test_all_sizes_of_values_are_read() -> None:
    value = [2**31, -(2**70), 2**5000, "é" * 300, "x" * 70_000, b"y" * 300, b"z" * 70_000, bytearray(b"abc")]
    assert read(pickle.dumps(value, 5)) == value
    many: list[Any] = [[str(number), number] for number in range(5_000)]
    assert read(pickle.dumps([many, many], 5)) == [many, many]


def test_what_is_shared_stays_shared_and_circles_are_closed() -> None:
    inner: list[Any] = []
    circle: Any = (inner,)
    inner.append(circle)
    got = read(pickle.dumps([circle, inner], 5))
    assert got[0][0] is got[1]
    assert got[1][0] is got[0]


def nested(depth: int) -> bytes:
    return b"\x80\x05)" + b"\x85" * depth


def test_a_key_that_takes_the_stack_or_years_to_hash_is_refused() -> None:
    with pytest.raises(Untrusted, match="too large, or too deep"):
        read(b"\x80\x05}" + nested(100_000)[2:] + b"Ns.")
    wide = b")" + b"".join(b"\x94h%c\x86" % number for number in range(60))
    with pytest.raises(Untrusted, match="too large, or too deep"):
        read(b"\x80\x05}" + wide + b"Ns.")
    with pytest.raises(Untrusted, match="too large, or too deep"):
        read(b"\x80\x05\x8f(" + nested(60)[2:] + b"\x90.")
    assert read(b"\x80\x05}" + nested(9)[2:] + b"Ns.") == {((((((((((),),),),),),),),),): None}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b".",
        b"\x80\x05",
        b"\x80\x05N",
        b"\x80\x05NN.",
        b"\x80\x05e.",
        b"\x80\x05\x85.",
        b"\x80\x05h\x07.",
        b"\x80\x05\x93.",
        b"\x80\x05X\xff\xff\xff\xffabc.",
        b"\x80\x05\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"\x80\x05}(Nu.",
        b"\x80\x05]]Ns.",
        b"\x80\x05}]Ns.",
        b"\x80\x05NR.",
        b"\x80\x05Nb.",
        b"\x80\x05)Nb.",
        b"\x80\x05N)\x81.",
        b"\x80\x05N)}\x92.",
        b"\x80\x05NNa.",
        b"\x80\x05\x82\x01.",
        b"\x80\x05NQ.",
        b"(I1\n.",
        b"\x97.",
    ],
)
def test_senseless_bytes_are_an_error_of_the_bytes(body: bytes) -> None:
    with pytest.raises(UnpackError):
        read(body)


@given(body=st.binary(max_size=60))
def test_any_bytes_give_a_value_or_an_error_of_the_bytes(body: bytes) -> None:
    judges = (
        _PlainObjects(lambda _name: pytest, lambda _module, _name: True),
        _AllowedNames(lambda _module, _name: True, lambda _name: pytest, {}),
    )
    for judge in judges:
        try:
            PickleReader(judge).read(b"\x80\x05" + body + b".")
        except UnpackError:
            pass
