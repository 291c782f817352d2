"""Loads an application, in an Env or, when its classes come back there, in the booting process.

The import system loads it, by the one name that the module has everywhere, after its packages. So each module
runs once in a process, whichever module imports it first. A finder of our own knows the file of an
application that the import system would not find, and keeps a module that stops at a call of `corps.boot`.
"""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from threading import RLock
from types import ModuleType, TracebackType
from typing import Any, Final

from corps.errors import LoadError, UnpackError
from corps.launch.pool_main import Keeper
from corps.launch.sources import Source, class_by_value, looked_up
from corps.runtime.this_process import Loading, this_process
from corps.workers.corps import Corps

GUARD: Final = 'put what starts the program under `if __name__ == "__main__":`'

_IMPORTERS: Final = frozenset({"corps", "importlib", "_frozen_importlib", "_frozen_importlib_external"})


class StopLoading(BaseException):
    """Raised by `corps.boot` in a file that is being loaded: what stands above that call is the application.

    So a script may boot the classes that it defines without a ``__main__`` guard.
    """


def load_class(source: Source, stopped: Callable[[str], object] | None = None) -> type[Corps]:
    """Load the application in an Env, and find its Corps class. All that goes wrong is a LoadError.

    No thread may boot meanwhile: `stopped` is called with the place of each such call of `corps.boot`.
    """
    if source.by_value:
        try:
            return _checked(class_by_value(source), source.qualname)
        except UnpackError as error:
            raise LoadError(f"the class {source.qualname} could not be unpacked: {error}") from error
    where = source.path or source.module
    loading = Loading(where, everywhere=True, stopped=stopped)
    try:
        module = _load(source, loading)
    except (Exception, SystemExit, StopLoading, BaseExceptionGroup) as error:  # an author's, at its import
        if isinstance(error, SystemExit) and not loading.stops:
            raise  # the process ends, with this status
        raise not_loaded(where, error, loading) from error
    if loading.stops and not loading.is_cut:
        raise LoadError(
            f"{loading.stops[0]}: corps.boot was called while {where} was being loaded in an Env, in another "
            f"thread or where its end was caught: {GUARD}"
        )
    return class_in(module, source, loading)


def class_in(module: ModuleType, source: Source, loading: Loading) -> type[Corps]:
    """Return the Corps class of a source in its module. It raises a LoadError."""
    return _named(module, source, loading) if source.qualname else _only(module, source, loading)


def not_loaded(where: str, error: BaseException, loading: Loading) -> LoadError:
    """Make the error for a module whose import has raised."""
    text = f"{where} could not be loaded: {type(error).__name__}: {error}"
    if loading.stops:
        text = (
            f"{loading.stops[0]}: corps.boot was called while {where} was being loaded in an Env, where that "
            f"ends what is loaded: {GUARD}. What was around it went on to {type(error).__name__}: {error}"
        )
    shown = "".join(traceback.TracebackException(type(error), error, _own_frames(error)).format())
    return LoadError(f"{text}\n{shown}")


def _own_frames(error: BaseException) -> TracebackType | None:
    """Keep the application's part of a traceback, without corps and the import system, which called it."""
    inner = error.__traceback__
    while inner is not None:
        caller = inner.tb_frame.f_globals.get("__name__", "")
        if caller.partition(".")[0] not in _IMPORTERS:
            break
        inner = inner.tb_next
    return inner


def _load(source: Source, loading: Loading) -> ModuleType:
    """Give the module of a source; load it unless that has been done."""
    loaded = sys.modules.get(source.module)
    if loaded is not None:
        return loaded
    if source.path:
        _make_siblings_importable(source)
    with _keeping(source, loading):
        return importlib.import_module(source.module)


@contextmanager
def _keeping(source: Source, loading: Loading) -> Iterator[None]:
    """Mark that an application is being loaded, and keep its module if it stops at a call of `corps.boot`."""
    finder = _Finder(source, loading)
    sys.meta_path.insert(0, finder)
    this_process.loadings.append(loading)
    try:
        yield
    finally:
        this_process.loadings.remove(loading)
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds the application's module, and no other. For the thread that loads, and those that it starts."""

    def __init__(self, source: Source, loading: Loading) -> None:
        self._source = source
        self._loading = loading

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        source = self._source
        if name != source.module:
            return None
        if source.path:
            loader = SourceFileLoader(name, source.path)  # also for a file without suffix
            found = importlib.util.spec_from_file_location(name, source.path, loader=loader)
        else:
            others = (each for each in sys.meta_path if each is not self)
            specs = (each.find_spec(name, path, target) for each in others)
            found = next((each for each in specs if each is not None), None)
        if found is not None and found.loader is not None:
            found.loader = Keeper(found.loader, self._loading.was_cut)
        return found


def _make_siblings_importable(source: Source) -> None:
    """Let the application import what lies beside it, as a script may."""
    directory, stem = str(Path(source.path).parent), Path(source.path).stem
    if directory in sys.path:
        return
    # A module of a package is imported by its full name first of all. And an application with the name of a
    # module of the standard library must not hide that from other modules.
    is_last = "." in source.module or stem in sys.stdlib_module_names
    sys.path.insert(len(sys.path) if is_last else 0, directory)


def alias_main(source: Source) -> None:
    """Have an import of the running script by its name give that script. For the booting process."""
    if not source.is_main:
        return
    main = sys.modules["__main__"]
    if sys.modules.setdefault(source.module, main) is main:
        package, _, name = source.module.rpartition(".")
        parent = sys.modules.get(package)
        if parent is not None and not hasattr(parent, name):
            setattr(parent, name, main)


def _named(module: ModuleType, source: Source, loading: Loading) -> type[Corps]:
    found = looked_up(module, source.qualname)
    if found is None:
        where = source.path or source.module
        raise LoadError(f"{where} has no class {source.qualname!r}{_cut(loading, source.qualname)}")
    return _checked(found, source.qualname)


def _only(module: ModuleType, source: Source, loading: Loading) -> type[Corps]:
    found = [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Corps) and item.__module__ == module.__name__
    ]
    where = source.path or source.module
    if not found:
        raise LoadError(f"{where} defines no subclass of corps.Corps{_cut(loading, 'it')}")
    if len(found) > 1:
        names = ", ".join(cls.__qualname__ for cls in found)
        raise LoadError(
            f"{where} defines several subclasses of corps.Corps ({names}): say which, "
            f"as in {where}:{found[0].__qualname__}"
        )
    return found[0]


def _cut(loading: Loading, what: str) -> str:
    """Make the rest of a text about what is missing: loading stopped above it."""
    if not loading.is_cut:
        return ""
    return (
        f" above {loading.stops[0]}, where it calls corps.boot: an Env loads a file down to its first boot. "
        f"Define {what} above that line, or {GUARD}"
    )


def _checked(found: Any, name: str) -> type[Corps]:
    if not (isinstance(found, type) and issubclass(found, Corps)):
        raise LoadError(f"{name} is not a subclass of corps.Corps")
    return found


class ModuleFinder:
    """Finds modules by the names that they have in all Envs, for unpacking. Thread-safe.

    In the booting process the application's file may be the script itself, or may not have been loaded at
    all: then it is loaded when the first object of one of its classes arrives.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = RLock()  # one thread loads; loading may come back here
        self._own: ModuleType | None = sys.modules["__main__"] if source.is_main else None

    def __call__(self, name: str) -> ModuleType:
        """Find a module by its name in the whole Corps, or raise an ImportError."""
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
        loading = Loading(source.path, everywhere=False)
        loaded = sys.modules.get(source.module)
        if loaded is None or getattr(loaded, "__file__", None) == source.path:
            return _load(source, loading)
        # Another Corps of this process has a file of the same name, and its module keeps the place there.
        # What comes from ours and goes back then goes by value.
        try:
            sys.modules.pop(source.module)
            return _load(source, loading)
        finally:
            sys.modules[source.module] = loaded
