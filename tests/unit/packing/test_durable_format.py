import struct
from typing import Any

import pytest

from corps.errors import Damaged
from corps.packing import durable_format
from corps.packing.codecs import DATA, DILL, PICKLE
from corps.packing.data import encode_data
from corps.packing.durable_format import MAGIC, build
from tests.unit.packing.stored import take_apart


def _sealed(header: bytes, body: bytes, body_size: int | None = None) -> bytes:
    """A stored form with a correct checksum, whatever its header says."""
    opening = struct.pack(">8sH", MAGIC, 1)
    size = len(body) if body_size is None else body_size
    rest = struct.pack(">IQ", len(header), size) + header + body
    return opening + durable_format._digest(opening, rest) + rest


def test_a_form_comes_apart_as_it_was_put_together() -> None:
    manifest, body = take_apart(b"".join(build(PICKLE, {"b:c", "a:b"}, [b"bo", memoryview(b"dy")])))
    assert (manifest.codec, manifest.names, manifest.body_size, bytes(body)) == (
        "pickle",
        ("a:b", "b:c"),
        4,
        b"body",
    )


_FACTS: dict[str, Any] = {"codec": DATA, "corps": "1", "python": "3", "names": []}


def test_the_helper_of_these_tests_seals_correctly() -> None:
    assert bytes(take_apart(_sealed(encode_data(_FACTS), b"x"))[1]) == b"x"


@pytest.mark.parametrize(
    "facts",
    [
        {},
        [],
        1,
        {**_FACTS, "codec": DILL},
        {**_FACTS, "codec": []},
        {**_FACTS, "names": 1},
        {**_FACTS, "names": ["x"]},
    ],
)
def test_a_header_without_sense_is_damage(facts: object) -> None:
    with pytest.raises(Damaged, match="senseless header"):
        take_apart(_sealed(encode_data(facts), b""))


def test_lengths_that_do_not_fit_are_damage() -> None:
    with pytest.raises(Damaged, match="announces"):
        take_apart(_sealed(encode_data(_FACTS), b"body", body_size=3))
    with pytest.raises(Damaged):
        take_apart(_sealed(b"\xff", b""))
