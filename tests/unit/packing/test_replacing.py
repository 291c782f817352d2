"""Claims about replacing a file: what is followed, refused and kept, and that nothing is left behind."""

import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from corps.errors import NotAFile
from corps.packing import part_files
from corps.packing.replacing import replace_file

NO_TMPFILE = pytest.mark.parametrize("has_tmpfile", [True, False])


@pytest.fixture
def file_system(monkeypatch: pytest.MonkeyPatch, has_tmpfile: bool) -> None:
    """One that has files without a name, or has none."""
    real = os.open

    def opening(path: Any, flags: int, *args: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE and not has_tmpfile:
            raise OSError("not supported")
        return real(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", opening)


@NO_TMPFILE
@pytest.mark.usefixtures("file_system")
@pytest.mark.parametrize("name", ["state", "n" * 255, "a\udcff\n"])
def test_a_new_file_is_its_owners_and_an_old_one_keeps_its_mode(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    replace_file(path, [b"one", memoryview(b" two")])
    assert path.read_bytes() == b"one two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for mode in (0o664, 0o444, 0o640):
        path.chmod(mode)
        replace_file(str(path), [bytes([mode % 256])])
        assert path.read_bytes() == bytes([mode % 256])
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert os.listdir(tmp_path) == [name]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.touch()
    os.chown(path, 12345, 23456)
    replace_file(path, [b"x"])
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


@NO_TMPFILE
@pytest.mark.usefixtures("file_system")
def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    target, link, dangling = tmp_path / "inside" / "data", tmp_path / "link", tmp_path / "dangling"
    target.write_bytes(b"old")
    link.symlink_to("inside/data")
    dangling.symlink_to("inside/new")
    for each, behind in ((link, target), (dangling, tmp_path / "inside" / "new")):
        replace_file(each, [b"new"])
        assert each.is_symlink()
        assert behind.read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path / "inside")) == ["data", "new"]


def test_what_is_no_regular_file_is_refused_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        (tmp_path / "link").symlink_to("pipe")
        kinds = {name: os.lstat(tmp_path / name).st_mode for name in os.listdir(tmp_path)}
        for name in kinds:
            with pytest.raises(NotAFile, match=f"{name} leads to a"):
                replace_file(tmp_path / name, [b"x"])
    assert {name: os.lstat(tmp_path / name).st_mode for name in os.listdir(tmp_path)} == kinds
    with pytest.raises(NotAFile, match="device"):
        replace_file("/dev/null", [b"x"])
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_file_without_a_name_is_refused(tmp_path: Path) -> None:
    with open(tmp_path / "gone", "wb") as file:
        os.unlink(tmp_path / "gone")
        with pytest.raises((NotAFile, FileNotFoundError)):
            replace_file(f"/proc/self/fd/{file.fileno()}", [b"x"])
    assert os.listdir(tmp_path) == []


@NO_TMPFILE
@pytest.mark.usefixtures("file_system")
def test_many_may_replace_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "state"
    contents = [bytes([number]) * 5000 for number in range(4)]
    start = Barrier(len(contents))
    wrong: list[object] = []

    def write(content: bytes) -> None:
        try:
            start.wait()
            for _ in range(25):
                replace_file(path, [content])
                seen = path.read_bytes()
                if seen not in contents:
                    wrong.append(seen)
        except BaseException as error:
            wrong.append(error)

    threads = [Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert os.listdir(tmp_path) == ["state"]


def test_loops_and_missing_directories_are_os_errors(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "loop", tmp_path / "missing" / "state"):
        with pytest.raises(OSError, match=r"loop|missing|symbolic links"):
            replace_file(path, [b"x"])


@NO_TMPFILE
@pytest.mark.usefixtures("file_system")
def test_a_failure_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        replace_file(path, [b"new", None])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["state"]


def test_a_process_that_is_killed_while_it_writes_leaves_nothing(tmp_path: Path) -> None:
    program = """
import sys
from corps.packing.replacing import replace_file

def parts():
    yield bytes(1000)
    print("writing", flush=True)
    sys.stdin.read()

replace_file(sys.argv[1], parts())
"""
    path = tmp_path / "state"
    path.write_bytes(b"old")
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        writer.send_signal(signal.SIGKILL)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["state"]


WITHOUT_TMPFILE = """
real = os.open
def opening(path, flags, *args, **options):
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        raise OSError("not supported")
    return real(path, flags, *args, **options)
os.open = opening
"""

ABOUT_TO_RENAME = """
import os, sys
from corps.packing.replacing import replace_file

rename = os.replace
def wait(*args, **options):
    print("about to rename", flush=True)
    sys.stdin.read()
    rename(*args, **options)

os.replace = wait
{more}
replace_file(sys.argv[1], [b"of the writer"])
"""


@pytest.mark.parametrize("more", ["", WITHOUT_TMPFILE])
@pytest.mark.parametrize("is_killed", [True, False])
def test_the_part_of_a_dead_writer_is_cleared_and_that_of_a_living_one_is_not(
    tmp_path: Path, more: str, is_killed: bool
) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    command = [sys.executable, "-c", ABOUT_TO_RENAME.format(more=more), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"about to rename\n"
        (part,) = set(os.listdir(tmp_path)) - {"state"}
        if is_killed:
            writer.kill()
            writer.wait()
        replace_file(tmp_path / "other", [b"another file"])
        assert (tmp_path / part).exists()
        replace_file(path, [b"new"])
        assert (tmp_path / part).exists() is not is_killed
        assert path.read_bytes() == b"new"
    assert path.read_bytes() == (b"new" if is_killed else b"of the writer")
    assert sorted(os.listdir(tmp_path)) == ["other", "state"]


@NO_TMPFILE
@pytest.mark.usefixtures("file_system")
def test_names_that_others_have_prepared_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    (tmp_path / "precious").write_bytes(b"precious")
    prepared = [tmp_path / name for name in list(part_files.candidates("state"))[:-1]]
    for number, each in enumerate(prepared):
        if number % 2:
            each.symlink_to("precious")
        else:
            os.mkfifo(each)
    replace_file(path, [b"new"])
    assert path.read_bytes() == b"new"
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert sorted(tmp_path.iterdir()) == sorted([path, tmp_path / "precious", *prepared])


def test_a_part_that_another_writer_takes_for_a_dead_one_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Was a defect: its name was free for others meanwhile, and their file, empty yet, took the place."""
    flock, others = fcntl.flock, list[int]()

    def late(file: int, operation: int) -> None:
        if not others:  # the other one is faster
            others.append(os.open(tmp_path / os.listdir(tmp_path)[0], os.O_RDONLY))
            flock(others[0], operation)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    where = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    file, part = part_files.make(where, "state")
    assert not os.path.samestat(os.fstat(file), os.fstat(others[0]))
    assert part_files.is_named(file, where, part)
    for each in (where, file, *others):
        os.close(each)
