"""Claims about files of one user: what another user could have made is refused, and never followed."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from corps.errors import Damaged, UnsafeFile
from corps.federation.private_dir import PrivateDir, read_private_file

LIMIT = 100


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "place"


def test_a_file_is_read_as_it_was_written_and_only_its_owner_may_open_it(place: Path) -> None:
    before = os.umask(0)
    try:
        with PrivateDir(str(place)) as directory, directory.locked():
            directory.write("x.json", b"one")
            directory.write("x.json", b"two")
            assert directory.read("x.json", LIMIT) == b"two"
            assert directory.names(".json") == ["x"]
    finally:
        os.umask(before)
    assert (place.stat().st_mode & 0o777, (place / "x.json").stat().st_mode & 0o777) == (0o700, 0o600)
    assert os.listdir(place) == ["x.json"]


def test_a_mask_that_takes_everything_away_leaves_the_owner_his_file(place: Path) -> None:
    with PrivateDir(str(place)) as directory:
        before = os.umask(0o777)
        try:
            with directory.locked():
                directory.write("x", b"one")
        finally:
            os.umask(before)
        assert directory.read("x", LIMIT) == b"one"


def test_what_a_killed_writer_left_is_removed_by_the_next_one(place: Path) -> None:
    with PrivateDir(str(place)) as directory:
        (place / "0123.part").write_text("half")
        with directory.locked():
            assert os.listdir(place) == []


def test_a_directory_of_others_is_refused(place: Path, tmp_path: Path) -> None:
    place.mkdir()
    place.chmod(0o755)
    with pytest.raises(UnsafeFile, match="its mode is 0755, not 0700"):
        PrivateDir(str(place))
    (tmp_path / "link").symlink_to(place)
    with pytest.raises(UnsafeFile, match="symbolic link"):
        PrivateDir(str(tmp_path / "link"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UnsafeFile, match="no directory"):
        PrivateDir(str(tmp_path / "file"))


def test_a_directory_below_one_that_others_may_rename_in_is_refused(tmp_path: Path) -> None:
    above = tmp_path / "above"
    above.mkdir()
    above.chmod(0o777)
    with pytest.raises(UnsafeFile, match="the sticky bit is not set"):
        PrivateDir(str(above / "place"))
    assert os.listdir(above) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_another_user_is_refused(place: Path) -> None:
    with PrivateDir(str(place)) as directory:
        (place / "x").write_text("theirs")
        os.chmod(place / "x", 0o600)
        os.chown(place / "x", 12345, -1)
        with pytest.raises(UnsafeFile, match="belongs to user 12345"):
            directory.read("x", LIMIT)
    os.chown(place, 12345, -1)
    with pytest.raises(UnsafeFile, match="belongs to user 12345"):
        PrivateDir(str(place))


def test_hostile_files_are_refused_at_once_and_never_followed(place: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    with PrivateDir(str(place)) as directory:
        (place / "link").symlink_to(secret)
        os.mkfifo(place / "pipe", 0o600)
        (place / "folder").mkdir(0o700)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(f"/proc/self/fd/{directory.fd}/socket")
        (place / "open").write_text("for all")
        (place / "open").chmod(0o644)
        (place / "null").symlink_to("/dev/zero")
        for name in ("link", "pipe", "folder", "socket", "open", "null"):
            with pytest.raises(UnsafeFile, match=f"place/{name} is not used: "):
                directory.read(name, LIMIT)
            with pytest.raises(UnsafeFile):
                read_private_file(str(place / name), LIMIT)
        with directory.locked():
            directory.write("link", b"mine")  # takes the place of the link
        assert directory.read("link", LIMIT) == b"mine"
    assert secret.read_text() == "secret"


def test_a_huge_file_is_damage_and_is_not_read_as_a_whole(place: Path) -> None:
    with PrivateDir(str(place)) as directory:
        with open(os.open(place / "x", os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
            file.truncate(2**40)
        with pytest.raises(Damaged, match="larger than 100 bytes"):
            directory.read("x", LIMIT)


def test_a_missing_file_or_directory_is_said_to_be_missing(place: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PrivateDir(str(place), make=False)
    with PrivateDir(str(place)) as directory, pytest.raises(FileNotFoundError):
        directory.read("x", LIMIT)


def test_a_lock_of_a_killed_process_is_none(place: Path) -> None:
    code = (
        "import sys; from corps.federation.private_dir import PrivateDir\n"
        "with PrivateDir(sys.argv[1]) as place, place.locked(): print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.kill()
        with PrivateDir(str(place)) as directory, directory.locked():
            pass
