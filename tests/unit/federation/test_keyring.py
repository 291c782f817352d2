"""Claims about the files of a key ring: who may have made them, what a change leaves, and who sees it."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from corps.errors import Damaged, KeyRingError
from corps.federation.keyring import (
    FollowedKeyRing,
    KeyRingFiles,
    default_ring_dir,
    read_secret,
    write_secret,
)
from corps.security.key_ring import AllowedKey, KeyRing, new_own_key
from corps.security.keys import new_key_pair

FILES = ("own.json", "others.json")


@pytest.fixture
def files(tmp_path: Path) -> KeyRingFiles:
    return KeyRingFiles(tmp_path / "corps" / "keys")


def bob() -> AllowedKey:
    return AllowedKey("bob", new_key_pair().public, 1.0)


def filled(files: KeyRingFiles) -> KeyRing:
    """A ring with an own key and one of another user."""
    mine = new_own_key("work", new_key_pair(), 1.0)
    return files.change(lambda ring: ring.with_own(mine).with_allowed(bob()))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_ring_lies_below_the_configuration_of_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/there")
    assert default_ring_dir() == Path("/there/corps/keys")
    for value in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CONFIG_HOME", value)
        monkeypatch.setenv("HOME", "/home/me")
        assert default_ring_dir() == Path("/home/me/.config/corps/keys")


def test_without_a_directory_the_ring_is_empty_and_reading_makes_none(files: KeyRingFiles) -> None:
    assert files.read() == KeyRing()
    assert not files.path.exists()


def test_a_change_is_read_again_and_only_the_owner_can_read_it(files: KeyRingFiles) -> None:
    old = os.umask(0)
    try:
        ring = filled(files)
    finally:
        os.umask(old)
    assert files.read() == ring
    assert mode(files.path) == 0o700
    assert {each.name: mode(each) for each in files.path.iterdir()} == dict.fromkeys(FILES, 0o600)


def test_a_change_that_raises_leaves_the_ring_as_it_was(files: KeyRingFiles) -> None:
    ring = filled(files)
    with pytest.raises(KeyRingError, match="already"):
        files.change(lambda before: before.with_own(new_own_key("work", new_key_pair(), 2.0)))
    assert files.read() == ring


def test_what_is_secret_is_not_written_again_for_the_keys_of_others(files: KeyRingFiles) -> None:
    filled(files)
    before = (files.path / "own.json").stat()
    files.change(lambda ring: ring.with_allowed(bob()))
    assert os.path.samestat(before, (files.path / "own.json").stat())


def test_changes_at_once_follow_each_other(files: KeyRingFiles) -> None:
    keys = [bob() for _ in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: KeyRingFiles(files.path).change(lambda ring: ring.with_allowed(key)), keys))
    assert set(files.read().allowed) == set(keys)


@pytest.mark.parametrize("name", ["", "own.json", "others.json"])
@pytest.mark.parametrize("wrong", [0o750, 0o701, 0o720, 0o604, 0o640, 0o602])
def test_a_ring_that_others_can_use_is_refused_with_the_command_that_helps(
    files: KeyRingFiles, name: str, wrong: int
) -> None:
    filled(files)
    path = files.path / name
    path.chmod(wrong | (0o700 if not name else 0))
    with pytest.raises(KeyRingError, match=f"its mode is .*; chmod {'600' if name else '700'} {path}"):
        files.read()
    with pytest.raises(KeyRingError, match="its mode is"):
        files.change(lambda ring: ring)


def test_a_ring_of_another_user_is_refused(files: KeyRingFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(files)
    monkeypatch.setattr(os, "getuid", lambda: 4321)
    with pytest.raises(KeyRingError, match=r"belongs to user \d+, not to user 4321"):
        files.read()


def test_a_link_is_not_followed(files: KeyRingFiles, tmp_path: Path) -> None:
    filled(files)
    moved = tmp_path / "moved"
    (files.path / "own.json").rename(moved)
    (files.path / "own.json").symlink_to(moved)
    with pytest.raises(KeyRingError, match=r"own\.json is not safe .* symbolic link"):
        files.read()
    other = KeyRingFiles(tmp_path / "link")
    other.path.symlink_to(files.path)
    with pytest.raises(KeyRingError, match="symbolic link; put a directory there"):
        other.read()
    with pytest.raises(KeyRingError, match="symbolic link"):
        other.change(lambda ring: ring)


def test_what_is_no_file_or_no_directory_is_refused(files: KeyRingFiles, tmp_path: Path) -> None:
    filled(files)
    (files.path / "own.json").unlink()
    os.mkfifo(files.path / "own.json", 0o600)
    with pytest.raises(KeyRingError, match="not a regular file"):
        files.read()
    (tmp_path / "file").touch()
    with pytest.raises(KeyRingError, match="cannot be opened: Not a directory"):
        KeyRingFiles(tmp_path / "file").read()
    with pytest.raises(KeyRingError, match="cannot be made"):
        KeyRingFiles(tmp_path / "file" / "keys").change(lambda ring: ring)


def test_a_file_that_is_no_ring_or_too_large_is_refused(files: KeyRingFiles) -> None:
    filled(files)
    path = files.path / "others.json"
    path.write_bytes(b"{")
    with pytest.raises(Damaged, match="keys of others"):
        files.read()
    os.truncate(path, 4 * 1024 * 1024 + 1)
    with pytest.raises(KeyRingError, match="more than 4194304 bytes"):
        files.read()


def test_a_follower_sees_each_change_at_its_next_look_and_reads_nothing_else(files: KeyRingFiles) -> None:
    followed = FollowedKeyRing(files)
    assert followed.ring() == KeyRing()
    key = bob()
    for number in range(50):
        ring = files.change(
            lambda before: KeyRing(before.own, () if before.allowed else (key,), before.revoked)
        )
        assert followed.ring() == ring, number
        assert followed.ring() is followed.ring()


def test_a_follower_of_a_ring_that_cannot_be_used_says_so_each_time_until_it_can(files: KeyRingFiles) -> None:
    ring = filled(files)
    followed = FollowedKeyRing(files)
    followed.ring()
    (files.path / "others.json").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(Damaged):
            followed.ring()
    (files.path / "others.json").write_text(ring.others_as_json())
    assert followed.ring() == ring


def test_a_secret_is_written_to_a_new_file_that_its_owner_alone_reads(tmp_path: Path) -> None:
    path = tmp_path / "pair"
    write_secret(path, "text")
    assert mode(path) == 0o600
    assert read_secret(path) == b"text"
    with pytest.raises(KeyRingError, match="exists already"):
        write_secret(path, "other")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyRingError, match="exists already"):
        write_secret(tmp_path / "link", "other")
    with pytest.raises(KeyRingError, match="cannot be written"):
        write_secret(tmp_path / "no" / "pair", "other")
    assert not (tmp_path / "elsewhere").exists()


def test_a_secret_that_others_could_have_read_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "pair"
    write_secret(path, "text")
    path.chmod(0o644)
    with pytest.raises(KeyRingError, match=r"its mode is 0644.*chmod 600"):
        read_secret(path)
    with pytest.raises(KeyRingError, match="there is no file"):
        read_secret(tmp_path / "nothing")
    with pytest.raises(KeyRingError, match="cannot be opened"):
        read_secret(tmp_path / "no" / "pair")
