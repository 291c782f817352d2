"""Members of enums: by value with an enum that goes by value, otherwise as what finds them in the reader's.

Python finds a member by its value, and early releases of 3.11 pack some by their name. Here it is the same
on all of them: by the value if that is an atom, which equals what arrives of it; by the name if it is
anything else. ``nan``, an ``object()`` and a function equal nothing that another process has.
"""

import enum
from enum import Enum, EnumType
from types import BuiltinFunctionType
from typing import Any, Final

from corps.errors import UnpackError
from corps.packing.identities import Identities
from corps.packing.plain import ATOMS
from corps.packing.refusals import Reason, Refusal

# What an author may choose, from some release of Python 3.11 on.
_BY_NAME: Final = getattr(enum, "pickle_by_enum_name", None)
_BY_GLOBAL_NAME: Final = getattr(enum, "pickle_by_global_name", None)

_MIXED_MEMBER: Final = Reason(
    "it is a member of an enum whose other base has a way of its own to be packed",
    "define the enum at the top level of a module that all processes can import",
)


def is_member(thing: Any) -> bool:
    """Return whether an object whose class is an enum is a member, and no combination of flags."""
    return type(thing)._member_map_.get(thing._name_) is thing


def reduce_to_enum(member: Any) -> Any:
    """Reduce a member, or a combination of flags, to its enum and what finds it there; else None."""
    cls = type(member)
    own = cls.__reduce_ex__
    # What `enum` gives a class by itself differs between the releases of Python.
    if getattr(own, "__module__", None) != "enum" or own is _BY_GLOBAL_NAME:
        return None
    value = member._value_
    # Only of atoms it is certain that what arrives finds the member, and nan is not equal to itself.
    is_found = type(value) in ATOMS and value == value and cls._value2member_map_.get(value) is member
    if own is not _BY_NAME and is_found:
        return cls, (value,)
    return (find_member, (cls, member._name_)) if is_member(member) else (cls, (value,))


def find_member(cls: Any, name: str) -> Any:
    """Return the member of an enum that has this name, or raise UnpackError."""
    if not issubclass(type(cls), EnumType):
        raise UnpackError(f"the bytes look for a member of what is no enum, but a {type(cls).__qualname__}")
    found = cls._member_map_.get(name)
    if found is None:
        raise UnpackError(f"the enum {cls.__qualname__} has no member of the name {name!r:.80}")
    return found


FIND_MEMBER: Final = (find_member.__module__, find_member.__qualname__)
"""What bytes call it, those of strangers too: it runs nothing of them."""


def _builtin_new(cls: type) -> Any:
    """Return the first class in an MRO whose ``__new__`` is made in C, so that no other code runs."""
    return next(kind for kind in cls.__mro__ if isinstance(kind.__dict__.get("__new__"), BuiltinFunctionType))


def reduce_member(member: Enum) -> tuple[tuple[Any, ...], Any]:
    """Take a member apart that goes by value: return the arguments of `make_member`, and the state."""
    cls = type(member)
    base = _builtin_new(cls)
    args: Any = ()
    if base is not object:
        own = getattr(base, "__getnewargs__", None)
        reduced = (cls, own(member)) if own is not None else base.__reduce__(member)
        if not isinstance(reduced, tuple) or reduced[0] is not cls:
            raise Refusal(member, _MIXED_MEMBER)
        args = reduced[1]
    state = object.__getstate__(member)
    if isinstance(state, dict) and "_inverted_" in state:
        state = {**state, "_inverted_": None}  # a combination of flags, which Python makes when it is wanted
    return (cls, member._name_, args), state


def make_member(cls: Any, name: str, args: tuple[Any, ...] = ()) -> Any:
    """Return a member of an enum; make it of ``args`` with its builtin base if the enum has come just now."""
    members: dict[str, Any] = cls._member_map_
    found = members.get(name)
    if found is None:
        made = _builtin_new(cls).__new__(cls, *args)
        object.__setattr__(made, "_name_", name)
        found = members.setdefault(name, made)
    return found


def set_member(identities: Identities, member: Any, state: Any) -> None:
    """Give a member of an enum its attributes, if the enum has come just now."""
    if identities.is_complete(type(member)):
        return
    for half in state if isinstance(state, tuple) else (state,):
        for name, value in (half or {}).items():
            object.__setattr__(member, name, value)
