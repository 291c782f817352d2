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
import tempfile
from fnmatch import fnmatch

from corps.errors import BootError
from corps.security.private_places import problem_with, who_may_rename_below

PREFIX = "corps-"

_log = logging.getLogger("corps.security")

_ALWAYS_THERE = ("/tmp", "/var/tmp")  # noqa: S108 - a fresh directory is made there, if others may not rename it


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
        problem = who_may_rename_below(base)
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
    problem = problem_with(path)
    if problem is not None:
        raise BootError(f"the runtime directory {path} is not safe to use: {problem}")
    return path


def remove_runtime_dir(path: str) -> None:
    """Remove a directory of `make_runtime_dir` with all that is in it. A missing one is no error.

    Leave alone what `make_runtime_dir` cannot have made: a wrong argument must not cost a user's files.
    """
    if os.path.basename(path).startswith(PREFIX) and problem_with(path) is None:
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
    if not os.path.isabs(base) or problem_with(base) is not None:
        return None
    path = os.path.join(base, f"{PREFIX}{os.getuid()}")
    with contextlib.suppress(OSError):
        os.mkdir(path, 0o700)
    return path if problem_with(path) is None else None
