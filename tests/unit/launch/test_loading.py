import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from corps.errors import BootError, LoadError
from corps.launch.boot import boot
from corps.launch.loading import ModuleFinder, StopLoading, load_class
from corps.launch.sources import Source
from corps.runtime.this_process import Loading, this_process

Write = Callable[..., Path]

CORPS = "from corps.workers.corps import Corps\nclass App(Corps): pass\n"


@pytest.fixture(autouse=True)
def nothing_stays_loaded() -> Iterator[None]:
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str, name: str = "unit_app.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return to_file


def test_the_only_corps_class_is_found_and_named_ones_too(write: Write) -> None:
    path = write(CORPS + "class Outer:\n    class Inner(Corps): pass\n")
    assert load_class(Source("unit_app", str(path))).__name__ == "App"
    assert load_class(Source("unit_app", str(path), "Outer.Inner")).__name__ == "Inner"


def test_imported_corps_classes_do_not_count(write: Write) -> None:
    write(CORPS.replace("App", "Imported"), "unit_beside.py")
    path = write("from unit_beside import Imported\n" + CORPS)
    assert load_class(Source("unit_app", str(path))).__name__ == "App"


@pytest.mark.parametrize("call", ["corps.boot(App)", "start()", "try: start()\nexcept Exception: pass"])
def test_what_stands_above_a_boot_is_loaded_and_kept(write: Write, call: str) -> None:
    path = write(
        f"import corps\n{CORPS}def start():\n    corps.boot(App)\n{call}\nclass Later(Corps): pass\n"
    )
    assert load_class(Source("unit_app", str(path))).__name__ == "App"
    assert not hasattr(sys.modules["unit_app"], "Later")


def test_a_module_of_a_package_stops_at_a_boot_too(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("", "unit_package/__init__.py")
    write(f"import corps\n{CORPS}corps.boot(App)\n", "unit_package/inner.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    cls = load_class(Source("unit_package.inner"))
    assert cls.__module__ == "unit_package.inner"
    assert sys.modules["unit_package"].inner.App is cls


def test_a_module_that_its_package_imports_is_executed_once(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("from .inner import App", "unit_package/__init__.py")
    inner = write(f"import sys\nsys.unit_count += 1\n{CORPS}", "unit_package/inner.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    for source in (Source("unit_package.inner"), Source("unit_package.inner", str(inner))):
        monkeypatch.setattr(sys, "unit_count", 0, raising=False)
        cls = load_class(source)
        assert sys.modules["unit_package"].App is cls
        assert sys.unit_count == 1  # type: ignore[attr-defined]
        for name in ("unit_package.inner", "unit_package"):
            del sys.modules[name]


def test_a_file_without_suffix_is_loaded(write: Write) -> None:
    path = write(CORPS, "unit_tool")
    assert load_class(Source("unit_tool", str(path))).__name__ == "App"
    assert sys.modules["unit_tool"].__file__ == str(path)


def test_a_boot_that_does_not_end_the_loading_is_told_with_its_place(write: Write) -> None:
    text = f"import corps, threading\n{CORPS}def go():\n    corps.boot(App)\n"
    in_thread = write(
        text + "t = threading.Thread(target=go)\nt.run = lambda: catch()\n"
        "def catch():\n    try: go()\n    except BaseException: pass\nt.start(); t.join()"
    )
    places: list[str] = []
    with pytest.raises(LoadError, match=r"unit_app\.py, line 5: corps\.boot .* in another thread"):
        load_class(Source("unit_app", str(in_thread)), stopped=places.append)
    assert places == [f"{in_thread}, line 5"]
    del sys.modules["unit_app"]
    caught = write(text + "try: go()\nexcept BaseException: raise SystemExit(3)\n")
    with pytest.raises(LoadError, match=r"line 5: corps\.boot .* went on to SystemExit: 3"):
        load_class(Source("unit_app", str(caught)))
    leaves = write("raise SystemExit(4)")
    with pytest.raises(SystemExit):  # no boot is to blame: its process ends with this status
        load_class(Source("unit_app", str(leaves)))


def test_a_boot_in_a_task_group_ends_the_loading(write: Write) -> None:
    path = write(
        f"import asyncio, corps\n{CORPS}async def one():\n    corps.boot(App)\nasync def main():\n"
        "    async with asyncio.TaskGroup() as tasks: tasks.create_task(one())\nasyncio.run(main())\n"
    )
    assert load_class(Source("unit_app", str(path))).__name__ == "App"


def test_what_stands_below_the_first_boot_is_missing_with_the_line(write: Write) -> None:
    path = write(f"import corps\n{CORPS}corps.boot(App)\nclass Later(Corps): pass\n")
    with pytest.raises(LoadError, match=r"no class 'Later' above .*unit_app\.py, line 4"):
        load_class(Source("unit_app", str(path), "Later"))


def test_a_boot_outside_of_a_file_that_is_loaded_does_not_stop_anything() -> None:
    this_process.loadings.append(loading := Loading("app.py", everywhere=False))
    try:
        with pytest.raises(StopLoading, match=r"test_loading.py, line \d+"):
            boot("nothing.py")
    finally:
        this_process.loadings.remove(loading)
    with pytest.raises(BootError):
        boot("nothing.py")


def test_a_failed_import_leaves_no_module_and_shows_frames_of_the_application_only(write: Write) -> None:
    path = write("def inner():\n    return 1 / 0\ninner()\n")
    with pytest.raises(LoadError, match="division by zero") as caught:
        load_class(Source("unit_app", str(path)))
    assert "unit_app" not in sys.modules
    shown = str(caught.value)
    assert 'unit_app.py", line 3' in shown
    assert "loading.py" not in shown
    assert "importlib" not in shown


@pytest.mark.parametrize(("stem", "position"), [("unit_app", 0), ("email", -1)])
def test_siblings_are_importable_and_hide_no_standard_module(
    write: Write, tmp_path: Path, stem: str, position: int
) -> None:
    path = write(CORPS, f"{stem}.py")
    load_class(Source("unit_app_marked", str(path)))
    assert sys.path[position] == str(tmp_path)


def test_the_finder_loads_the_application_once_and_other_modules_by_import(write: Write) -> None:
    path = write(CORPS)
    finder = ModuleFinder(Source("unit_app", str(path)))
    assert finder("os.path") is sys.modules["os.path"]
    assert "unit_app" not in sys.modules
    assert finder("unit_app") is finder("unit_app") is sys.modules["unit_app"]


def test_the_finder_keeps_two_files_of_one_name_apart(write: Write) -> None:
    one, two = write(CORPS, "one/unit_app.py"), write(CORPS, "two/unit_app.py")
    first = ModuleFinder(Source("unit_app", str(one)))("unit_app")
    second = ModuleFinder(Source("unit_app", str(two)))("unit_app")
    assert (first.__file__, second.__file__) == (str(one), str(two))
    assert sys.modules["unit_app"] is first
