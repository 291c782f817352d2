"""The one place where bytes can make this process run something: the unpickler and its look-up of names.

Everything a pickle can do, it does by naming a module's attribute and calling it. So one function,
``Finder.find``, is both borders at once: it refuses what is not trusted, and it answers some names with
something bound to this process. So an arriving Name learns by which router it sends.

Thread-safe: a Finder holds no state but its settings.
"""

import copy
import pickle
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, BinaryIO, Final

from corps.errors import UnpackError, Untrusted
from corps.handlers import came_from_a_handler
from corps.messages.originals import text_of
from corps.packing.references import import_named, restore_main, walk

_RESTORE_MAIN: Final = (restore_main.__module__, restore_main.__qualname__)
_IMPORT_NAMED: Final = (import_named.__module__, import_named.__qualname__)


Allow = Callable[[str, str], bool]  # whether ``(module, qualname)`` may be loaded

Resolve = Callable[[str], ModuleType]  # gives the module of a name

Rebind = Mapping[tuple[str, str], Callable[..., Any]]
"""What to answer for some ``(module, qualname)`` instead of the real thing."""


class Finder:
    """Answer the names inside pickles.

    `rebind` is asked first, and trusted; `helpers` only if `allow` says yes. The qualified name is empty for
    a module itself.
    """

    def __init__(
        self,
        *,
        rebind: Rebind | None = None,
        resolve_module: Resolve | None = None,
        allow: Allow | None = None,
        helpers: Rebind | None = None,
    ) -> None:
        # What stood in the writer's __main__ is asked of this finder like any other name: the real
        # restore_main would go to the import system past both the trust and the resolver.
        self._rebind: dict[tuple[str, str], Callable[..., Any]] = {
            _RESTORE_MAIN: self.find,
            _IMPORT_NAMED: self._find_module,
            **(rebind or {}),
        }
        self._helpers = helpers or {}
        self._resolve_module = resolve_module
        self._allow = allow

    def rebound(self, more: Rebind) -> "Finder":
        """Return a finder with the same rules that answers some more names itself."""
        twin = copy.copy(self)
        twin._rebind = {**self._rebind, **more}
        return twin

    def find(self, module: str, qualname: str) -> Any:
        """Return what a name stands for; Untrusted if it may not be loaded, UnpackError if there is none."""
        bound = self._rebind.get((module, qualname))
        if bound is not None:
            return bound
        self._check(module, qualname)
        helper = self._helpers.get((module, qualname))
        if helper is not None:
            return helper
        try:
            return self._look_up(module, qualname)
        except (ImportError, AttributeError) as error:
            raise UnpackError(
                f"the bytes name {module}:{qualname}, which this process lacks: {error}; both sides"
                " need the same version of the application and of its packages"
            ) from error

    def _find_module(self, name: str) -> ModuleType:
        self._check(name, "")
        try:
            return (self._resolve_module or import_module)(name)
        except ImportError as error:
            raise UnpackError(
                f"the bytes name the module {name}, which this process lacks: {error}"
            ) from error

    def _check(self, module: str, qualname: str) -> None:
        sys.audit("pickle.find_class", module, qualname)
        if self._allow is not None and not self._allow(module, qualname):
            raise Untrusted(f"the bytes name {module}:{qualname}, which their sender may not make us load")

    def _look_up(self, module: str, qualname: str) -> Any:
        if self._resolve_module is not None:
            return walk(self._resolve_module(module), qualname)
        loaded = sys.modules.get(module)
        if loaded is not None:
            try:
                return walk(loaded, qualname)
            # Another thread may be in the middle of importing it; import_module waits for that.
            except AttributeError:
                pass
        return walk(import_module(module), qualname)


class _Unpickler(pickle.Unpickler):
    # Set after construction: an __init__ written in Python costs 0.4 µs of the 1.2 µs for a small body.
    finder: Finder

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        return self.finder.find(module_name, global_name)


def read_pickle(file: BinaryIO, buffers: Iterable[Any], finder: Finder) -> Any:
    """Turn the pickle that begins in a file here into an object.

    Untrusted: it names what may not be loaded. All else that goes wrong is an UnpackError with its cause:
    even SystemExit of code that the pickle names ends the unpacking only. KeyboardInterrupt, and what a
    handler of a signal raises, pass.
    """
    unpickler = _Unpickler(file, buffers=buffers)
    unpickler.finder = finder
    try:
        return unpickler.load()
    except (KeyboardInterrupt, UnpackError):
        raise
    except BaseException as error:
        if came_from_a_handler(error):
            raise
        raise UnpackError(f"the bytes cannot be unpacked: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """Return type and message of an exception, even of one whose ``__str__`` raises."""
    name = type(error).__qualname__
    text = text_of(error)
    return f"{name}: {text}" if text else name
