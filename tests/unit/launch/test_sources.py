import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from corps.errors import LoadError
from corps.launch.loading import alias_main, load_class
from corps.launch.sources import Source, class_by_value, find_source
from corps.workers.corps import Corps


class Here(Corps):
    pass


def test_a_file_gets_the_name_that_an_import_of_it_would_have(tmp_path: Path) -> None:
    path = tmp_path / "found_app.py"
    path.write_text("")
    assert find_source(str(path)) == find_source(path) == Source("found_app", str(path))
    assert find_source(f"{path}:Outer.Inner") == Source("found_app", str(path), "Outer.Inner")


@pytest.mark.parametrize("name", ["email", "random", "corps", "with-hyphen", "2nd"])
def test_a_name_that_is_taken_gets_a_mark_of_its_path(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.py"
    path.write_text("")
    found = find_source(path).module
    assert found != name
    assert found.rpartition("_")[0] in {name, "app"}
    assert find_source(path).module == found


def test_a_file_of_a_package_gets_its_dotted_name_if_that_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "unit_package" / "unit_inner" / "found_app.py"
    inner.parent.mkdir(parents=True)
    for path in (inner, inner.with_name("__init__.py"), inner.parents[1] / "__init__.py"):
        path.write_text("")
    assert find_source(inner).module == "found_app"
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_source(inner) == Source("unit_package.unit_inner.found_app", str(inner))


def test_the_program_in_a_folder_gets_a_name_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "__main__.py"
    path.write_text("")
    assert find_source(path).module.startswith("app_")


def test_the_running_script_has_the_name_that_others_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "unit_script.py"
    path.write_text("")
    main = ModuleType("__main__")
    main.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "__main__", main)
    source = find_source(path)
    assert source.is_main
    alias_main(source)
    try:
        assert sys.modules["unit_script"] is main
        assert find_source("unit_script") == source  # and no second execution
    finally:
        del sys.modules["unit_script"]
    main.__file__ = str(tmp_path / "other.py")
    alias_main(source)
    assert "unit_script" not in sys.modules


def test_a_relative_file_that_is_not_there_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LoadError, match=rf"in the current folder \({tmp_path}\)"):
        find_source("missing.py")
    with pytest.raises(LoadError, match=r"missing\.py cannot be read: No such file or directory$"):
        find_source(tmp_path / "missing.py")
    beside = tmp_path / "scripts" / "missing.py"
    beside.parent.mkdir()
    beside.write_text("")
    main = ModuleType("__main__")
    main.__file__ = str(beside)
    monkeypatch.setitem(sys.modules, "__main__", main)
    with pytest.raises(LoadError, match=f"there is one beside the script: {beside}"):
        find_source("missing.py")


def test_the_own_name_is_kept_if_it_is_this_very_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "loaded_app.py"
    path.write_text("")
    module = ModuleType("loaded_app")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "loaded_app", module)
    assert find_source(path).module == "loaded_app"
    module.__file__ = str(tmp_path / "other.py")
    assert find_source(path).module != "loaded_app"


def test_a_class_of_a_module_goes_by_its_name() -> None:
    assert find_source(Here) == Source(__name__, qualname="Here")


def test_a_class_that_nobody_else_can_find_goes_by_value() -> None:
    class Local(Corps):
        buffer = bytearray(200_000)

        def size(self) -> int:
            return len(self.buffer)

    source = find_source(Local)
    assert (source.module, source.path) == ("", "")
    assert class_by_value(source).__qualname__ == Local.__qualname__
    assert load_class(source) is Local
    elsewhere = load_class(Source(*source.as_list()))
    assert elsewhere is not Local
    assert len(vars(elsewhere)["buffer"]) == 200_000


def test_modules_are_found_without_being_run() -> None:
    assert find_source("this") == Source("this")
    assert "this" not in sys.modules
    assert find_source("os.path:join") == Source("os.path", qualname="join")


@pytest.mark.parametrize(
    "given",
    [
        "missing.py",
        "missing_module",
        "missing.inner",
        "sys.inner",
        ".relative",
        "",
        None,
        3,
        int,
        "a b",
        "x:y:z",
    ],
)
def test_what_cannot_be_found_is_a_load_error(given: Any) -> None:
    with pytest.raises(LoadError):
        find_source(given)


@pytest.mark.parametrize(
    ("code", "said"), [("a b", "line 1: SyntaxError"), ("a = '\0'", "SyntaxError|ValueError")]
)
def test_a_file_that_cannot_be_compiled_is_a_load_error(tmp_path: Path, code: str, said: str) -> None:
    path = tmp_path / "broken_app.py"
    path.write_text(code)
    with pytest.raises(LoadError, match=said):
        find_source(path)
