"""Replacing a file as a whole: it is the old one or the new one, never half, and nothing else is left behind.

The content is written to a file without a name (``O_TMPFILE``), so a process that is killed meanwhile leaves
nothing. Only when all of it is on the disk does it get a name: that of the file itself, or another one that
is renamed at once, because a link never replaces anything. Where the file system has no files without a name
it has that other name from the beginning. A killed process may leave such a name behind; the next one that
replaces the same file removes it (`corps.packing.part_files`).

A link is followed, so that what it leads to is replaced. The mode is kept, and the owner where that is
allowed.
"""

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import Final

from corps.errors import NotAFile
from corps.packing import part_files

_OWNER_ONLY: Final = 0o600


def replace_file(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview]) -> None:
    """Write a file, at once and as a whole. Only its owner may read a new one. NotAFile at a device etc."""
    given = os.fsdecode(path)
    target = os.path.realpath(given)
    old = _regular(given)
    directory, name = os.path.split(target)
    where = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _replace(where, name, parts, old)
        # Without this a power failure brings the old file back after `store` has returned.
        os.fsync(where)
    finally:
        os.close(where)


def _regular(given: str) -> os.stat_result | None:
    nameless: int | None = None
    while True:
        try:
            old = os.stat(given)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(old.st_mode):
            raise NotAFile(f"{given} leads to {_kind(old.st_mode)}, and only a regular file can be replaced")
        if old.st_nlink:
            return old
        # Another writer has replaced it at this moment: look again. Or a descriptor under /proc leads to it.
        if old.st_ino == nameless:
            raise NotAFile(
                f"{given} leads to a file that has no name any more, so nothing can take its place"
            )
        nameless = old.st_ino


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _replace(where: int, name: str, parts: Iterable[bytes | memoryview], old: os.stat_result | None) -> None:
    part_files.clear(where, name)
    part = ""
    try:
        os.stat("/proc/self/fd")  # by way of which it gets its name
        file = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, _OWNER_ONLY, dir_fd=where)
        part_files.hold(file)
    except OSError:  # the file system has none
        file, part = part_files.make(where, name)
    try:
        _write(file, parts, old)
        if not part:
            if old is None and _link(file, where, name):
                return
            part = next(each for each in part_files.candidates(name) if _link(file, where, each))
        os.replace(part, name, src_dir_fd=where, dst_dir_fd=where)
    except BaseException:
        if part:
            with contextlib.suppress(OSError):
                os.unlink(part, dir_fd=where)
        raise
    finally:
        os.close(file)


def _write(file: int, parts: Iterable[bytes | memoryview], old: os.stat_result | None) -> None:
    for part in parts:
        left = memoryview(part)
        while left:
            left = left[os.write(file, left) :]
    if old is not None:
        with contextlib.suppress(OSError):  # others may give files away to nobody
            os.fchown(file, old.st_uid, old.st_gid)
        os.fchmod(file, stat.S_IMODE(old.st_mode))
    os.fsync(file)


def _link(file: int, where: int, name: str) -> bool:
    """Give an open file a name; False if there is a file of that name."""
    try:
        # With a directory Python calls linkat, which follows the link under /proc.
        os.link(f"/proc/self/fd/{file}", name, dst_dir_fd=where, follow_symlinks=True)
    except FileExistsError:
        return False
    return True
