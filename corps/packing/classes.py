"""Taking classes apart that no other process can import, and putting them together there.

The class is copied as it is, attribute by attribute, and no code of the application runs for that.
`docs/design/packing-code-once.md` says why. Enums are classes like others; `enum_members` takes their members
apart.
"""

import abc
from abc import ABCMeta
from collections.abc import Callable
from enum import EnumType
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Final, cast

from corps.handlers import came_from_a_handler
from corps.packing.class_versions import Copy
from corps.packing.identities import Identities
from corps.packing.references import find_loaded
from corps.packing.refusals import Reason, Refusal

# CPython's flags: of types made at run time, and of those that cannot be changed. C code makes both kinds
# too.
_HEAP_TYPE: Final = 1 << 9
_IMMUTABLE: Final = 1 << 8

# What the making of a class gives it, what Python keeps there for itself, and functions that refer to the
# class in a way of their own (Python 3.14).
_NOT_COPIED: Final = frozenset(
    {
        "__module__",
        "__dict__",
        "__weakref__",
        "__slotnames__",
        "_abc_impl",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
    }
)

# Slots that Python gives to a class that has not declared any.
_OF_PYTHON: Final = ("__dict__", "__weakref__")

_CATCH: Final = "__corps_catch__"

CLASS_OF_C: Final = Reason(
    "it is a class made in C that no module holds under its name",
    "pass what its object can be made from, or say how that is packed (__reduce__)",
)
_METACLASS_OF_C: Final = Reason(
    "it cannot be imported by its name, and its metaclass is made in C, so that nobody can take it apart",
    "define it at the top level of a module that all processes can import",
)


class _Caught(Exception):
    """End the making of a class when the class is there."""


class _Catch:
    """Stand among the attributes of a class that is being made, and end its making when it is ready.

    ``type.__new__`` calls ``__set_name__`` before it tells the bases of their new subclass. An exception
    keeps it from that, and the class remains.
    """

    made: type | None = None

    def __set_name__(self, owner: type, name: str) -> None:
        self.made = owner
        raise _Caught


def is_of_application(cls: type) -> bool:
    """Return whether a ``class`` statement or a call has made a class, and not C code."""
    return bool(cls.__flags__ & _HEAP_TYPE) and not cls.__flags__ & _IMMUTABLE


def version_of(cls: type, identities: Identities) -> int:
    """Return the version of a class. Each change where the class was defined gives another one."""
    return identities.versions(cls, lambda: _copied(cls))[0]


def reduce_class(
    cls: type, identities: Identities, namespace_of: Callable[[dict[str, Any]], Any], file: str | None = None
) -> tuple[tuple[Any, ...], Any]:
    """Return what `make_class` and `set_class` take for a class, or raise Refusal.

    `namespace_of` gives what stands for the globals of functions in this message. `file` is that of the
    module that has the class at its top, if that is loaded from a path.
    """
    metaclass: Any = type(cls)
    if not all(kind in (type, object) or is_of_application(kind) for kind in metaclass.__mro__):
        raise Refusal(cls, _METACLASS_OF_C)
    attributes = vars(cls)
    slots = None if "__slots__" not in attributes else _slots(cls)
    made = (metaclass, cls.__name__, cls.__qualname__, cls.__module__, cls.__bases__, slots, file)
    version, known = identities.versions(cls, lambda: _copied(cls))
    state = _copied(cls)
    if "__annotate_func__" in attributes:
        try:  # evaluated now; what they name may not exist
            state["__annotations__"] = cls.__annotations__
        except Exception as error:
            if came_from_a_handler(error):
                raise
    if isinstance(cls, EnumType):
        _leave_out_pseudo_members(cls, state)
    changes, variables = ({}, []) if known is None else (dict(known.changes), known.globals)
    namespaces = tuple([namespace_of(each) for each in variables])
    return (identities.name_of(cls), *made), (state, _registered(cls), version, changes, namespaces)


def _copied(cls: type) -> dict[str, Any]:
    """Return the attributes that are copied."""
    # At once: another thread may set an attribute meanwhile.
    attributes = list(vars(cls).items())
    return {
        name: value
        for name, value in attributes
        if name not in _NOT_COPIED and not _is_slot(cls, name, value)
    }


def _slots(cls: type) -> list[str]:
    found = [name for name, value in list(vars(cls).items()) if _is_slot(cls, name, value)]
    return found + [name for name in _OF_PYTHON if _is_own(cls, name, vars(cls).get(name))]


def _is_slot(cls: type, name: str, value: Any) -> bool:
    return name not in _OF_PYTHON and _is_own(cls, name, value)


def _is_own(cls: type, name: str, value: Any) -> bool:
    """Return whether it is a descriptor of this class, and not one that was copied from another class."""
    kind = type(value)
    return (
        (kind is MemberDescriptorType or kind is GetSetDescriptorType)
        and value.__objclass__ is cls
        and value.__name__ == name
    )


def _registered(cls: type) -> tuple[type, ...]:
    """Return what was registered with an abstract class."""
    dump = getattr(abc, "_get_dump", None)  # private: without it the registrations stay behind
    if dump is None or not isinstance(cls, ABCMeta):
        return ()
    return tuple(alive for each in dump(cls)[0] if (alive := each()) is not None)


def _leave_out_pseudo_members(cls: Any, state: dict[str, Any]) -> None:
    """Leave out combinations of flags, which Python makes again when they are wanted."""
    members: set[int] = {id(member) for member in cls.__members__.values()}
    by_value = state.get("_value2member_map_", {})
    state["_value2member_map_"] = {key: each for key, each in by_value.items() if id(each) in members}


def make_class(
    identities: Identities,
    name: str,
    metaclass: type,
    short: str,
    qualname: str,
    module: str,
    bases: tuple[type, ...],
    slots: list[str] | None,
    file: str | None = None,
) -> type:
    """Return the class of a name, or of a file that is loaded here; else make it without its attributes."""
    if file is not None:
        loaded = find_loaded(module, file, qualname)
        if isinstance(loaded, type):
            return identities.make(name, lambda: loaded, is_complete=True)

    def make() -> type:
        namespace: dict[str, Any] = {"__module__": module, "__qualname__": qualname}
        if slots is not None:
            namespace["__slots__"] = slots
        if issubclass(metaclass, EnumType):
            namespace["_member_map_"] = {}
        return _make_quietly(metaclass, short, bases, namespace)

    return identities.make(name, make)


def _make_quietly(metaclass: Any, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
    initialise = getattr(abc, "_abc_init", None)  # private: without it an abstract class is made aloud
    is_abstract = issubclass(metaclass, ABCMeta)
    if is_abstract and initialise is None:
        loud: type = ABCMeta.__new__(metaclass, name, bases, namespace)
        return loud
    catch = _Catch()
    try:
        type.__new__(metaclass, name, bases, {**namespace, _CATCH: catch})
    except (_Caught, RuntimeError):  # Python 3.11 wraps it
        if catch.made is None:
            raise
    made = cast(type, catch.made)
    type.__delattr__(made, _CATCH)
    if is_abstract and initialise is not None:
        initialise(made)
    return made


def set_class(identities: Identities, cls: type, state: tuple[Any, ...]) -> None:
    """Give a class its attributes, or what of them is new. A class that was defined here stays as it is."""
    attributes, registered, version, changes, namespaces = state

    def fill(copy: Copy) -> None:
        if not copy.version:
            for each in registered:
                ABCMeta.register(cls, each)  # type: ignore[arg-type]
        copy.take_over(cls, version or 1, changes, attributes, namespaces)

    identities.take_over(cls, fill)
