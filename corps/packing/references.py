"""By reference or by value: which functions and classes another process can import, and under which name.

A thing goes by reference if walking its qualified name down from its module arrives at that very thing, and
if the module can be imported elsewhere. Two modules need care. ``__main__`` is another program in every other
process, so its things go under the alias by which those processes know it, or by value. A module made by hand
exists here alone, although it may sit in ``sys.modules``; so does a module that was loaded from a file where
the import system does not look.
"""

import sys
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.machinery import PathFinder
from types import EllipsisType, ModuleType, NoneType, NotImplementedType
from typing import Any, Final, NamedTuple

from corps.handlers import came_from_a_handler

MAIN: Final = frozenset({"__main__", "__mp_main__"})
"""The names of the program itself; the second one in a child of `multiprocessing`."""

# Pickle writes these three by their single instance; no module holds their names.
TYPES_OF_SINGLETONS: Final = frozenset({NoneType, EllipsisType, NotImplementedType})


def walk(module: ModuleType, qualname: str) -> Any:
    """Return what a qualified name means inside a module, or raise AttributeError.

    The walk does not cross from one module into another: with ``app`` trusted, ``os.system`` asked of ``app``
    would be a way around every rule about ``os``, because most modules import others.
    """
    found: Any = module
    for position, name in enumerate(qualname.split(".")):
        if position and isinstance(found, ModuleType):
            raise AttributeError(f"{qualname!r} leads out of the module {module.__name__!r}")
        found = getattr(found, name)
    return found


def is_importable(module: ModuleType) -> bool:
    """Return whether another process can be expected to import this module by its name.

    What the import system loaded has a ``__spec__``, and the import system finds it in the same place again.
    It does not find a plug-in that was loaded from a path. Submodules that extension modules make by hand
    have no ``__spec__``, but appear when their package is imported, so the package's word counts for them.
    """
    spec = module.__spec__
    if spec is not None:
        return _is_found(spec.name, spec.origin)
    if hasattr(module, "__file__"):
        return True
    package, dot, _ = module.__name__.partition(".")
    parent = sys.modules.get(package)
    return bool(dot) and parent is not None and parent.__spec__ is not None


@lru_cache(maxsize=8192)
def _is_found(name: str, origin: str | None) -> bool:
    """Return whether the import system finds a module where it came from. Asked once for each: 0.1 ms."""
    package = name.rpartition(".")[0]
    parent = sys.modules.get(package)
    if parent is not None and not is_importable(parent):
        return False
    places = getattr(parent, "__path__", None)
    try:
        for finder in sys.meta_path:
            found = finder.find_spec(name, places)
            if found is not None and found.origin == origin:
                return True
        # A file of the application may have the same name, and come first in an import from now on.
        for place in sys.path if places is None else places:
            found = PathFinder.find_spec(name, [place])
            if found is not None and found.origin == origin:
                return True
    # A finder of the application has failed: it has loaded the module all the same.
    except Exception as error:
        if came_from_a_handler(error):
            raise
        return True
    return False


def is_held_by(module: ModuleType, qualname: str, thing: Any) -> bool:
    """Return whether the qualified name, asked of the module, gives this very thing."""
    try:
        return walk(module, qualname) is thing
    # Any module may have a __getattr__ of its own, which may raise anything.
    except Exception as error:
        if came_from_a_handler(error):
            raise
        return False


class Elsewhere(NamedTuple):
    """What other processes have of the modules of this one."""

    # The name under which they know this process' ``__main__``; None if they do not.
    main_alias: str | None = None
    # The name of a module that all processes have loaded, wherever it came from.
    everywhere: str | None = None
    # Whether they have what stands under a name at the top of ``__main__``.
    has_of_main: Callable[[str], bool] = bool  # all of it: no name is empty


def reduce_by_reference(thing: Any, elsewhere: Elsewhere) -> Any:
    """Decide how a function or a class travels: None: not by reference.

    NotImplemented: under its own name, as ``reducer_override`` says that. Otherwise a reduction, under the
    alias.
    """
    module_name = getattr(thing, "__module__", None)
    qualname = getattr(thing, "__qualname__", None)
    if type(module_name) is not str or type(qualname) is not str:
        return None
    # Most of them in 0.4 µs: the module's dictionary answers for a name without a dot.
    module = sys.modules.get(module_name)
    if module is not None and module_name not in MAIN and module.__dict__.get(qualname) is thing:
        spec = module.__spec__
        if spec is not None and _is_found(spec.name, spec.origin):
            return NotImplemented
    return reduce_to_name(thing, module_name, qualname, elsewhere)


def reduce_to_name(thing: Any, module_name: str, qualname: str, elsewhere: Elsewhere) -> Any:
    """Decide whether anything can travel as a name of a module. Returns what `reduce_by_reference` does."""
    module = sys.modules.get(module_name)
    if module is None:
        return None
    alias, everywhere, has_of_main = elsewhere
    if module_name in MAIN:
        if (
            alias is None
            or not is_held_by(module, qualname, thing)
            or not has_of_main(qualname.partition(".")[0])
        ):
            return None
        return restore_main, (alias, qualname)
    if not is_held_by(module, qualname, thing):
        # By identity: a metaclass may make its classes unhashable.
        return NotImplemented if any(thing is each for each in TYPES_OF_SINGLETONS) else None
    if module_name in (everywhere, alias) or is_importable(module):
        return NotImplemented
    return None


def is_of_a_file(thing: Any, module_name: str, qualname: str) -> bool:
    """Return whether a module that was loaded from a file holds a thing, wherever that file is."""
    module = sys.modules.get(module_name)
    if module is None or module_name in MAIN:
        return False
    is_loaded = module.__spec__ is not None or hasattr(module, "__file__")
    return is_loaded and is_held_by(module, qualname, thing)


def file_of(thing: Any, qualname: str) -> str | None:
    """Return the file of the module that has a thing at its top; None if none has."""
    name = getattr(thing, "__module__", None)
    module = sys.modules.get(name) if type(name) is str and name not in MAIN else None
    if module is None or module.__dict__.get(qualname) is not thing or module.__spec__ is None:
        return None
    return module.__spec__.origin


def find_loaded(name: str | None, file: str, qualname: str) -> Any:
    """Return what is at the top of a module that is loaded from the file here; without a name, the module."""
    module = None if name is None else sys.modules.get(name)
    if module is None or module.__spec__ is None or module.__spec__.origin != file:
        return None
    return module.__dict__.get(qualname) if qualname else module


def reduce_standard_stream(thing: Any) -> Any:
    """Reduce the standard output streams to "yours"; NotImplemented for any other object."""
    if thing is sys.stdout:
        return standard_stream, ("stdout",)
    if thing is sys.stderr:
        return standard_stream, ("stderr",)
    return NotImplemented


def standard_stream(name: str) -> Any:
    """Return this process' own standard stream: ``"stdout"``; anything else means stderr."""
    return sys.stdout if name == "stdout" else sys.stderr


def restore_main(alias: str, qualname: str) -> Any:
    """Stand in a pickle for something of the writer's ``__main__``.

    Readers of corps never run this: their unpickler answers its name with a look-up that asks the same trust
    and the same resolver as for every other name. It works for any other reader.
    """
    return walk(import_module(alias), qualname)


def import_named(name: str) -> ModuleType:
    """Stand in a pickle for a module. Readers of corps look it up as they do all names."""
    return import_module(name)
