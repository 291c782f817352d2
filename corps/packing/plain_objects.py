"""Judges a pickle as data: containers, dataclasses, named tuples, members of enums.

No function of others is called: what finds a member of an enum by its name is of this package.

Objects are made without their class's constructor, and their fields are set without its ``__setattr__``. Of
the classes that the reader has imported already only those are taken whose objects run nothing when they are
made, hashed or thrown away. So the author of the bytes chooses values, and nothing else.
"""

import dataclasses
import enum
import sys
from abc import ABCMeta
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import Any, Final

from corps.errors import UnpackError, Untrusted
from corps.packing.enum_members import FIND_MEMBER, find_member
from corps.packing.own_names import check_name, find_own, is_class
from corps.packing.pickle_reader import PickleReader
from corps.packing.plain import ATOMS
from corps.packing.unpickler import Allow, Resolve

# Of the interpreter itself: their constructors are C, and do nothing but make a value.
_VALUES: Final[Mapping[tuple[str, str], type]] = {
    (cls.__module__, cls.__qualname__): cls
    for cls in (complex, date, datetime, time, timedelta, timezone, Decimal)
}
_PLAIN_METACLASSES: Final = (type, ABCMeta)


def read_plain(body: bytes, names: Iterable[str], resolve_module: Resolve | None, allow: Allow) -> Any:
    """Return the object of a pickle that names these, and run nothing of it, no import either by default."""
    judge = _PlainObjects(resolve_module or _imported_module, allow)
    value = PickleReader(judge).read(body, names)
    judge.check_filled()
    return value


def _imported_module(name: str) -> ModuleType:
    """Return a module that is there already: importing one runs its code."""
    module = sys.modules.get(name)
    if module is None:
        raise UnpackError(f"the bytes name the module {name}, which is not imported here: import it before")
    return module


class _PlainObjects:
    """A `Judge` of one pickle. `module_of` gives a module that is imported already."""

    def __init__(self, module_of: Resolve, allow: Allow) -> None:
        self._module_of = module_of
        self._allow = allow
        self._unfilled: dict[int, Any] = {}

    def check_filled(self) -> None:
        """Raise UnpackError if the bytes have left an object without its fields."""
        for thing in self._unfilled.values():
            raise UnpackError(f"the bytes make a {type(thing).__qualname__} without its fields")

    def find(self, module: str, qualname: str) -> Any:
        value = _VALUES.get((module, qualname))
        if value is not None:
            return value
        if (module, qualname) == FIND_MEMBER:
            return find_member
        check_name(module, qualname, self._allow)
        cls = find_own(self._module_of(module), module, qualname)
        if not is_class(cls) or not (_is_enum(cls) or _is_named_tuple(cls) or _is_plain_dataclass(cls)):
            raise Untrusted(
                f"the bytes name {module}:{qualname}, which is no plain dataclass, named tuple or enum: only"
                ' data is loaded with trust="data"'
            )
        return cls

    def make(self, cls: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if kwargs or not is_class(cls):
            raise Untrusted("the bytes make an object in a way that is not that of data")
        if _is_named_tuple(cls):
            if len(args) != len(cls._fields):
                raise Untrusted(f"the bytes make a {cls.__qualname__} of {len(args)} fields")
            return tuple.__new__(cls, args)
        if args or not _is_plain_dataclass(cls):
            raise Untrusted("the bytes make an object in a way that is not that of data")
        try:
            made = object.__new__(cls)
        except TypeError as error:  # it has an abstract method, or a base that is no plain object
            raise Untrusted(f"the bytes make a {cls.__qualname__}: {error}") from error
        if dataclasses.fields(cls):
            self._unfilled[id(made)] = made
        return made

    def call(self, function: Any, args: tuple[Any, ...]) -> Any:
        if is_class(function) and function in _VALUES.values():
            if not all(type(arg) in (int, float, str, bytes, timezone, timedelta) for arg in args):
                raise Untrusted(f"the bytes make a {function.__qualname__} of what is no value")
            return function(*args)
        if is_class(function) and _is_enum(function) and len(args) == 1:
            return _member_of(function, args[0])
        if function is find_member and len(args) == 2 and _is_enum(args[0]) and type(args[1]) is str:
            return find_member(*args)
        raise Untrusted("the bytes call a function, and they may hold data only")

    def fill(self, thing: Any, state: Any) -> Any:
        if self._unfilled.pop(id(thing), None) is None:
            raise Untrusted("the bytes set attributes of what is no new dataclass")
        fields = [field.name for field in dataclasses.fields(type(thing))]
        values = _by_name(fields, state)
        if set(values) != set(fields):
            odd = ", ".join(sorted(map(str, set(values) ^ set(fields))))
            raise Untrusted(
                f"the bytes do not give a {type(thing).__qualname__} the fields that it has: {odd}"
            )
        for name, value in values.items():
            _set_field(thing, name, value)
        return thing

    def extend(self, thing: Any, items: list[Any]) -> None:
        raise Untrusted("the bytes append to what is no list")

    def put(self, thing: Any, pairs: list[tuple[Any, Any]]) -> None:
        raise Untrusted("the bytes set items of what is no dict")

    def judge_key(self, key: Any) -> None:
        cls: Any = type(key)
        hashes_itself = type(cls.__hash__) is FunctionType and cls.__hash__ is not enum.Enum.__hash__
        if hashes_itself or type(cls.__eq__) is FunctionType:
            raise Untrusted(f"the bytes have a {cls.__qualname__} hashed, which is code of its class")


def _is_enum(cls: Any) -> bool:
    return type(cls) is enum.EnumType and not _is_watched(cls)


def _is_named_tuple(cls: Any) -> bool:
    fields = getattr(cls, "_fields", None) if type(cls) is type and issubclass(cls, tuple) else None
    return type(fields) is tuple and all(type(name) is str for name in fields) and not _is_watched(cls)


def _is_plain_dataclass(cls: Any) -> bool:
    return type(cls) in _PLAIN_METACLASSES and dataclasses.is_dataclass(cls) and not _is_watched(cls)


def _is_watched(cls: Any) -> bool:
    """Return whether code runs at the end of its objects."""
    return any("__del__" in vars(each) for each in cls.__mro__)


def _member_of(cls: Any, value: Any) -> Any:
    if type(value) in ATOMS:
        for member in cls.__members__.values():
            if type(member._value_) is type(value) and member._value_ == value:
                return member
    raise UnpackError(f"the enum {cls.__qualname__} has no member of the value {value!r:.80}")


def _by_name(fields: list[str], state: Any) -> dict[str, Any]:
    """Return the values of a state: of a dict, of slots, or in the order of the fields."""
    if type(state) is list and len(state) == len(fields):
        return dict(zip(fields, state, strict=True))
    parts = state if type(state) is tuple and len(state) == 2 else (state,)
    values: dict[str, Any] = {}
    for part in parts:
        if type(part) is dict:
            values.update(part)
        elif part is not None:
            raise Untrusted("the bytes set the state of an object by what is no dict")
    return values


def _set_field(thing: Any, name: str, value: Any) -> None:
    """Set a field past all that the class has to say about it."""
    for each in type(thing).__mro__:
        slot = vars(each).get(name)
        if type(slot) is MemberDescriptorType:
            slot.__set__(thing, value)
            return
    object.__getattribute__(thing, "__dict__")[name] = value
