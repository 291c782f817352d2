"""The table of what each codec does with each kind of object: measured here, published in the reference.

Set WRITE_TABLES=1 to write the published page anew.
"""

import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from corps.errors import PackError
from corps.packing.packer import Packer
from tests.unit.packing.kinds import (
    Colour,
    FutureStandIn,
    Holder,
    NameStandIn,
    NeedsKeywords,
    Order,
    Point,
    add,
    generate,
    greet,
    make_adder,
    make_local_class,
    restore_name,
)
from tests.unit.packing.stored import load_bytes, store_bytes, take_apart

_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "packing-table.md"
_COLUMNS = ("pickle", "dill", "data", "durable")

# Where Names come from. The row of Names follows from these two alone.
_NAME = NameStandIn("env/worker")
_RESTORE_NAME = (restore_name.__module__, restore_name.__qualname__)


def _bind_name(address: str) -> NameStandIn:
    return NameStandIn(address, router="the reader's")


class Kind(NamedTuple):
    title: str
    sample: Callable[[], Any]
    works: Callable[[Any], bool]
    by_name: str = ""
    """The name under which it goes by reference, if it does."""


_HERE = add.__module__

_KINDS = [
    Kind("numbers, text, bytes, None", lambda: (1, 2**70, 0.5, "a", b"b", None), lambda got: got[1] == 2**70),
    Kind("list, tuple, dict, set", lambda: [(1, 2), {3: {4}}], lambda got: got == [(1, 2), {3: {4}}]),
    Kind("functions, importable", lambda: add, lambda got: got(1, 2) == 3, f"{_HERE}:add"),
    Kind("functions, decorated", lambda: greet, lambda got: got("x") == "HELLO X", f"{_HERE}:greet"),
    Kind("functions, inner", lambda: make_adder(2), lambda got: got(1) == 3),
    Kind("lambdas", lambda: lambda: 5, lambda got: got() == 5),
    Kind("classes, importable", lambda: Holder, lambda got: got is Holder, f"{_HERE}:Holder"),
    Kind("classes, local", make_local_class, lambda got: got(6).number == 6),
    Kind("objects of importable classes", lambda: Holder(x=1), lambda got: got.x == 1),
    Kind("objects of local classes", lambda: make_local_class()(7), lambda got: got.number == 7),
    Kind("bound methods", lambda: Holder().method, lambda got: got() == "called"),
    Kind("named tuples", lambda: Point(1, 2), lambda got: got == Point(1, 2) and type(got) is Point),
    Kind("dataclasses", lambda: Order(1, [2]), lambda got: got == Order(1, [2])),
    Kind("enums", lambda: Colour.RED, lambda got: got is Colour.RED),
    Kind(
        "exceptions, also with required keyword arguments",
        lambda: NeedsKeywords(code=1, reason="r"),
        lambda got: got.reason == "r",
    ),
    Kind("numpy arrays", lambda: np.arange(9), lambda got: got.tolist() == list(range(9))),
    Kind("iterators over lists, tuples, dicts", lambda: iter([1, 2]), lambda got: list(got) == [1, 2]),
    Kind("map, filter, zip, enumerate", lambda: map(add, [1], [2]), lambda got: list(got) == [3]),
    Kind("generators", generate, lambda got: list(got) == [1]),
    Kind("Names", lambda: _NAME, lambda got: bool(got.router == "the reader's")),
    Kind("Futures", FutureStandIn, lambda _got: True),
    Kind("open files", tempfile.TemporaryFile, lambda _got: True),
    Kind("locks", threading.Lock, lambda _got: True),
]


def _transport(column: str) -> Callable[[Any, Callable[[str, str], bool]], Any]:
    rebind = {_RESTORE_NAME: _bind_name}

    def over_the_wire(value: Any, allow: Callable[[str, str], bool]) -> Any:
        reader = Packer(codec=column, rebind=rebind, allow=allow)
        return reader.unpack(Packer(codec=column).pack(value))

    def through_storage(value: Any, allow: Callable[[str, str], bool]) -> Any:
        stored = store_bytes(value)
        for name in take_apart(stored)[0].names:
            allow(*name.split(":"))
        return load_bytes(stored, rebind=rebind)

    return through_storage if column == "durable" else over_the_wire


def _outcome(kind: Kind, column: str) -> str:
    names: set[str] = set()

    def note(module: str, qualname: str) -> bool:
        names.add(f"{module}:{qualname}")
        return True

    sample = kind.sample()
    try:
        restored = _transport(column)(sample, note)
    except PackError:
        return "no"
    finally:
        if hasattr(sample, "close") and not kind.title.startswith("generators"):
            sample.close()
    assert kind.works(restored), f"{kind.title} by {column} came back wrong: {restored!r}"
    if kind.by_name:
        return "by reference" if kind.by_name in names else "by value"
    return "by value" if any(word in kind.title for word in ("inner", "lambdas", "local")) else "yes"


def _page() -> str:
    rows = [[kind.title, *(_outcome(kind, column) for column in _COLUMNS)] for kind in _KINDS]
    lines = ["| " + " | ".join(row) + " |" for row in [["kind", *_COLUMNS], ["---"] * 5, *rows]]
    return _INTRODUCTION + "\n".join(lines) + _NOTES


_INTRODUCTION = """\
# What can be packed

The tests of packing write this page from what each codec really does. A Corps uses *pickle* by default, and
*dill* if the setting `codec` says so. *data* is the only one that is read from another trust domain.
*durable* is the form that `store` writes.

"No" means a `PackError` at the caller, before anything is sent; its text says where inside the object the
culprit is and what to do.

"""
_NOTES = """

- *By reference*: the reader imports it by its name. *By value*: its code travels.
- Functions and classes of the booted program (`__main__`) go by reference inside its Corps, by value to
  readers that do not know the program, and not at all into the durable form.
- Arrays and other objects with large buffers travel beside the body, without a copy.
- A generator that is returned from a method becomes a remote iterator at the caller.
- By itself dill would copy open files and locks into new ones that are not the originals; corps refuses them
  with every codec. Only `sys.stdout` and `sys.stderr` travel, by *pickle* and *dill*: they become the
  reader's.
- The iterators of `itertools` are left out on purpose: Python 3.14 no longer packs them.
- `bytearray` and `memoryview` are accepted by *data* and arrive as `bytes`; subclasses of the types that
  *data* carries are refused, because their class would be lost.
"""


def test_the_published_table_is_what_the_codecs_do() -> None:
    page = _page()
    if os.environ.get("WRITE_TABLES") == "1":
        _PAGE.parent.mkdir(parents=True, exist_ok=True)
        _PAGE.write_text(page, encoding="utf-8")
    assert _PAGE.read_text(encoding="utf-8") == page, (
        "run the tests with WRITE_TABLES=1 and read the difference"
    )


@pytest.mark.parametrize("column", _COLUMNS)
@pytest.mark.parametrize("title", ["generators", "Futures", "open files", "locks"])
def test_no_codec_is_laxer_than_another_about_what_cannot_travel(title: str, column: str) -> None:
    kind = next(kind for kind in _KINDS if kind.title == title)
    assert _outcome(kind, column) == "no"
