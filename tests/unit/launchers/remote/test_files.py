"""Claims about the files of an application on another host: whole and unchanged, or not there."""

from pathlib import Path

import pytest

from corps.errors import EnvStartError
from corps.launchers.remote.files import FileCache, digest_of, pack

FILES = {"app.py": b"x = 1\n", "parts/__init__.py": b"", "parts/data.txt": b"\0\xff"}


def test_what_is_kept_is_found_by_its_digest_in_a_directory_of_ours(tmp_path: Path) -> None:
    archive = pack(FILES)
    assert archive == pack(dict(reversed(FILES.items())))
    cache = FileCache(tmp_path / "kept")
    assert cache.find(digest_of(archive)) is None
    place = cache.keep(digest_of(archive), archive)
    assert cache.keep(digest_of(archive), archive) == place == cache.find(digest_of(archive))
    assert {each: (place / each).read_bytes() for each in FILES} == FILES
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
    assert [each.name for each in (tmp_path / "kept").iterdir()] == [place.name]


def test_an_archive_that_is_not_the_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvStartError, match="as they were sent"):
        FileCache(tmp_path / "kept").keep(digest_of(b"other"), pack(FILES))


@pytest.mark.parametrize("name", ["../out.py", "/etc/out.py", "a/../../out.py"])
def test_a_path_that_leads_out_is_refused_and_nothing_is_left(tmp_path: Path, name: str) -> None:
    archive = pack({name: b"x"})
    with pytest.raises(EnvStartError, match="leads out of them"):
        FileCache(tmp_path / "kept").keep(digest_of(archive), archive)
    assert list((tmp_path / "kept").iterdir()) == []
    assert not (tmp_path / "out.py").exists()


@pytest.mark.parametrize("digest", ["", "../x", "A" * 64])
def test_what_is_no_digest_is_no_path(tmp_path: Path, digest: str) -> None:
    with pytest.raises(EnvStartError, match="no digest"):
        FileCache(tmp_path / "kept").find(digest)


def test_a_directory_that_others_may_enter_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir(mode=0o755)
    (tmp_path / "kept").chmod(0o755)
    with pytest.raises(EnvStartError, match="not safe to use"):
        FileCache(tmp_path / "kept").find("a" * 64)
