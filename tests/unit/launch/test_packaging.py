"""An application as one file: what is in it, and what of such a file is refused."""

import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import click
import pytest

from corps.errors import ConfigError, LoadError
from corps.launch.images import write_image
from corps.launch.packaging import imported_by, package
from corps.launch.sources import find_source
from corps.launch.unpacking import FILES, FORMAT, LOCK, MANIFEST, Manifest, is_plain, unpacked

SHOP = "import json, click.testing\nimport nowhere_to_be_found\nimport corps\nfrom lib.goods import price\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "corps" / "packages"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "lib").mkdir(parents=True)
    (folder / "shop.py").write_text(SHOP)
    (folder / "lib" / "__init__.py").write_text("")
    (folder / "lib" / "goods.py").write_text("def price(n): return n * 3")
    (folder / "corps.toml").write_text("envs = 1\n")
    return folder / "shop.py"


def packed(path: Path, manifest: dict[str, Any] | str | None = None, lock: str = "", **files: str) -> Path:
    """A file like one that was packaged, as somebody else might make it."""
    plain = {"format": FORMAT, "corps": "0", "python": "3", "file": "a.py", "module": "", "qualname": ""}
    with zipfile.ZipFile(path, "w") as archive:
        said = manifest if isinstance(manifest, str) else json.dumps({**plain, **(manifest or {})})
        archive.writestr(MANIFEST, said)
        archive.writestr(LOCK, lock)
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_it_has_the_modules_and_settings_and_the_lock_of_what_they_import(shop: Path, tmp_path: Path) -> None:
    target = tmp_path / "shop.pyz"
    made = package(find_source(shop), target, "1.2")
    assert made.files == ("corps.toml", "lib/__init__.py", "lib/goods.py", "shop.py")
    assert made.unknown == ("nowhere_to_be_found",)
    assert [line.partition("==")[0] for line in made.requirements] == [click.__name__]
    assert target.stat().st_mode & stat.S_IXUSR
    before = target.read_bytes()
    package(find_source(shop), target, "1.2")
    assert target.read_bytes() == before
    assert list(tmp_path.glob(".*")) == []


def test_its_files_are_unpacked_once_where_only_the_user_writes(
    shop: Path, cache: Path, tmp_path: Path
) -> None:
    target = tmp_path / "shop.pyz"
    package(find_source(shop), target, "1.2")
    folder, manifest = unpacked(target)
    assert (manifest.file, manifest.corps) == ("shop.py", "1.2")
    assert (folder / "shop.py").read_text() == SHOP
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert unpacked(target)[0] == folder
    assert list(cache.iterdir()) == [folder]
    found = find_source(f"{target}:Shop")
    assert (found.path, found.qualname) == (str(folder.resolve() / "shop.py"), "Shop")
    cache.chmod(0o755)
    with pytest.raises(LoadError, match="its mode is 0755"):
        unpacked(target)


def test_the_lock_is_that_of_a_file_if_one_is_given(shop: Path, tmp_path: Path) -> None:
    target, lock = tmp_path / "shop.pyz", tmp_path / "lock.txt"
    lock.write_text("# made by hand\nno-such-package==1.0\n")
    package(find_source(shop), target, "1.2", lock)
    with pytest.raises(LoadError, match=r"needs no-such-package==1\.0.*pip install"):
        unpacked(target)
    with pytest.raises(ConfigError, match="cannot be read"):
        package(find_source(shop), target, "1.2", tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("manifest", "text"),
    [
        ("{", "no description"),
        ("[]", "no description"),
        ({"format": FORMAT + 1}, "has the format"),
        ({"format": "1"}, "format='1'"),
        ({"file": None}, "file=None"),
    ],
)
def test_a_description_that_cannot_be_is_refused(tmp_path: Path, manifest: Any, text: str) -> None:
    with pytest.raises(LoadError, match=text):
        unpacked(packed(tmp_path / "a.pyz", manifest))


@pytest.mark.parametrize("name", ["../b.py", "/b.py", "lib/../../b.py", "lib\\b.py"])
def test_a_file_that_would_lie_elsewhere_is_refused(tmp_path: Path, cache: Path, name: str) -> None:
    assert not is_plain(name)
    path = packed(tmp_path / "a.pyz", None, "", **{FILES + "a.py": "", FILES + name: ""})
    with pytest.raises(LoadError, match="leads elsewhere"):
        unpacked(path)
    assert list(cache.iterdir()) == []


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "a.pyz"
    with pytest.raises(LoadError, match="cannot be read"):
        find_source(str(other))
    other.write_bytes(b"#!/bin/sh\n")
    with pytest.raises(LoadError, match="no application"):
        find_source(other)
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.py", "")
    with pytest.raises(LoadError, match=MANIFEST.replace(".", r"\.")):
        find_source(other)


def test_imports_are_found_wherever_they_stand() -> None:
    code = b"import a.b\nfrom c import d\nfrom . import e\ndef f():\n    import g, h as i\n"
    assert sorted(imported_by(code, "x.py")) == ["a", "c", "g", "h"]
    with pytest.raises(LoadError, match=r"x\.py: SyntaxError"):
        list(imported_by(b"import", "x.py"))


def test_without_buildah_there_is_what_an_image_is_built_of(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    target = tmp_path / "shop.pyz"
    package(find_source(shop), target, "1.2")
    folder = write_image(target)
    assert sorted(path.name for path in folder.iterdir()) == ["Dockerfile", LOCK, "shop.pyz"]
    assert "corps==1.2" in (folder / "Dockerfile").read_text()


def test_buildah_makes_the_image_or_says_why_not(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    buildah = programs / "buildah"
    buildah.write_text('#!/bin/sh\necho "$@" > "$0.said"\n')
    buildah.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    target = tmp_path / "shop.pyz"
    package(find_source(shop), target, "1.2")
    archive = write_image(target)
    said = (programs / "buildah.said").read_text()
    assert said == f"build --tag oci-archive:{archive} {target.with_suffix('.image')}\n"
    buildah.write_text("#!/bin/sh\necho no space >&2; exit 3\n")
    with pytest.raises(ConfigError, match=r"exit 3[^$]*no space"):
        write_image(target)


def test_a_manifest_comes_back_as_it_was() -> None:
    manifest = Manifest(FORMAT, "1", "3.11", "a.py", "", "App")
    assert Manifest.from_json(manifest.to_json(), "here") == manifest
