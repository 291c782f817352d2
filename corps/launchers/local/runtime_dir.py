"""The runtime directory of a Corps: where the sockets of its Envs have their names.

Each Corps has a fresh one, which belongs to this user and admits no other: a user who can put a file there
can stand in for an Env. Nor can another user put a directory of his own in its place: no folder above it lets
him rename. Its name carries the process id of its maker, which tells what a crash left behind from what is in
use.
"""

import contextlib
import logging
import os
import shutil
import stat
import tempfile
from fnmatch import fnmatch

from corps.errors import BootError

PREFIX = "corps-"

_log = logging.getLogger("corps.security")

_ALWAYS_THERE = ("/tmp", "/var/tmp")  # noqa: S108 - a fresh directory is made there, if others may not rename it
_ALL_USERS = "0 0 4294967295"


def make_runtime_dir() -> str:
    """Make a fresh directory that only this user can enter, where no other user can move it away.

    It lies in ``$XDG_RUNTIME_DIR/corps-<uid>/`` where that is, or can be made, ours and closed to others, and
    otherwise in the directory for temporary files. If other users may rename folders above that, it lies in
    ``/tmp`` or ``/var/tmp``, and a warning says so. Its path is absolute, without symbolic links.
    """
    ours = user_dir()
    problems: list[str] = []
    for base in [ours] if ours is not None else [tempfile.gettempdir(), *_ALWAYS_THERE]:
        base = os.path.realpath(base)
        problem = _who_may_rename_below(base)
        if problem is None:
            if problems:
                _log.warning("the runtime directory is made in %s: %s", base, "; ".join(problems))
            return _make_in(base)
        problems.append(f"{base} is not safe to use: {problem}")
    raise BootError(
        f"the runtime directory could not be made: {'; '.join(problems)}; set XDG_RUNTIME_DIR or TMPDIR to a "
        "directory that no other user may rename, nor those above it"
    )


def _make_in(base: str) -> str:
    try:
        path = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base)
    except OSError as error:
        raise BootError(f"the runtime directory could not be made: {error}") from error
    problem = _problem_with(path)
    if problem is not None:
        raise BootError(f"the runtime directory {path} is not safe to use: {problem}")
    return path


def remove_runtime_dir(path: str) -> None:
    """Remove a directory of `make_runtime_dir` with all that is in it. A missing one is no error.

    Leave alone what `make_runtime_dir` cannot have made: a wrong argument must not cost a user's files.
    """
    if os.path.basename(path).startswith(PREFIX) and _problem_with(path) is None:
        shutil.rmtree(path, ignore_errors=True)


def remove_files(path: str, *patterns: str) -> None:
    """Remove files, by `fnmatch` patterns, that ended processes left in a directory of `make_runtime_dir`."""
    with contextlib.suppress(OSError):
        for name in os.listdir(path):
            if any(fnmatch(name, pattern) for pattern in patterns):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(path, name))


def user_dir() -> str | None:
    """Find or make ``$XDG_RUNTIME_DIR/corps-<uid>``; None if that is not ours and closed to others."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if not os.path.isabs(base) or _problem_with(base) is not None:
        return None
    path = os.path.join(base, f"{PREFIX}{os.getuid()}")
    with contextlib.suppress(OSError):
        os.mkdir(path, 0o700)
    return path if _problem_with(path) is None else None


def _who_may_rename_below(path: str) -> str | None:
    """Say why another user may rename what is made below a real path; None if no other user may."""
    trusted = {0, os.getuid()} | _unknown_users()
    while True:
        try:
            found = os.stat(path)
        except OSError as error:
            return str(error)
        if found.st_uid not in trusted:
            return f"{path} belongs to user {found.st_uid}"
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX:
            return f"others may write to {path}, and the sticky bit is not set"
        if path == os.path.dirname(path):
            return None
        path = os.path.dirname(path)


def _unknown_users() -> set[int]:
    """Find the id of all users, root among them, that have none in this user namespace, if there are such."""
    try:
        with open("/proc/self/uid_map") as file:
            if " ".join(file.read().split()) == _ALL_USERS:
                return set()
        with open("/proc/sys/kernel/overflowuid") as file:
            return {int(file.read())}
    except (OSError, ValueError):
        return set()


def _problem_with(path: str) -> str | None:
    """Say why this path is no directory that belongs to us alone; None if it is one."""
    try:
        found = os.lstat(path)
    except OSError as error:
        return str(error)
    if stat.S_ISLNK(found.st_mode):
        return "it is a symbolic link"
    if not stat.S_ISDIR(found.st_mode):
        return "it is not a directory"
    if found.st_uid != os.getuid():
        return f"it belongs to user {found.st_uid}, not to user {os.getuid()}"
    if stat.S_IMODE(found.st_mode) != 0o700:
        return f"its mode is {stat.S_IMODE(found.st_mode):04o}, not 0700"
    return None
