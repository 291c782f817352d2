"""Loads an application, in an Env or, when its classes come back there, in the booting process."""

import importlib
import importlib.util
import sys
import traceback
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from threading import RLock
from types import ModuleType, TracebackType
from typing import Any

from corps.errors import LoadError, UnpackError
from corps.launch.sources import Source, class_by_value
from corps.runtime.context import Activity, current
from corps.workers.corps import Corps


class StopLoading(BaseException):
    """Raised by `corps.boot` in a file that is being loaded: what stands above that call is the application.

    So a script may boot the classes that it defines without a ``__main__`` guard.
    """


def load_class(source: Source) -> type[Corps]:
    """Load the application, and find its Corps class.

    Args:
        source: What to load.

    Returns:
        The class.

    Raises:
        LoadError: Importing raised, or there is no such class, or none, or several.
    """
    if source.by_value:
        try:
            return _checked(class_by_value(source), source.qualname)
        except UnpackError as error:
            raise LoadError(f"the class {source.qualname} could not be unpacked: {error}") from error
    where = source.path or source.module
    try:
        module = _load(source)
    except Exception as error:  # whatever the application raises while it is imported
        shown = "".join(traceback.TracebackException(type(error), error, _own_frames(error)).format())
        raise LoadError(f"{where} could not be loaded: {type(error).__name__}: {error}\n{shown}") from error
    return _named(module, source) if source.qualname else _only(module, source)


def _own_frames(error: BaseException) -> TracebackType | None:
    """The application's part of a traceback: without corps and the import system, which called it."""
    inner = error.__traceback__
    while inner is not None:
        caller = inner.tb_frame.f_globals.get("__name__", "")
        if not caller.startswith(("corps.", "importlib.")):
            break
        inner = inner.tb_next
    return inner


def _load(source: Source) -> ModuleType:
    """The module of a source: loaded before, or now."""
    loaded = sys.modules.get(source.module)
    if loaded is not None:
        return loaded
    if source.path:
        found = importlib.util.spec_from_file_location(source.module, source.path)
        _make_siblings_importable(source)
    else:
        found = importlib.util.find_spec(source.module)
    if found is None or found.loader is None:
        raise LoadError(f"{source.path or source.module} is nothing that Python can load")
    return _execute(found, found.loader)


def _execute(found: ModuleSpec, loader: Loader) -> ModuleType:
    """Import a module as the import system does, but keep it if it stops at a call of `corps.boot`."""
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    token = current.set(Activity(None, loading=True))
    try:
        loader.exec_module(module)
    except StopLoading:
        pass
    except BaseException:
        sys.modules.pop(found.name, None)
        raise
    finally:
        current.reset(token)
    parent = sys.modules.get(found.parent or "")
    if parent is not None and found.parent != found.name:
        setattr(parent, found.name.rpartition(".")[2], module)
    return module


def _make_siblings_importable(source: Source) -> None:
    """As for a script: it may import what lies beside it."""
    directory, stem = str(Path(source.path).parent), Path(source.path).stem
    if "." in source.module or directory in sys.path:
        return  # inside a package siblings are imported by their full names
    # An application named like a module of the standard library must not hide that from everybody else.
    sys.path.insert(len(sys.path) if stem in sys.stdlib_module_names else 0, directory)


def _named(module: ModuleType, source: Source) -> type[Corps]:
    found: Any = module
    for part in source.qualname.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise LoadError(f"{source.path or source.module} has no class {source.qualname!r}")
    return _checked(found, source.qualname)


def _only(module: ModuleType, source: Source) -> type[Corps]:
    found = [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Corps) and item.__module__ == module.__name__
    ]
    where = source.path or source.module
    if not found:
        raise LoadError(f"{where} defines no subclass of corps.Corps")
    if len(found) > 1:
        names = ", ".join(cls.__qualname__ for cls in found)
        raise LoadError(
            f"{where} defines several subclasses of corps.Corps ({names}): say which, "
            f"as in {where}:{found[0].__qualname__}"
        )
    return found[0]


def _checked(found: Any, name: str) -> type[Corps]:
    if not (isinstance(found, type) and issubclass(found, Corps)):
        raise LoadError(f"{name} is not a subclass of corps.Corps")
    return found


class ModuleFinder:
    """Finds modules by the names that they have in all Envs, for unpacking. Any thread may call.

    In the booting process the application's file may be the script itself, or may not have been loaded at
    all: then it is loaded when the first object of one of its classes arrives.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = RLock()  # one thread loads; loading may come back here
        self._own: ModuleType | None = sys.modules["__main__"] if source.is_main else None

    def __call__(self, name: str) -> ModuleType:
        """Find a module.

        Args:
            name: Its name in the whole Corps.

        Returns:
            The module.

        Raises:
            ImportError: It cannot be found.
        """
        source = self._source
        if not source.path or name != source.module:
            return importlib.import_module(name)
        if self._own is None:
            with self._lock:
                if self._own is None:
                    self._own = self._load()
        return self._own

    def _load(self) -> ModuleType:
        source = self._source
        loaded = sys.modules.get(source.module)
        if loaded is None or getattr(loaded, "__file__", None) == source.path:
            return _load(source)
        # Another Corps of this process has a file of the same name. Its module keeps the place there; what
        # came from ours and is sent back then goes by value.
        try:
            sys.modules.pop(source.module)
            return _load(source)
        finally:
            sys.modules[source.module] = loaded
