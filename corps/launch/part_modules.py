"""Loading the file of a contained Corps into a process that has modules of its own: its creator's Env.

The folder of the file becomes a package with a name that no other has. What a module of it imports from its
own folder is a module of that package. So two parts may have modules with one name, and neither is found by
the creator's ``import``. A module that the creator's import system finds in the very same file is that one,
because both sides have to mean the same classes by it.
"""

import builtins
import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from corps.launch.loading import StopLoading, class_in, not_loaded
from corps.launch.sources import Source
from corps.runtime.this_process import Loading, this_process
from corps.workers.corps import Corps


def load_part(source: Source) -> type[Corps]:
    """Load the Corps class of a source into this process. All that goes wrong is a LoadError."""
    where = source.path or source.module
    loading = Loading(where, everywhere=False)
    this_process.loadings.append(loading)
    try:
        module = importlib.import_module(_name_of(Path(source.path)) if source.path else source.module)
    except (Exception, SystemExit, StopLoading, BaseExceptionGroup) as error:  # an author's, at its import
        raise not_loaded(where, error, loading) from error
    finally:
        this_process.loadings.remove(loading)
    return class_in(module, source, loading)


def _name_of(path: Path) -> str:
    """Return the name by which the module of a file is imported here."""
    stem = path.stem
    if _is_found_at(stem, path):
        return stem
    folder = path.parent
    mark = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    package = f"part_{mark}"
    if package not in sys.modules:
        made = ModuleType(package, f"What lies in {folder}.")
        made.__path__ = [str(folder)]
        sys.meta_path.insert(0, _PartFinder(package, folder))
        sys.modules[package] = made
    return f"{package}.{stem}"


def _is_found_at(name: str, path: Path) -> bool:
    """Return whether the import system of this process gives the module of this very file for a name."""
    loaded = sys.modules.get(name)
    try:
        spec = importlib.util.find_spec(name) if loaded is None else loaded.__spec__
    except (ImportError, ValueError, AttributeError):
        return False
    origin = None if spec is None else spec.origin
    return origin is not None and os.path.realpath(origin) == os.path.realpath(path)


class _PartFinder(MetaPathFinder):
    """Finds the modules of one folder as those of a package. Thread-safe: it keeps nothing that changes."""

    def __init__(self, package: str, folder: Path) -> None:
        self._package = package
        self._folder = folder
        self._builtins = {**vars(builtins), "__import__": self._import}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if not name.startswith(f"{self._package}."):
            return None
        found = PathFinder.find_spec(name, path, target)
        if found is not None and isinstance(found.loader, SourceFileLoader):
            found.loader = _PartLoader(found.loader.name, found.loader.path, self._builtins)
        return found

    def _import(
        self,
        name: str,
        globals: dict[str, Any] | None = None,
        locals: dict[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Do what ``import`` does in a module of this folder."""
        top = name.partition(".")[0]
        if level or not self._has(top):
            return __import__(name, globals, locals, fromlist or (), level)
        full = f"{self._package}.{name}"
        if fromlist:
            return __import__(full, globals, locals, fromlist, 0)
        importlib.import_module(full)
        return sys.modules[f"{self._package}.{top}"]

    def _has(self, top: str) -> bool:
        """Return whether a module is one of this folder, and of it alone."""
        for file in (self._folder / f"{top}.py", self._folder / top / "__init__.py"):
            if file.is_file():
                return not _is_found_at(top, file)
        return False


class _PartLoader(SourceFileLoader):
    """Loads a module whose ``import`` is that of its folder."""

    def __init__(self, name: str, path: str, inside: dict[str, Any]) -> None:
        super().__init__(name, path)
        self._inside = inside

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader`."""
        vars(module)["__builtins__"] = self._inside
        super().exec_module(module)
