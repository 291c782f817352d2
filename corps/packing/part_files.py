"""The other name of a file that is to replace one: a killed writer leaves it, and the next one clears it.

There are few such names for each file, so nobody has to search a directory for them. The writer keeps such a
file, its *part*, locked (`flock`) as long as it lives. A part without a lock is that of a dead writer. Only a
process that has locked it may remove it.
"""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from typing import Final

_MOST: Final = 8  # writers of one file at once whose parts are cleared if they are killed
_OWNER_ONLY: Final = 0o600


def hold(file: int) -> bool:
    """Lock a part, to show that its writer lives. False: another writer has locked it, to remove it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: then no writer counts as dead
        return True
    return True


def clear(where: int, name: str) -> None:
    """Remove what dead writers of a file in the directory ``where`` have left."""
    for part in _names(name):
        with suppress(OSError):  # it is not there, or its writer lives, or it is not ours
            _remove_dead(where, part)


def _remove_dead(where: int, part: str) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.open(part, flags, dir_fd=where)
    try:
        if stat.S_ISREG(os.fstat(file).st_mode):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_named(file, where, part):  # else its writer has just been done with it
                os.unlink(part, dir_fd=where)
    finally:
        os.close(file)


def is_named(file: int, where: int, part: str) -> bool:
    """Return whether an open file still has a name in the directory ``where``."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(part, dir_fd=where, follow_symlinks=False))
    except FileNotFoundError:
        return False


def candidates(name: str) -> Iterator[str]:
    """Yield the names that a part may have, in the order in which they are to be tried. The last one is free.

    They are short, as the file's own name may be as long as a name can be. Others may have prepared all but
    the last, so none of them may be followed or written over.
    """
    yield from _names(name)
    yield f".corps-{secrets.token_hex(8)}.part"


def make(where: int, name: str) -> tuple[int, str]:
    """Make and hold a part that has its name from the beginning; return its descriptor and that name."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    while True:
        for part in candidates(name):
            try:
                file = os.open(part, flags, _OWNER_ONLY, dir_fd=where)
            except FileExistsError:
                continue
            if hold(file) and is_named(file, where, part):
                return file, part
            os.close(file)  # it was taken for that of a dead writer, before it was held


def _names(name: str) -> list[str]:
    tag = sha256(os.fsencode(name)).hexdigest()[:16]
    return [f".corps-{tag}-{number}.part" for number in range(_MOST)]
