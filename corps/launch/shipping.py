"""Which files an application needs on other hosts, and where they are there.

A file in a package: the whole package, from its top. Any other file: that file, and what Python would import
from its folder, that is each other module, and each package, beside it. A module that the import system
finds: its package or its file. What is installed, as by pip, is not sent: it has to be installed there too.
Of a package all files are sent but caches of Python, and what is hidden.
"""

import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from corps.errors import LoadError
from corps.launch.sources import Source

MOST_FILES: Final = 10_000
MOST_BYTES: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Shipment:
    """The files that are sent, and where the application is among them."""

    files: dict[str, bytes]  # by their paths with slashes; empty if nothing is sent
    folder: str  # of this host, in which they are

    def source_at(self, source: Source, root: str) -> list[Any]:
        """Return the source of this host as plain data for another one, where the files are below `root`."""

        def moved(path: str) -> str:
            return os.path.join(root, os.path.relpath(path, self.folder)) if path else ""

        if not self.files:
            return source.as_list()
        return replace(source, path=moved(source.path), file=moved(source.file)).as_list()


def shipment_of(source: Source) -> Shipment:
    """Find and read the files of an application.

    Raises:
        LoadError: They are too many, or too large, or one cannot be read.
    """
    file = Path(source.path or source.file) if source.path or source.file else None
    if file is None or _is_installed(file):
        return Shipment({}, "")
    top = _top_of_package(file)
    if top is not None:
        return _read(top.parent, _in_package(top))
    beside = _importable(file.parent) if source.path else iter(())
    return _read(file.parent, iter({file: None, **dict.fromkeys(beside)}))


def _is_installed(file: Path) -> bool:
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return any(file.is_relative_to(place) for place in places if place)


def _top_of_package(file: Path) -> Path | None:
    """Return the folder of the top package in which a file is; None if it is in none."""
    folder, top = file.parent, None
    while (folder / "__init__.py").is_file():
        folder, top = folder.parent, folder
    return top


def _importable(folder: Path) -> Iterator[Path]:
    for each in sorted(folder.iterdir()):
        if each.name.startswith("."):
            continue
        if each.suffix == ".py" and each.is_file():
            yield each
        elif each.name.isidentifier() and (each / "__init__.py").is_file():
            yield from _in_package(each)


def _in_package(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if each != "__pycache__" and not each.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and not name.endswith(".pyc"):
                yield Path(place, name)


def _read(folder: Path, paths: Iterator[Path]) -> Shipment:
    found: dict[str, bytes] = {}
    size = 0
    try:
        for path in paths:
            size += path.stat().st_size
            if size > MOST_BYTES or len(found) >= MOST_FILES:
                raise LoadError(
                    f"the application has more than {MOST_FILES} files, or {MOST_BYTES} bytes, in {folder}: "
                    "too much to send to other hosts. Put it in a package or a folder of its own, or install "
                    "it there"
                )
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    except OSError as error:
        raise LoadError(f"the application cannot be sent to other hosts: {error}") from error
    return Shipment(found, str(folder))
