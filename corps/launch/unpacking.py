"""An application as one file, by ``corps package``: what it says of itself, and where its files are put.

It is a zip archive: ``corps.json`` says what is booted, ``requirements.lock`` which packages it needs,
``app/...`` has its files, and ``__main__.py`` runs it. Its files are unpacked once, below the user's cache,
in a folder with the hash of the archive as its name. So modules have real files, and others beside them.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import zipfile
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any, Final

from corps.errors import LoadError
from corps.security.private_places import problem_with

SUFFIX: Final = ".pyz"
MANIFEST: Final = "corps.json"
LOCK: Final = "requirements.lock"
FILES: Final = "app/"
FORMAT: Final = 1
MOST_FILES: Final = 10_000
MOST_BYTES: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a packaged application says of itself. Plain data.

    Attributes:
        format: The version of this form.
        corps: The release of corps that has made it.
        python: That of Python.
        file: Of the application, below its files; empty if `module` says which.
        module: Its name for the import system; empty if `file` says which.
        qualname: Of the class in it; empty for the only one there is.
    """

    format: int
    corps: str
    python: str
    file: str
    module: str
    qualname: str

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str, where: str) -> "Manifest":
        """Undo `to_json`.

        Raises:
            LoadError: It is none, or a later release of corps has made it. The text begins with `where`.
        """
        try:
            found: Any = json.loads(text)
            said = found["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise LoadError(f"{where}: {MANIFEST} is no description of an application: {error!r}") from error
        if type(said) is int and said > FORMAT:
            raise LoadError(f"{where} has the format {said}, and this release of corps knows {FORMAT}")
        kinds = {field.name: int if field.name == "format" else str for field in fields(cls)}
        for name, kind in kinds.items():
            if type(found.get(name)) is not kind:
                raise LoadError(f"{where}: {MANIFEST} says {name}={found.get(name)!r:.80}")
        return cls(**{name: found[name] for name in kinds})


def unpacked(path: Path) -> tuple[Path, Manifest]:
    """Unpack a packaged application unless that has been done; return the folder, and what it says of itself.

    Raises:
        LoadError: It is none, a package that it needs is not installed, or there is no place for its files.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = Manifest.from_json(_text(archive, MANIFEST, path), str(path))
            _check_requirements(_text(archive, LOCK, path), path)
            folder = _base() / hashlib.sha256(content).hexdigest()
            if not folder.is_dir():
                _unpack(archive, folder, path)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:  # encrypted, or packed otherwise
        raise LoadError(f"{path} is no application that `corps package` has made: {error}") from error
    except OSError as error:
        raise LoadError(f"{path} could not be unpacked: {error}") from error
    return folder, manifest


def _text(archive: zipfile.ZipFile, name: str, path: Path) -> str:
    try:
        return archive.read(name).decode("utf-8")
    except (KeyError, UnicodeDecodeError) as error:
        raise LoadError(f"{path} is no application that `corps package` has made: {name}: {error}") from error


def _base() -> Path:
    """Return the directory of unpacked applications, which is this user's alone."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    base = (Path(cache) if os.path.isabs(cache) else Path.home() / ".cache") / "corps" / "packages"
    base.parent.mkdir(parents=True, exist_ok=True)
    base.mkdir(mode=0o700, exist_ok=True)
    if problem := problem_with(str(base)):
        raise LoadError(f"{base}, where packaged applications are unpacked, cannot be used: {problem}")
    return base


def _unpack(archive: zipfile.ZipFile, folder: Path, path: Path) -> None:
    """Write the files of an application to a folder that is there as a whole, or not at all."""
    entries = [each for each in archive.infolist() if each.filename.startswith(FILES) and not each.is_dir()]
    if len(entries) > MOST_FILES or sum(each.file_size for each in entries) > MOST_BYTES:
        raise LoadError(f"{path} has more than {MOST_FILES} files, or {MOST_BYTES} bytes")
    made = Path(tempfile.mkdtemp(prefix="new-", dir=folder.parent))
    try:
        for each in entries:
            name = each.filename.removeprefix(FILES)
            if not is_plain(name):
                raise LoadError(f"{path} has a file with the name {name!r:.200}, which leads elsewhere")
            target = made / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(each))
        made.rename(folder)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        if not folder.is_dir():  # else another process was faster
            raise
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def is_plain(name: str) -> bool:
    """Return whether a name in an archive is that of a file below its folder."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _check_requirements(lock: str, path: Path) -> None:
    """Make sure that the packages of a lock are installed. Another version of one counts as well."""
    missing = []
    for line in lock.splitlines():
        name, equals, _ = line.partition("==")
        if equals and not line.startswith("#"):
            try:
                version(name.strip())
            except PackageNotFoundError:
                missing.append(line.strip())
    if missing:
        raise LoadError(
            f"{path} needs {', '.join(missing)}, which {sys.executable} does not have. To install all of "
            f"it: unzip -p {path} {LOCK} > {LOCK} && pip install -r {LOCK}"
        )
