"""Claims about what of an application is sent to other hosts."""

from pathlib import Path

import pytest

from corps.errors import LoadError
from corps.launch import shipping
from corps.launch.shipping import shipment_of
from corps.launch.sources import Source


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}\n")


def test_a_file_is_sent_with_the_modules_and_packages_beside_it(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "other.py", "parts/__init__.py", "parts/data/table.csv", "parts/deep/a.py")
    write(tmp_path, "notes.txt", ".hidden.py", "plain/b.py", "parts/__pycache__/a.pyc", "parts/.git/x")
    path = str(tmp_path / "app.py")
    source = Source("app", path, file=path)
    shipment = shipment_of(source)
    expected = ["app.py", "other.py", "parts/__init__.py", "parts/data/table.csv", "parts/deep/a.py"]
    assert sorted(shipment.files) == expected
    there = Source.from_list(shipment.source_at(source, "/far"))
    assert (there.module, there.path, there.file) == ("app", "/far/app.py", "/far/app.py")


def test_of_a_file_in_a_package_the_whole_package_is_sent(tmp_path: Path) -> None:
    write(tmp_path, "shop/__init__.py", "shop/web/__init__.py", "shop/web/app.py", "shop/db.py", "other.py")
    path = str(tmp_path / "shop" / "web" / "app.py")
    for source in (Source("shop.web.app", path, file=path), Source("shop.web.app", file=path)):
        shipment = shipment_of(source)
        assert sorted(shipment.files) == [
            "shop/__init__.py",
            "shop/db.py",
            "shop/web/__init__.py",
            "shop/web/app.py",
        ]
        there = Source.from_list(shipment.source_at(source, "/far"))
        assert there.file == "/far/shop/web/app.py"
        assert there.path == ("/far/shop/web/app.py" if source.path else "")


def test_what_is_installed_and_what_travels_by_value_is_not_sent() -> None:
    source = Source("pytest", file=pytest.__file__)
    assert shipment_of(source).files == {}
    assert shipment_of(source).source_at(source, "") == source.as_list()
    assert shipment_of(Source("", qualname="App", by_value=b"x")).files == {}


def test_too_much_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "app.py", "a.py", "b.py")
    monkeypatch.setattr(shipping, "MOST_FILES", 2)
    with pytest.raises(LoadError, match="Put it in a package or a folder of its own"):
        shipment_of(Source("app", str(tmp_path / "app.py"), file=str(tmp_path / "app.py")))
