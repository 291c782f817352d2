"""The key ring of a user, in files that no other user can read, write or replace.

It lies in ``$XDG_CONFIG_HOME/corps/keys``, or in ``~/.config/corps/keys``. The directory has the mode 0700
and belongs to its user; so do the two files in it, with the mode 0600. A ring for which that is not so is
refused. Each change replaces a file as a whole. A process that follows a ring sees the change at its next
look, because the file is another one then.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final, NoReturn

from corps.clock import wall_time
from corps.errors import KeyRingError
from corps.packing.replacing import replace_file
from corps.security.key_ring import KeyRing, OwnKey, new_own_key
from corps.security.keys import new_key_pair
from corps.security.private_places import problem_with_dir, problem_with_file

OWN_FILE: Final = "own.json"  # secret
OTHERS_FILE: Final = "others.json"

_FIRST: Final = "default"  # the name of a key that is made by itself

_MAX_SIZE: Final = 4 * 1024 * 1024  # bytes of a file at most

_Look = tuple[tuple[int, ...] | None, ...]


def default_ring_dir() -> Path:
    """Return where the key ring of this user lies."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    config = Path(base) if os.path.isabs(base) else Path.home() / ".config"
    return config / "corps" / "keys"


class KeyRingFiles:
    """The files of one key ring. Thread-safe; other processes may change them meanwhile."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Mean the ring in a directory, which need not exist yet; None for that of this user."""
        self.path = default_ring_dir() if path is None else Path(path)

    def read(self) -> KeyRing:
        """Read the ring. Where there is no directory, it is empty.

        Returns:
            The ring.

        Raises:
            KeyRingError: Another user could read or change it, or it cannot be read.
            Damaged: A file is no key ring.
            NewerFormat: A newer release of corps wrote a file.
        """
        try:
            where = self._open_dir()
        except FileNotFoundError:
            return KeyRing()
        try:
            return self._read(where)
        finally:
            os.close(where)

    def change(self, change: Callable[[KeyRing], KeyRing]) -> KeyRing:
        """Change the ring. Changes of several processes follow each other.

        Args:
            change: What gives the changed ring. What it raises leaves the ring as it is.

        Returns:
            The changed ring.

        Raises:
            KeyRingError: Another user could read or change it, or it cannot be read or written.
            Damaged: A file is no key ring.
            NewerFormat: A newer release of corps wrote a file.
        """
        self._make_dir()
        with self._locked() as where:
            before = self._read(where)
            after = change(before)
            if after.own != before.own:
                self._write(OWN_FILE, after.own_as_json())
            if (after.allowed, after.revoked) != (before.allowed, before.revoked):
                self._write(OTHERS_FILE, after.others_as_json())
        return after

    def look(self) -> _Look:
        """Return what differs after every change of the ring, or of who may change it.

        Cheap: three questions to the file system.
        """
        return tuple(_identity(path) for path in (self.path, self.path / OWN_FILE, self.path / OTHERS_FILE))

    # --- the directory ---

    def _make_dir(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise KeyRingError(f"the key ring {self.path} cannot be made: {error.strerror}") from error

    def _open_dir(self) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            where = os.open(self.path, flags)
        except FileNotFoundError:
            raise
        except OSError as error:
            if self.path.is_symlink():
                _refuse(self.path, "it is a symbolic link", "put a directory there")
            raise KeyRingError(f"the key ring {self.path} cannot be opened: {error.strerror}") from error
        try:
            if (problem := problem_with_dir(os.fstat(where))) is not None:
                _refuse(self.path, problem, f"chmod 700 {self.path} helps if only the mode is wrong")
        except BaseException:
            os.close(where)
            raise
        return where

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            where = self._open_dir()
        except FileNotFoundError as error:
            raise KeyRingError(f"the key ring {self.path} was removed just now") from error
        try:
            fcntl.flock(where, fcntl.LOCK_EX)
            yield where
        finally:
            os.close(where)

    # --- the files ---

    def _read(self, where: int) -> KeyRing:
        own, others = (_content(where, self.path / name) for name in (OWN_FILE, OTHERS_FILE))
        return KeyRing.from_json(own, others, str(self.path))

    def _write(self, name: str, text: str) -> None:
        path = self.path / name
        try:
            replace_file(path, [text.encode()])
        except OSError as error:
            raise KeyRingError(f"{path} cannot be written: {error.strerror or error}") from error


def make_first_key(files: KeyRingFiles) -> OwnKey | None:
    """Make an own key where the ring has none, and return it; None if it has one.

    Of several processes that do this at the same time one makes it. Where all own keys have expired none is
    made: their owner decides what comes next.

    Raises:
        KeyRingError, Damaged, NewerFormat: As `KeyRingFiles.change`.
    """
    if files.read().own:
        return None
    key = new_own_key(_FIRST, new_key_pair(), wall_time())
    after = files.change(lambda ring: ring if ring.own else ring.with_own(key))
    return key if key in after.own else None


class FollowedKeyRing:
    """A key ring as a process that uses it sees it: read again when it has changed. Thread-safe.

    A process that has to cut a revoked key within a second asks at least that often.
    """

    def __init__(self, files: KeyRingFiles) -> None:
        self._files = files
        self._lock = Lock()  # protects what follows; the files are read under it
        self._look: _Look | None = None
        self._ring = KeyRing()

    def ring(self) -> KeyRing:
        """Return the ring as it is now.

        Returns:
            The ring. The same object as the last time, if nothing has changed.

        Raises:
            KeyRingError: It cannot be used now, so no key counts.
            Damaged: A file is no key ring, so no key counts.
            NewerFormat: A newer release of corps wrote a file, so no key counts.
        """
        with self._lock:
            look = self._files.look()  # first: a change between the two is seen the next time
            if look != self._look:
                self._look = None  # what raises is raised the next time, too
                self._ring = self._files.read()
                self._look = look
            return self._ring


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode, found.st_uid


def write_secret(path: str | os.PathLike[str], text: str) -> None:
    """Write a new file that only its user can read. It must not exist.

    Raises:
        KeyRingError: There is something of that name, or it cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise KeyRingError(f"{os.fspath(path)} exists already: name a file that does not") from error
    except OSError as error:
        raise KeyRingError(f"{os.fspath(path)} cannot be written: {error.strerror}") from error


def read_secret(path: str | os.PathLike[str]) -> bytes:
    """Read what `write_secret` has written, if no other user could have.

    Raises:
        KeyRingError: Another user could read or change it, or it cannot be read.
    """
    place = Path(path)
    try:
        where = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise KeyRingError(f"{place} cannot be opened: {error.strerror}") from error
    try:
        content = _content(where, place)
    finally:
        os.close(where)
    if content is None:
        raise KeyRingError(f"there is no file {place}")
    return content


def _content(where: int, path: Path) -> bytes | None:
    """Read a file in an open directory, if no other user could have written it; None if it is not there."""
    try:
        file = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=where)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink():
            _refuse(path, "it is a symbolic link", "put a file there")
        raise KeyRingError(f"{path} cannot be opened: {error.strerror}") from error
    with os.fdopen(file, "rb") as opened:
        if (problem := problem_with_file(os.fstat(file))) is not None:
            _refuse(path, problem, f"chmod 600 {path} helps if only the mode is wrong")
        content = opened.read(_MAX_SIZE + 1)
    if len(content) > _MAX_SIZE:
        _refuse(path, f"it has more than {_MAX_SIZE} bytes", "it is no file of corps")
    return content


def _refuse(path: Path, why: str, advice: str) -> NoReturn:
    raise KeyRingError(f"{path} is not safe to use for keys: {why}; {advice}")
