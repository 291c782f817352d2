"""Which core runs: the native one, `corps._core`, or its pure twin, which is the Python code itself.

The hot types of the engine are written in Python, completely. Where the native core was built, `native` puts
a class of it under each of them: that holds the fields, and takes the usual way of the hottest methods. All
else stays as it is written. So the Python code is the definition of both, and both run the same tests.
"""

import os
import sys
import warnings
from collections.abc import Callable, Mapping
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

PURE: Final = "CORPS_PURE"
"""The environment variable that asks for the pure twin. It is no setting: it counts on import."""


def _engine() -> ModuleType | None:
    """Return the native core; None where it was not built, is not wanted, or could not run."""
    if os.environ.get(PURE, "0") not in ("", "0"):
        return None
    if "t" in sys.abiflags:
        return None  # its steps are single ones under the interpreter's lock alone
    try:
        from corps._core import engine
    except ImportError:
        return None
    if _is_stale(engine.__file__):
        text = f"{engine.__file__} is older than its sources, and does not run: `make setup` builds it anew"
        warnings.warn(text, RuntimeWarning, stacklevel=2)
        return None
    module: ModuleType = engine
    return module


def _is_stale(built: str) -> bool:
    """Return whether a source of the core was changed since it was built. A wheel has no sources of it."""
    with os.scandir(os.path.dirname(built)) as files:
        sources = [file.stat().st_mtime for file in files if file.name.endswith((".pyx", ".pxi"))]
    return max(sources, default=0.0) > os.stat(built).st_mtime


_ENGINE: Final = _engine()

name: Final[Literal["native", "pure"]] = "pure" if _ENGINE is None else "native"
"""Which core runs in this process."""

if TYPE_CHECKING or _ENGINE is None:
    from threading import Lock
else:
    Lock = _ENGINE.Lock

__all__ = [
    "PURE",
    "Lock",
    "know",
    "know_answering",
    "know_asking",
    "know_kinds",
    "know_packed",
    "know_peers",
    "know_promises",
    "know_transport",
    "name",
    "native",
    "native_function",
    "pure_function",
    "pure_of",
]


def native(cls: C) -> C:
    """Put the class of the native core under a class of the same name. For decorating; see the module."""
    core = getattr(_ENGINE, f"{cls.__name__}Core", None)
    return cls if core is None else _rebased(cls, core)


def native_function(function: F) -> F:
    """Return the function of the native core in place of one, to which it leaves the rest. For decorating."""
    if not hasattr(_ENGINE, function.__name__):
        return function
    made: F = _ENGINE.stand_for(function)  # type: ignore[union-attr]
    _describe(made, function)
    return made


def pure_of(cls: C) -> C:
    """Return a class as it is written, whichever core runs."""
    pure: C = vars(cls).get("_pure", cls)
    return pure


def pure_function(function: F) -> F:
    """Return a function as it is written, whichever core runs."""
    if isinstance(function, FunctionType):
        return function
    pure: F = _ENGINE.pure_of(function)  # type: ignore[union-attr]
    return pure


def know(**parts: Any) -> None:
    """Give the native core, if there is one, what it asks for of the engine. Once, before the first Env."""
    if _ENGINE is not None:
        _ENGINE.know(**parts)


# The parts of the links between Envs. Each comes from the file that defines it.


def know_kinds(kinds: Mapping[int, object]) -> None:
    """Give the core the kinds of requests that may cross a link, by their numbers."""
    if _ENGINE is not None:
        _ENGINE.know_kinds(kinds)


def know_packed(packed: type) -> None:
    """Give the core the class of packed values."""
    if _ENGINE is not None:
        _ENGINE.know_packed(packed)


def know_asking(asking: type) -> None:
    """Give the core the class of what is unanswered at a peer."""
    if _ENGINE is not None:
        _ENGINE.know_asking(asking)


def know_answering(answering: type, opening: type, header: type, address: type) -> None:
    """Give the core the classes of what a peer has asked, and of what such a request consists of."""
    if _ENGINE is not None:
        _ENGINE.know_answering(answering, opening, header, address)


def know_promises(promise: type, credit: type) -> None:
    """Give the core the classes of promises whose outcomes go to a peer."""
    if _ENGINE is not None:
        _ENGINE.know_promises(promise, credit)


def know_peers(peers: type) -> None:
    """Give the core the class of all peers of an Env."""
    if _ENGINE is not None:
        _ENGINE.know_peers(peers)


def know_transport(transport: type) -> None:
    """Give the core the class of the transport whose frames it reads."""
    if _ENGINE is not None:
        _ENGINE.know_transport(transport)


def _describe(method: Any, definition: Callable[..., Any]) -> None:
    """Have a native method show the names and annotations of the Python one: in `help`, and to `inspect`."""
    if hasattr(method, "__dict__"):  # else it is one of those that the interpreter itself calls
        method.__wrapped__ = definition
        method.__annotations__ = definition.__annotations__


def _rebased(cls: C, core: type) -> C:
    """Make a class anew over its native base, as `dataclass(slots=True)` makes one anew with slots.

    What the base has replaces what the class has. A method that is replaced is kept as ``_pure_<its name>``,
    for the base to call.
    """
    taken = set(vars(core)) - {"__doc__", "__module__", "__new__"}
    body: dict[str, Any] = {"_pure": cls}
    for key, value in vars(cls).items():
        if isinstance(value, MemberDescriptorType) or key in ("__dict__", "__weakref__"):
            continue
        if key == "__slots__":
            body[key] = tuple(slot for slot in value if slot not in taken)
        elif key not in taken:
            body[key] = value
        elif isinstance(value, FunctionType):
            _describe(vars(core)[key], value)
            if key != "__init__":
                body[f"_pure_{key}"] = value
    bases = tuple(base for base in cls.__bases__ if base is not object)
    made: C = type(cls)(cls.__name__, (core, *bases), body)
    for value in body.values():
        for place in getattr(value, "__closure__", None) or ():
            if place.cell_contents is cls:  # for `super()` without arguments
                place.cell_contents = made
    return made
