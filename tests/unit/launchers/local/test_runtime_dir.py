"""Claims about the runtime directory: ours alone, and nothing else is ever removed."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from corps.errors import BootError
from corps.launchers.local import runtime_dir
from corps.launchers.local.runtime_dir import make_runtime_dir, remove_files, remove_runtime_dir
from corps.security import private_places


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory in the place of /tmp. It is short; that of the tmp_path fixture need not be."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as path:
        monkeypatch.setattr(tempfile, "tempdir", path)
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        yield Path(path)


def mode_of(path: str | Path) -> int:
    return os.lstat(path).st_mode & 0o7777


def test_it_is_closed_to_others_and_fresh(temporary: Path) -> None:
    one, other = make_runtime_dir(), make_runtime_dir()
    assert one != other
    assert os.path.dirname(one) == str(temporary)
    assert mode_of(one) == 0o700
    assert os.listdir(one) == []
    remove_runtime_dir(one)
    remove_runtime_dir(other)
    assert os.listdir(temporary) == []


def test_the_users_runtime_directory_is_preferred(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = temporary / "run"
    base.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    path = make_runtime_dir()
    assert os.path.dirname(path) == str(base / f"corps-{os.getuid()}")
    assert mode_of(os.path.dirname(path)) == 0o700


@pytest.mark.parametrize("flaw", ["missing", "relative", "open to others", "a symbolic link", "occupied"])
def test_a_flawed_runtime_directory_of_the_user_is_not_used(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, flaw: str
) -> None:
    base = temporary / "run"
    if flaw == "a symbolic link":
        temporary.joinpath("elsewhere").mkdir(mode=0o700)
        base.symlink_to(temporary / "elsewhere")
    elif flaw != "missing":
        base.mkdir(mode=0o700)
    if flaw == "open to others":
        base.chmod(0o755)
    if flaw == "occupied":
        base.joinpath(f"corps-{os.getuid()}").mkdir(mode=0o700)
        base.joinpath(f"corps-{os.getuid()}").chmod(0o770)
    monkeypatch.chdir(temporary)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "run" if flaw == "relative" else str(base))
    assert os.path.dirname(make_runtime_dir()) == str(temporary)


def test_a_place_where_others_may_rename_is_not_used(
    temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inner = temporary / "inner"
    inner.mkdir(mode=0o700)
    tempfile.tempdir = str(inner)
    temporary.chmod(0o777)
    path = make_runtime_dir()
    assert os.path.dirname(path) == os.path.realpath("/tmp")
    assert f"others may write to {temporary}" in caplog.text
    remove_runtime_dir(path)
    temporary.chmod(0o1777)
    path = make_runtime_dir()
    assert os.path.dirname(path) == str(inner)
    remove_runtime_dir(path)


def test_a_place_below_a_folder_of_another_user_is_not_used(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_places, "_unknown_users", set)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr(runtime_dir, "_ALWAYS_THERE", ())
    owner = os.stat(temporary).st_uid
    if owner == 0:
        os.chown(temporary, 54321, -1)
        owner = 54321
    with pytest.raises(
        BootError, match=rf"{temporary} belongs to user {owner}.*set XDG_RUNTIME_DIR or TMPDIR"
    ):
        make_runtime_dir()
    assert os.listdir(temporary) == []


def test_its_path_has_no_symbolic_links(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary.joinpath("real").mkdir(mode=0o700)
    temporary.joinpath("link").symlink_to(temporary / "real")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "link"))
    assert os.path.dirname(make_runtime_dir()) == str(temporary / "real")


def test_what_processes_have_left_in_it_is_removed_by_its_name(temporary: Path) -> None:
    path = Path(make_runtime_dir())
    for name in ("1-a.sock", "11-a.sock", "1-b.sock", "a-b.journal"):
        path.joinpath(name).touch()
    remove_files(str(path), "1-*.sock", "a-*.journal")
    assert os.listdir(path) == ["11-a.sock"]
    remove_files("/nowhere", "*")


def test_a_place_where_nothing_can_be_made_is_an_error(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "missing"))
    monkeypatch.setattr(runtime_dir, "_ALWAYS_THERE", ())
    with pytest.raises(BootError):
        make_runtime_dir()


def test_removing_takes_the_contents_along_and_a_missing_one_is_no_error(temporary: Path) -> None:
    path = make_runtime_dir()
    Path(path, "socket").touch()
    remove_runtime_dir(path)
    assert not os.path.exists(path)
    remove_runtime_dir(path)


def test_nothing_but_a_runtime_directory_is_ever_removed(temporary: Path) -> None:
    home = temporary / "home"
    home.mkdir(mode=0o700)
    opened = temporary / "corps-open"
    opened.mkdir()
    opened.chmod(0o755)
    link = temporary / "corps-link"
    link.symlink_to(home)
    for path in (home, opened, link):
        remove_runtime_dir(str(path))
        assert path.exists()
