"""Loads an application, in an Env or, when its classes come back there, in the booting process."""

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from threading import RLock
from types import ModuleType
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
    try:
        module = _load_file(source) if source.path else importlib.import_module(source.module)
    except Exception as error:  # whatever the application raises while it is imported
        shown = "".join(traceback.format_exception(error))
        where = source.path or source.module
        raise LoadError(f"{where} could not be loaded: {type(error).__name__}: {error}\n{shown}") from error
    return _named(module, source) if source.qualname else _only(module, source)


def _load_file(source: Source) -> ModuleType:
    loaded = sys.modules.get(source.module)
    if loaded is not None:
        return loaded
    found = importlib.util.spec_from_file_location(source.module, source.path)
    if found is None or found.loader is None:
        raise LoadError(f"{source.path} is not a Python file")
    module = importlib.util.module_from_spec(found)
    directory = str(Path(source.path).parent)
    if directory not in sys.path:
        sys.path.insert(0, directory)  # as for a script: it may import what lies beside it
    sys.modules[source.module] = module
    token = current.set(Activity(None, loading=True))
    try:
        found.loader.exec_module(module)
    except StopLoading:
        pass
    except BaseException:
        sys.modules.pop(source.module, None)
        raise
    finally:
        current.reset(token)
    return module


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
        self._own: ModuleType | None = None

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
        if source.is_main:
            return sys.modules["__main__"]
        with self._lock:
            if self._own is None:
                self._own = self._load()
            return self._own

    def _load(self) -> ModuleType:
        loaded = sys.modules.get(self._source.module)
        if loaded is not None and getattr(loaded, "__file__", None) != self._source.path:
            raise ImportError(f"another module has the name {self._source.module!r} in this process")
        return _load_file(self._source)
