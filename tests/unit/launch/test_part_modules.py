"""Claims about the modules of a contained Corps that lives in a process with modules of its own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import corps
from corps.launch.part_modules import load_part
from corps.launch.sources import find_source

PART = """
import corps
import helper
import pack.inner
from helper import WORD
from pack import inner as same, late
import json.decoder

class Part(corps.Corps):
    words = helper.WORD, WORD, pack.inner.WORD, same.WORD, late.WORD, json.decoder.__name__
"""


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """This process has the modules, finders and folders that it had before."""
    known, finders, path = set(sys.modules), list(sys.meta_path), list(sys.path)
    yield
    sys.meta_path[:] = finders
    sys.path[:] = path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def written(folder: Path, word: str, part: str = PART) -> str:
    (folder / "pack").mkdir(parents=True)
    (folder / "helper.py").write_text(f"WORD = 'helper {word}'\n")
    (folder / "pack" / "__init__.py").write_text("")
    (folder / "pack" / "inner.py").write_text("import helper\nWORD = 'inner ' + helper.WORD\n")
    (folder / "pack" / "late.py").write_text("from .inner import WORD\n")
    (folder / "part.py").write_text(part)
    return str(folder / "part.py")


def test_parts_in_two_folders_have_modules_of_their_own(tmp_path: Path) -> None:
    for word in "ab":
        cls = load_part(find_source(written(tmp_path / word, word)))
        helper, inner = f"helper {word}", f"inner helper {word}"
        assert getattr(cls, "words") == (helper, helper, inner, inner, inner, "json.decoder")  # noqa: B009 - of a file
    assert "helper" not in sys.modules
    assert "part" not in sys.modules


def test_a_part_that_was_loaded_is_not_loaded_again(tmp_path: Path) -> None:
    path = written(tmp_path / "a", "a")
    assert load_part(find_source(path)) is load_part(find_source(path))


def test_a_module_that_the_process_has_from_the_same_file_is_the_same_one(tmp_path: Path) -> None:
    path = written(tmp_path / "a", "a")
    sys.path.insert(0, str(tmp_path / "a"))
    import helper  # type: ignore[import-not-found]

    helper.WORD = "changed"
    cls = load_part(find_source(path))
    assert getattr(cls, "words")[:2] == ("changed", "changed")  # noqa: B009 - of a file
    assert cls.__module__ == "part"


def test_what_a_part_raises_when_it_is_loaded_is_a_load_error(tmp_path: Path) -> None:
    with pytest.raises(corps.LoadError, match="ZeroDivisionError"):
        load_part(find_source(written(tmp_path / "a", "a", "1 / 0")))
    with pytest.raises(corps.LoadError, match="defines no subclass"):
        load_part(find_source(written(tmp_path / "b", "b", "import helper")))
    with pytest.raises(corps.LoadError, match=r"corps\.boot was called"):
        load_part(find_source(written(tmp_path / "c", "c", PART + "\ncorps.boot(Part)")))


def test_a_module_of_the_import_system_needs_no_file() -> None:
    with pytest.raises(corps.LoadError, match="defines no subclass"):
        load_part(find_source("json.decoder"))
