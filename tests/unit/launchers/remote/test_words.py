"""Claims about what a booting process and a parent say to each other: nothing breaks the reader."""

import struct
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.errors import WireError
from corps.launchers.remote.words import (
    MAGIC,
    MAX_MESSAGE,
    Decoder,
    Encoder,
    Message,
)
from corps.packing.packer import Packer

_OF_KIND: dict[type, st.SearchStrategy[Any]] = {
    int: st.integers(0, 2**40),
    str: st.text(max_size=20),
    bytes: st.binary(max_size=100),
    bool: st.booleans(),
    float: st.floats(0, 100),
    dict: st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    list: st.lists(st.integers(0, 9), max_size=3),
    type(None): st.none(),
}


@st.composite
def messages(draw: st.DrawFn) -> Message:
    kind = draw(st.sampled_from(get_args(Message)))
    wanted = [st.one_of([_OF_KIND[each] for each in kinds if each is not tuple]) for kinds in kind.kinds]
    made: Message = kind(*map(draw, wanted))
    return made


@given(st.lists(messages(), max_size=5), st.integers(1, 40), st.binary(max_size=30))
def test_what_is_sent_arrives_whatever_parts_it_comes_in(
    sent: list[Message], size: int, preamble: bytes
) -> None:
    encoder, decoder = Encoder(), Decoder(has_magic=True)
    if MAGIC in preamble:
        return
    stream = preamble + MAGIC + b"".join(map(encoder.frame, sent))
    came: list[Message] = []
    for at in range(0, len(stream), size):
        came += decoder.feed(stream[at : at + size])
    assert came == sent
    assert decoder.preamble == preamble


@given(st.binary(max_size=200))
def test_bytes_of_anybody_are_messages_or_refused(data: bytes) -> None:
    try:
        list(Decoder(has_magic=False).feed(data))
    except WireError:
        pass


@given(st.lists(messages(), min_size=1, max_size=3), st.data())
def test_bytes_that_are_nearly_right_are_messages_or_refused(
    sent: list[Message], data: st.DataObject
) -> None:
    stream = bytearray(b"".join(map(Encoder().frame, sent)))
    at = data.draw(st.integers(0, len(stream) - 1))
    stream[at] = data.draw(st.integers(0, 255))
    try:
        list(Decoder(has_magic=False).feed(bytes(stream)))
    except WireError:
        pass


@pytest.mark.parametrize(
    ("plain", "says"),
    [
        (["spawn", 1], "has 1 fields, not 2"),
        (["spawn", 1, "x"], "has 'x' as env_id"),
        (["spawn", True, 1], "has True as ticket"),
        (["what"], "begins with 'what', which no version of it knows"),
        ([], "no list that begins with a word"),
        ({"spawn": 1}, "no list that begins with a word"),
    ],
)
def test_a_message_that_cannot_be_is_refused_with_what_is_wrong(plain: Any, says: str) -> None:
    body = Packer(codec="data").pack(plain).body
    with pytest.raises(WireError, match=says):
        list(Decoder(has_magic=False).feed(struct.pack("!I", len(body)) + body))


def test_a_length_that_no_message_has_is_refused_before_it_is_waited_for() -> None:
    with pytest.raises(WireError, match="are the most"):
        list(Decoder(has_magic=False).feed(struct.pack("!I", MAX_MESSAGE + 1)))


def test_a_program_that_is_no_parent_is_not_read_for_ever() -> None:
    decoder = Decoder(has_magic=True)
    assert list(decoder.feed(b"Welcome!\n" * 100)) == []
    with pytest.raises(WireError, match="no parent"):
        list(decoder.feed(b"Welcome!\n" * 10_000))
