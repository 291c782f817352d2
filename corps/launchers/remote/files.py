"""The files of an application on a host to which they were sent: each version once, in a private place."""

import hashlib
import io
import os
import re
import secrets
import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

from corps.errors import EnvStartError
from corps.security.private_places import problem_with

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def digest_of(archive: bytes) -> str:
    """Return what stands for the files of an archive."""
    return hashlib.sha256(archive).hexdigest()


def pack(files: dict[str, bytes]) -> bytes:
    """Make the archive of files, by their paths with slashes: the same bytes for the same files."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path), files[path])
    return data.getvalue()


class FileCache:
    """The directory where applications are kept, by digest. One thread."""

    def __init__(self, path: Path | None = None) -> None:
        """Use ``$XDG_CACHE_HOME/corps/applications``, or another one."""
        home = os.environ.get("XDG_CACHE_HOME", "")
        base = Path(home) if os.path.isabs(home) else Path.home() / ".cache"
        self._path = path or base / "corps" / "applications"

    def find(self, digest: str) -> Path | None:
        """Return where an application is; None if it is not here."""
        if not _DIGEST.fullmatch(digest):
            raise EnvStartError(f"{digest!r:.100} is no digest of an application")
        self._make()
        place = self._path / digest
        return place if place.is_dir() else None

    def keep(self, digest: str, archive: bytes) -> Path:
        """Unpack an application, unless it is there by now; return where it is. All or nothing.

        Raises:
            EnvStartError: The archive is not that of the digest, or has a path that leads out of it; or the
                directory could be another user's, or cannot be written.
        """
        if digest_of(archive) != digest:
            raise EnvStartError("the files of the application have not come as they were sent")
        self._make()
        part = self._path / f"{digest}.{secrets.token_hex(4)}.part"
        place = self._path / digest
        try:
            part.mkdir(mode=0o700)
            with zipfile.ZipFile(io.BytesIO(archive)) as found:
                for name in found.namelist():
                    _write(part, name, found.read(name))
            try:
                part.rename(place)
            except OSError:
                if not place.is_dir():  # else another parent was faster
                    raise
        except (OSError, zipfile.BadZipFile) as error:
            raise EnvStartError(f"the files of the application cannot be kept in {place}: {error}") from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return place

    def _make(self) -> None:
        path = str(self._path)
        try:
            os.makedirs(self._path.parent, mode=0o700, exist_ok=True)
            if not os.path.isdir(path):
                os.mkdir(path, 0o700)
        except FileExistsError:
            pass  # another parent was faster
        except OSError as error:
            raise EnvStartError(f"{path} for the files of applications cannot be made: {error}") from error
        if problem := problem_with(path):
            raise EnvStartError(f"{path} for the files of applications is not safe to use: {problem}")


def _write(root: Path, name: str, data: bytes) -> None:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise EnvStartError(
            f"the files of the application have the path {name!r:.100}, which leads out of them"
        )
    path = root.joinpath(*parts)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(data)
