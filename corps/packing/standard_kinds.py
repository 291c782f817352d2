"""Objects of the standard library whose own way to be packed is wrong where code goes by value.

Some reduce to their name, which nobody else can import: cached functions, `NewType`, type variables. Some are
single instances that would arrive as second ones: ``dataclasses.MISSING``. Some hold a lock beside their
facts.
"""

import dataclasses
import functools
import typing
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, NewType

from corps.packing.identities import Identities
from corps.packing.references import find_loaded

_CACHED: Final = type(functools.lru_cache(lambda: None))

# What stands for "nothing was given", and their like: they are known by being themselves.
_SINGLE_KINDS: Final = frozenset(
    type(thing) for thing in vars(dataclasses).values() if type(thing).__module__ == "dataclasses"
)

_VARIABLES: Final = (typing.TypeVar, typing.ParamSpec, typing.TypeVarTuple)
_NEW_TYPE: Final[Any] = NewType
NAMED_KINDS: Final = frozenset({_CACHED, NewType, *_VARIABLES})  # they reduce to their name

_OF_VARIABLES: Final = ("bound", "covariant", "contravariant", "infer_variance")

_OF_IMPORT: Final = frozenset({"__builtins__", "__cached__", "__loader__", "__spec__"})


def reduce_standard(thing: Any, identities: Identities) -> Any:
    """Reduce an object of such a kind, by value; NotImplemented if it is of no such kind."""
    kind = type(thing)
    if kind is _CACHED:
        parameters = thing.cache_parameters()
        made = (thing.__wrapped__, parameters["maxsize"], parameters["typed"])
        return make_cached, made, vars(thing)
    if kind is functools.cached_property:
        return kind, (thing.func,), {name: value for name, value in vars(thing).items() if name != "lock"}
    if kind is functools.partialmethod:  # its own way to be packed leaves out what it needs (Python 3.14)
        return make_partial_method, (thing.func, thing.args, thing.keywords)
    if kind in _SINGLE_KINDS:
        # Pickle finds it by this name in its module.
        return next((name for name, each in vars(dataclasses).items() if each is thing), NotImplemented)
    if kind is weakref.WeakKeyDictionary or kind is weakref.WeakValueDictionary:
        return kind, (dict(thing),)
    if kind is NewType:
        facts = (thing.__name__, thing.__supertype__)
        return make_known, (identities.name_of(thing), "NewType", thing.__module__, *facts)
    if kind in _VARIABLES:
        options = {name: value for name in _OF_VARIABLES if (value := getattr(thing, f"__{name}__", None))}
        if (has_default := getattr(thing, "has_default", None)) and has_default():
            options["default"] = thing.__default__
        facts = (thing.__name__, *getattr(thing, "__constraints__", ()))
        return make_known, (identities.name_of(thing), kind.__name__, thing.__module__, *facts, options)
    return NotImplemented


def make_cached(function: Callable[..., Any], maxsize: int | None, typed: bool) -> Any:
    """Make a function with an empty cache."""
    return functools.lru_cache(maxsize, typed)(function)


def make_partial_method(
    function: Any, args: tuple[Any, ...], keywords: dict[str, Any]
) -> "functools.partialmethod[Any]":
    """Make a method of which some arguments are given."""
    return functools.partialmethod(function, *args, **keywords)


def make_known(identities: Identities, name: str, kind: str, module: str, *facts: Any) -> Any:
    """Return the type variable or new type of a name; make it of its facts if there is none here."""

    def make() -> Any:
        made: Any
        if kind == "NewType":
            made = _NEW_TYPE(*facts)
        else:
            *args, options = facts
            made = getattr(typing, kind)(*args, **options)
        made.__module__ = module
        return made

    return identities.make(name, make, is_complete=True)


def reduce_module_by_value(module: ModuleType, file: str | None) -> Any:
    """Reduce a module that no other process can import, with all that is in it."""
    facts = {name: value for name, value in vars(module).items() if name not in _OF_IMPORT}
    return make_module, (module.__name__, file), facts, None, None, set_module


def make_module(name: str, file: str | None) -> ModuleType:
    """Make a module that is filled afterwards, or return what this process has loaded from the file."""
    loaded = None if file is None else find_loaded(name, file, "")
    return ModuleType(name) if loaded is None else loaded


def set_module(module: ModuleType, facts: dict[str, Any]) -> None:
    """Fill a module, unless it is this process' own."""
    if module.__spec__ is None:
        vars(module).update(facts)
