import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from corps.errors import ConfigError, PackError, UnpackError, Untrusted
from corps.packing.storage import load, store
from tests.unit.packing import of_others
from tests.unit.packing.of_others import (
    Child,
    Colour,
    Computed,
    Frozen,
    Nosy,
    Pair,
    Plain,
    Point,
    Rows,
    Slotted,
    Tagged,
    Temporary,
    called,
    run,
)
from tests.unit.packing.stored import load_bytes, store_bytes


@pytest.fixture(autouse=True)
def _nothing_has_run() -> Iterator[None]:
    called.clear()
    yield
    called.clear()


def reload(value: Any) -> Any:
    data = store_bytes(value)
    called.clear()
    return load_bytes(data, trust="data")


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, b"x", "y", (1, 2), {3}, frozenset({4})]},
        Point(1, [Point(2), Point(3)]),
        Child(1, 2, ["x"]),
        Frozen({"x": Frozen(1)}),
        Slotted(1, datetime(2026, 1, 2, tzinfo=UTC)),
        Pair(1, Pair(Point(1), 2)),
        {Pair(1, "x"): 1, Colour.RED: 2, (1, (2, 3)): 3, date(2026, 1, 2): 4},
        [Colour.RED, Colour.BLUE, Decimal("1.50"), timedelta(1, 2, 3), 2j, datetime(2026, 1, 2, 3)],
    ],
)
def test_data_comes_back_and_nothing_is_run(value: Any, tmp_path: Path) -> None:
    got = reload(value)
    assert got == value
    assert type(got) is type(value)
    assert called == []
    store(value, tmp_path / "file")
    assert load(tmp_path / "file", trust="data") == value


def test_what_is_shared_stays_shared() -> None:
    point = Point(1)
    point.y = point
    one, two = reload([point, point])
    assert one is two
    assert one.y is one


def test_the_code_of_a_dataclass_is_not_run_by_making_it() -> None:
    value = object.__new__(Nosy)
    object.__setattr__(value, "x", 7)
    got = reload([value])
    assert object.__getattribute__(got[0], "__dict__") == {"x": 7}
    assert called == []


@pytest.mark.parametrize("wrap", [lambda key: {key: 1}, lambda key: {key}, lambda key: frozenset({(1, key)})])
@pytest.mark.parametrize("make", [lambda: Tagged(1), lambda: Frozen(1)])
def test_a_key_whose_hash_is_code_is_untrusted(make: Any, wrap: Any) -> None:
    with pytest.raises(Untrusted, match="hashed"):
        reload(wrap(make()))
    assert called == []


@pytest.mark.parametrize(
    "value",
    [
        run,
        len,
        Plain(),
        Rows([1]),
        Temporary("x"),
        Path("x"),
        range(3),
        iter([1]),
        ValueError("x"),
        [Point].append,
    ],
)
def test_what_is_no_data_is_untrusted(value: Any) -> None:
    with pytest.raises(Untrusted):
        reload(value)
    assert called == []


def test_an_attribute_that_is_no_field_is_untrusted() -> None:
    odd = Point(1)
    odd.move = 5  # type: ignore[assignment, method-assign]
    with pytest.raises(Untrusted, match="the fields that it has: move"):
        reload(odd)
    short = Point(1)
    del short.x
    with pytest.raises(Untrusted, match="the fields that it has: x"):
        reload(short)
    hidden = Computed(1)
    vars(hidden)["y"] = 2
    with pytest.raises(Untrusted, match="y"):
        reload(hidden)
    assert called == []


def test_a_module_that_is_not_imported_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    data = store_bytes(Point(1))
    monkeypatch.delitem(sys.modules, of_others.__name__)
    with pytest.raises(UnpackError, match="import it before"):
        load_bytes(data, trust="data")
    assert of_others.__name__ not in sys.modules


def test_allow_narrows_what_is_data() -> None:
    data = store_bytes([Point(1), Decimal(2)])
    assert load_bytes(data, trust="data", allow=lambda _module, name: name == "Point") == [
        Point(1),
        Decimal(2),
    ]
    with pytest.raises(Untrusted, match="Point"):
        load_bytes(data, trust="data", allow=lambda _module, _name: False)


def test_the_codec_of_plain_data_is_read_the_same() -> None:
    assert load_bytes(store_bytes([1, (2,)], codec="data"), trust="data") == [1, (2,)]
    with pytest.raises(PackError):
        store_bytes(Point(1), codec="data")


def test_another_word_of_trust_is_refused() -> None:
    with pytest.raises(ConfigError, match="'all'"):
        load_bytes(store_bytes(1), trust="all")
