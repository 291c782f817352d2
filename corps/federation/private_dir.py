"""Small files in a directory that belongs to one user alone. What another user could have made is not used.

Nothing here follows a symbolic link, waits for a writer of a pipe, or reads more than it was asked for.
"""

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from typing import Final

from corps.errors import Damaged, UnsafeFile
from corps.security.private_places import problem_with_dir, problem_with_file, who_may_rename_below

_PART: Final = ".part"  # ends the name of a file that is not complete
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class PrivateDir:
    """An open directory of this user. One thread, and one process: a lock ends with `close`."""

    def __init__(self, path: str, *, make: bool = True) -> None:
        """Open the directory at `path`, made first if it is not there and `make` says so.

        Raises:
            UnsafeFile: Another user could have made it, could move it away, or can open it.
            FileNotFoundError: It is not there, and `make` is false.
            OSError: It cannot be made or opened.
        """
        self.path = path
        above = os.path.dirname(os.path.abspath(path))
        if problem := who_may_rename_below(os.path.realpath(above)):
            raise UnsafeFile(f"{path} is not safe to use: {problem}")
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise UnsafeFile(
                    f"{path} is not safe to use: it is a symbolic link or no directory; remove it"
                ) from error
            raise
        if problem := problem_with_dir(os.fstat(self.fd)):
            self.close()
            raise UnsafeFile(f"{path} is not safe to use: {problem}; remove it")

    def close(self) -> None:
        """Close it. Idempotent."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> "PrivateDir":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep out all others that lock it, and remove what killed ones have left half written."""
        fcntl.flock(self.fd, fcntl.LOCK_EX)
        try:
            for name in self.names(_PART):
                self.remove(name + _PART)
            yield
        finally:
            fcntl.flock(self.fd, fcntl.LOCK_UN)

    def names(self, ending: str) -> list[str]:
        """List the files whose names have an ending, sorted, without it."""
        return sorted(name.removesuffix(ending) for name in os.listdir(self.fd) if name.endswith(ending))

    def read(self, name: str, limit: int) -> bytes:
        """Read a file of at most `limit` bytes.

        Raises:
            FileNotFoundError: There is none.
            UnsafeFile: It is no regular file, or not this user's alone.
            Damaged: It is larger.
        """
        return _read(self.fd, name, f"{self.path}/{name}", limit)

    def write(self, name: str, content: bytes) -> None:
        """Write a file as a whole, which only this user may open. Caller holds the lock."""
        part = f"{secrets.token_hex(8)}{_PART}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(part, flags, 0o600, dir_fd=self.fd), "wb") as file:
            try:
                os.fchmod(file.fileno(), 0o600)  # whatever the umask takes away
                file.write(content)
                file.flush()
                os.rename(part, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
            except BaseException:
                self.remove(part)
                raise

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)


def read_private_file(path: str, limit: int) -> bytes:
    """Read a file that this user alone may open, of at most `limit` bytes.

    Raises:
        FileNotFoundError: There is none.
        UnsafeFile: It is no regular file, or not this user's alone.
        Damaged: It is larger.
    """
    return _read(None, path, path, limit)


def _read(dir_fd: int | None, name: str, path: str, limit: int) -> bytes:
    try:
        fd = os.open(name, _READ, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnsafeFile(f"{path} is not used: it is a symbolic link") from error
        if error.errno in (errno.ENXIO, errno.ENODEV, errno.EACCES):  # a socket, a device without a driver
            raise UnsafeFile(f"{path} is not used: {error.strerror}") from error
        raise
    try:
        if problem := problem_with_file(os.fstat(fd)):
            raise UnsafeFile(f"{path} is not used: {problem}")
        with open(fd, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    finally:
        os.close(fd)
    if len(content) > limit:
        raise Damaged(f"{path} is larger than {limit} bytes, which are the most")
    return content
