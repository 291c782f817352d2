"""Claims about answers as JSON: plain data stays, what has one obvious form gets it, all else is an error."""

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import uuid
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corps.cli.json_values import as_plain
from corps.settings import Threads


@dataclasses.dataclass
class Hit:
    word: str
    found: tuple[bytes, ...]


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Pair(NamedTuple):
    one: int
    two: int


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (b"ab", "YWI="),
        (bytearray(b"ab"), "YWI="),
        ({1}, [1]),
        ((1, (2,)), [1, [2]]),
        (Pair(1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        (Hit("x", (b"ab",)), {"word": "x", "found": ["YWI="]}),
        ({Color.RED: Level.HIGH}, {"red": 3}),
        (datetime.datetime(2026, 1, 2, 3, 4), "2026-01-02T03:04:00"),
        (datetime.timedelta(minutes=1), 60.0),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/a"), "/a"),
        (Threads(), {"min": 1, "max": 32, "idle": 10.0}),
    ],
)
def test_what_has_one_obvious_form_gets_it(value: object, plain: object) -> None:
    assert as_plain(value) == plain


@pytest.mark.parametrize("key", [None, True, 7, 1.5, "x", Color.RED])
def test_keys_become_texts_as_in_json(key: Any) -> None:
    (text,) = as_plain({key: 0})
    plain = key.value if isinstance(key, Color) else key
    assert {text: 0} == json.loads(json.dumps({plain: 0}))


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), Hit, {(1, 2): 3}, [object()], as_plain, Ellipsis]
)
def test_what_has_no_form_is_an_error_that_names_it(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        as_plain(value)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_is_json_stays_as_it_is(value: object) -> None:
    assert as_plain(value) == value
