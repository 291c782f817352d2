"""Judges a pickle by the names that its reader allows: their classes are made and their functions called.

Nothing else is made or called, but for what finds a member of an enum by its name. The bytes cannot call the
result of a call, and cannot change a class, a function or a module.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from corps.errors import UnpackError, Untrusted
from corps.packing.enum_members import FIND_MEMBER, find_member
from corps.packing.own_names import check_name, find_own, is_class
from corps.packing.pickle_reader import PickleReader
from corps.packing.unpickler import Allow, Rebind, Resolve

_SHARED: Final = (FunctionType, BuiltinFunctionType, MethodType, ModuleType)


def read_allowed(
    body: bytes, names: Iterable[str], resolve_module: Resolve | None, allow: Allow, rebind: Rebind
) -> Any:
    """Return the object of a pickle that names these, and may call what ``allow`` allows."""
    judge = _AllowedNames(allow, resolve_module or import_module, {**rebind, FIND_MEMBER: find_member})
    return PickleReader(judge).read(body, names)


class _AllowedNames:
    """A `Judge` of one pickle. `rebind` answers some names, which are allowed, instead of the real thing."""

    def __init__(self, allow: Allow, resolve_module: Resolve, rebind: Rebind) -> None:
        self._allow = allow
        self._resolve_module = resolve_module
        self._rebind = rebind
        self._found: list[Any] = []

    def find(self, module: str, qualname: str) -> Any:
        found = self._rebind.get((module, qualname))
        if found is None:
            check_name(module, qualname, self._allow)
            try:
                found = find_own(self._resolve_module(module), module, qualname)
            except ImportError as error:
                raise UnpackError(
                    f"the bytes name {module}:{qualname}, which this process lacks: {error}"
                ) from error
        if not self._was_found(found):
            self._found.append(found)
        return found

    def _was_found(self, thing: Any) -> bool:
        return any(each is thing for each in self._found)

    def make(self, cls: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if not is_class(cls) or not self._was_found(cls):
            raise Untrusted("the bytes make an object of what is no class that they name")
        return cls.__new__(cls, *args, **kwargs)

    def call(self, function: Any, args: tuple[Any, ...]) -> Any:
        if not self._was_found(function):
            raise Untrusted("the bytes call what is nothing that they name")
        return function(*args)

    def fill(self, thing: Any, state: Any) -> Any:
        # As the standard library does it.
        _refuse_shared(thing)
        own_way = getattr(thing, "__setstate__", None)
        if own_way is not None:
            own_way(state)
            return thing
        slots = None
        if type(state) is tuple and len(state) == 2:
            state, slots = state
        if state:
            thing.__dict__.update(state)
        for name, value in (slots or {}).items():
            setattr(thing, name, value)
        return thing

    def extend(self, thing: Any, items: list[Any]) -> None:
        _refuse_shared(thing)
        for item in items:
            thing.append(item)

    def put(self, thing: Any, pairs: list[tuple[Any, Any]]) -> None:
        _refuse_shared(thing)
        for key, value in pairs:
            thing[key] = value

    def judge_key(self, key: Any) -> None:
        return  # classes that are allowed hash their own way


def _refuse_shared(thing: Any) -> None:
    if is_class(thing) or type(thing) in _SHARED:
        raise Untrusted("the bytes change a class, a function or a module")
