"""The record by which a process reaches another Corps: it survives its file, and nothing else is read."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.addresses import FRONT
from corps.errors import Damaged, NewerFormat
from corps.federation.records import ConnectionRecord
from corps.messages.interfaces import Interface
from corps.messages.members import Member

_FRONT = Member(FRONT, "ab" * 16, "unix:/run/corps/front.sock", corps="c0ffee")
RECORD = ConnectionRecord(
    corps="c0ffee",
    tag="index",
    class_name="index:Index",
    pid=12,
    started="boot 345",
    since=1.5,
    user="ann",
    host="rue",
    log_file="/var/log/index.log",
    addresses=("unix:/run/corps/front.sock",),
    front=_FRONT,
    conc=1,
    interface=Interface(
        "index:Index", frozenset({"search"}), frozenset({"close"}), idempotent=(("search", 2),)
    ),
    capability=bytes(range(16)),
)


def test_a_record_comes_back_from_its_text() -> None:
    assert ConnectionRecord.from_json(RECORD.to_json()) == RECORD


def test_a_record_of_a_class_with_marks_comes_back() -> None:
    marked = replace(RECORD, interface=replace(RECORD.interface, read_only=frozenset({"search"})))
    assert ConnectionRecord.from_json(marked.to_json().encode()) == marked


def test_no_text_shows_the_capability() -> None:
    assert RECORD.capability.hex() not in repr(RECORD)
    facts = json.loads(RECORD.to_json())
    facts["capability"] += "00"
    with pytest.raises(Damaged) as caught:
        ConnectionRecord.from_json(json.dumps(facts))
    assert RECORD.capability.hex() not in str(caught.value)


_TEXTS = {"tag", "started", "user", "host", "log_file"}
_MAY_BE = {
    "[]": {"addresses"},
    "''": _TEXTS,
    "'\\x00'": _TEXTS | {"corps", "class_name"},
    "-3": {"since"},
    "1e+300": {"since"},
}
"""The fields that may have such a value."""


@pytest.mark.parametrize("name", sorted(json.loads(RECORD.to_json())))
@pytest.mark.parametrize("value", [None, [], {}, True, -3, "", "\x00", [1, 2], 1e300])
def test_a_field_of_another_kind_is_named(name: str, value: object) -> None:
    facts = json.loads(RECORD.to_json())
    facts[name] = value
    if name in _MAY_BE.get(repr(value), ()):
        record = ConnectionRecord.from_json(json.dumps(facts))
        assert ConnectionRecord.from_json(record.to_json()) == record
        return
    with pytest.raises(Damaged, match=f"the file x.*'{name}'"):
        ConnectionRecord.from_json(json.dumps(facts), "the file x")


@pytest.mark.parametrize("name", sorted(json.loads(RECORD.to_json())))
def test_a_field_that_is_missing_is_named(name: str) -> None:
    facts = json.loads(RECORD.to_json())
    del facts[name]
    with pytest.raises(Damaged, match=f"no field '{name}'"):
        ConnectionRecord.from_json(json.dumps(facts))


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000, b"\xff\xfe\x00", "x" * (1 << 21)])
def test_what_is_no_record_is_damaged(text: str | bytes) -> None:
    with pytest.raises(Damaged):
        ConnectionRecord.from_json(text)


def test_a_newer_format_is_refused_as_such() -> None:
    facts = json.loads(RECORD.to_json())
    facts["format"] = 3
    with pytest.raises(NewerFormat):
        ConnectionRecord.from_json(json.dumps(facts))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(name=st.sampled_from(sorted(json.loads(RECORD.to_json()))), value=_JSON)
def test_whatever_stands_in_a_field_is_read_or_refused(name: str, value: object) -> None:
    facts = json.loads(RECORD.to_json())
    facts[name] = value
    with suppress(Damaged, NewerFormat):
        ConnectionRecord.from_json(json.dumps(facts))
