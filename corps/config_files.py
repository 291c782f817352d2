"""Where a configuration file lies, and what stands in it.

This file does without the settings model, which needs pydantic. So other code can read a file before pydantic
is imported. It keeps nothing. Thread-safe.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from corps.errors import ConfigError
from corps.toml_reading import read_toml

FILE_NAMES: Final = ("corps.toml", "pyproject.toml")
"""The names of configuration files, beside an application and above. Only the first with settings counts."""

PROJECT_MARKS: Final = ("pyproject.toml", "setup.py", "setup.cfg", ".git", ".hg")
"""A folder that holds one of these is the root of a project."""


def find_file(directory: Path | None) -> Path | None:
    """Find the configuration file that counts; None if there is none, or no directory to begin with."""
    for folder in () if directory is None else searched(directory):
        for name in FILE_NAMES:
            path = folder / name
            if path.is_file() and (name != "pyproject.toml" or _corps_table(read_toml(path)) is not None):
                return path
    return None


def searched(directory: Path) -> list[Path]:
    """Return the folders that may hold the configuration file, in order."""
    above = [directory, *directory.parents]
    last = next(n for n, folder in enumerate(above) if not (folder / "__init__.py").is_file())
    if {"site-packages", "dist-packages"}.isdisjoint(directory.parts):
        marked = (n for n, each in enumerate(above) if any((each / mark).exists() for mark in PROJECT_MARKS))
        last = max(last, next(marked, 0))
    return above[: last + 1]


def read_file(path: Path) -> Mapping[str, Any]:
    """Read the settings in a file: all of it, or `[tool.corps]` if it is a pyproject.toml."""
    document = read_toml(path)
    if path.name != "pyproject.toml":
        return document
    table = _corps_table(document)
    if not isinstance(table, dict):
        raise ConfigError(f"file {path.absolute()} has no table [tool.corps]")
    return table


def _corps_table(document: Mapping[str, Any]) -> Any:
    tool = document.get("tool")
    return tool.get("corps") if isinstance(tool, dict) else None
