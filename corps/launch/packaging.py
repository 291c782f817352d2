"""Making one file of an application, with a lock of what it needs: see `corps.launch.unpacking`."""

import ast
import os
import platform
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Final

from corps.errors import ConfigError, LoadError
from corps.launch.shipping import shipment_of
from corps.launch.sources import Source
from corps.launch.unpacking import FILES, FORMAT, LOCK, MANIFEST, Manifest
from corps.packing.replacing import replace_file

_MAIN: Final = """\
import sys

try:
    from corps.cli.main import main
except ModuleNotFoundError:
    sys.exit("this application needs corps, which " + sys.executable + " does not have")
sys.argv[1:1] = ["run", sys.argv[0]]
main()
"""
_FIRST_LINE: Final = b"#!/usr/bin/env python3\n"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SETTINGS: Final = "corps.toml"
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)  # the same files give the same archive


@dataclass(frozen=True, slots=True)
class Packaged:
    """What was packaged.

    Attributes:
        files: The names of the application's files.
        requirements: The lines of its lock.
        unknown: Modules that it imports and that no installed package has.
    """

    files: tuple[str, ...]
    requirements: tuple[str, ...]
    unknown: tuple[str, ...]


def package(source: Source, target: Path, version: str, requirements: Path | None = None) -> Packaged:
    """Write an application to one file.

    Args:
        source: The application.
        target: The file.
        version: The release of corps.
        requirements: A file with the lines of the lock; None to find out which packages the application
            imports, and what these need, in the versions that are installed here.

    Returns:
        What is in it.

    Raises:
        LoadError: Its files are too many, or one cannot be read, or its class is in no file.
        ConfigError: The requirements cannot be read, or the target cannot be written.
    """
    if source.by_value:
        raise LoadError(f"{source.qualname} is in no file: an application that is packaged has one")
    shipment = shipment_of(source)
    files = dict(shipment.files)
    if source.path and not files:
        raise LoadError(
            f"{source.path} is part of an installed package: package it by the name of its module"
        )
    settings = Path(shipment.folder, _SETTINGS)
    lock, unknown = _lock(files, source) if requirements is None else (_lines_of(requirements), ())
    try:
        if files and settings.is_file():
            files[_SETTINGS] = settings.read_bytes()
        file = os.path.relpath(source.path, shipment.folder) if source.path else ""
        module = "" if file else source.module
        said = Manifest(FORMAT, version, platform.python_version(), file, module, source.qualname)
        _write(target, said, lock, files)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error}") from error
    return Packaged(tuple(sorted(files)), tuple(lock), tuple(unknown))


def _write(target: Path, manifest: Manifest, lock: Iterable[str], files: Mapping[str, bytes]) -> None:
    plain = {
        "__main__.py": _MAIN.encode(),
        MANIFEST: manifest.to_json().encode(),
        LOCK: "".join(f"{line}\n" for line in lock).encode(),
        **{FILES + name: content for name, content in sorted(files.items())},
    }
    beside = target.with_name(f".{target.name}.new")
    try:
        with beside.open("wb") as stream:
            stream.write(_FIRST_LINE)
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in plain.items():
                    archive.writestr(zipfile.ZipInfo(name, _MOMENT), content, zipfile.ZIP_DEFLATED)
        replace_file(target, [beside.read_bytes()])
        target.chmod(0o755)
    finally:
        beside.unlink(missing_ok=True)


def _lines_of(requirements: Path) -> list[str]:
    try:
        return requirements.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the requirements {requirements} cannot be read: {error}") from error


# --- what an application needs ---


def _lock(files: Mapping[str, bytes], source: Source) -> tuple[list[str], list[str]]:
    """Return the packages that files import, and those that these need, and modules that are in none."""
    own = {name.partition("/")[0].removesuffix(".py") for name in files}
    imported = set() if files else {source.module.partition(".")[0]}
    for name, content in files.items():
        if name.endswith(".py"):
            imported.update(imported_by(content, name))
    wanted = sorted(imported - own - sys.stdlib_module_names - {"corps", "__future__"})
    by_module = packages_distributions()
    unknown = [name for name in wanted if name not in by_module]
    found = {each for name in wanted for each in by_module.get(name, ())}
    return sorted(_with_what_they_need(found)), unknown


def imported_by(content: bytes, where: str) -> Iterator[str]:
    """Yield the top names of the modules that a file imports by a statement, anywhere in it.

    Raises:
        LoadError: It is no Python.
    """
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        raise LoadError(f"{where}: {type(error).__name__}: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def _with_what_they_need(names: Iterable[str]) -> set[str]:
    """Return lines with the versions of packages, and of all installed ones that these need; not corps."""
    lines: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in lines or key == "corps":
            continue
        try:
            found = distribution(name)
        except PackageNotFoundError:  # what only another platform needs
            continue
        lines[key] = f"{found.metadata['Name']}=={found.version}"
        waiting.extend(_needs_of(found))
    return set(lines.values())


def _needs_of(found: Distribution) -> Iterator[str]:
    for line in found.requires or ():
        match = _NAME.match(line)
        if match is not None and "extra ==" not in line.partition(";")[2]:
            yield match[0]
