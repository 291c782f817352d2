"""The two picklers of the codec "pickle": by reference first, by value if that does not do.

``ReferencePickler`` is the C pickler with one hook, which it calls for everything but exact builtin data. It
gives up at the first thing that cannot go by reference. ``ValuePickler`` then packs the whole value again:
functions and classes in the way of this package, what else the C pickler refuses in that of cloudpickle. Most
values never need the second one, and it costs ten times as much.

Both are made for one value and thrown away.
"""

import collections
import copyreg
import pickle
import sys
import types
import weakref
from collections.abc import Callable, Collection
from enum import EnumType
from types import FunctionType, ModuleType
from typing import Any, Final, TypeAlias

import cloudpickle
from cloudpickle import cloudpickle as cloudpickle_internals

from corps.packing.by_value import ByValue
from corps.packing.enum_members import reduce_to_enum
from corps.packing.exceptions import reduce_exception
from corps.packing.references import Elsewhere, reduce_by_reference, reduce_standard_stream, reduce_to_name
from corps.packing.refusals import Reason, Refusal, refuse_if_hopeless

PROTOCOL: Final = 5

_BY_CLOUDPICKLE: Final = frozenset(cloudpickle.Pickler.dispatch_table)

# Most classes leave these two alone. Then an object never stands for a name.
_REDUCE_EX: Final[Any] = object.__reduce_ex__
_REDUCE: Final[Any] = object.__reduce__

NAME_OF_NO_MODULE: Final = Reason(
    "it is packed as a name, and no other process can import that name (the object belongs to __main__ or to"
    " a module made by hand, or its module holds another object there)",
    "define it at the top level of an importable module",
)

# Kinds that the C pickler refuses and cloudpickle packs, besides functions and classes. Named here so that
# a value is packed a second time for a reason, and not after any odd TypeError of the application's.
_ONLY_BY_VALUE: Final = frozenset(
    {
        ModuleType,
        memoryview,
        property,
        staticmethod,
        classmethod,
        types.CodeType,
        types.CellType,
        types.GetSetDescriptorType,
        types.MappingProxyType,
        weakref.WeakSet,
        type({}.keys()),
        type({}.values()),
        type({}.items()),
        type(collections.OrderedDict().keys()),
        type(collections.OrderedDict().values()),
        type(collections.OrderedDict().items()),
    }
)


# The set itself, where it has this name: it is asked before every packing, and a copy of it takes 0.1 µs.
_REGISTERED: Final[Collection[str] | None] = getattr(cloudpickle_internals, "_PICKLE_BY_VALUE_MODULES", None)


def registered() -> Collection[str]:
    """Return the modules whose things go by value because `cloudpickle.register_pickle_by_value` says so."""
    if _REGISTERED is not None:
        return _REGISTERED
    found: Collection[str] = cloudpickle.list_registry_pickle_by_value()
    return found


Outward: TypeAlias = Callable[[Any], Any]
"""Reduces an object; NotImplemented for the usual way."""


class NeedsByValue(Exception):
    """The value holds something that cannot go by reference; a ValuePickler has to pack it."""


class ReferencePickler(pickle.Pickler):
    """Pack what can be built from importable names; stop with NeedsByValue at anything else."""

    elsewhere: Elsewhere  # what other processes have of the modules of this one

    def reducer_override(self, obj: Any) -> Any:
        """Reduce an object. The C pickler calls it for each object that is not exact builtin data."""
        kind = type(obj)
        if kind is FunctionType or issubclass(kind, type):
            reduced = reduce_by_reference(obj, self.elsewhere)
            if reduced is None:
                raise NeedsByValue
            return reduced
        if kind in _ONLY_BY_VALUE:
            raise NeedsByValue
        if issubclass(kind, BaseException):
            return reduce_exception(obj)
        if kind.__reduce_ex__ is _REDUCE_EX and kind.__reduce__ is _REDUCE:
            return reduce_standard_stream(obj)
        reduced = own_reduction(obj)
        if type(reduced) is str:
            reduced = reduce_name(obj, reduced, self.elsewhere)
            if reduced is None:
                raise NeedsByValue
        return reduced


class ValuePickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle hides the base from mypy
    """Pack by value what cannot go by reference: code and classes our way, the rest as cloudpickle does."""

    by_value: ByValue  # takes functions and classes apart

    def reducer_override(self, obj: Any) -> Any:
        """Reduce an object. The C pickler calls it for each object that is not exact builtin data."""
        reduced = self.by_value.reduce(obj)
        if reduced is not NotImplemented or type(obj) in _BY_CLOUDPICKLE:
            return reduced
        return reduce_rest(obj, self.by_value.elsewhere)


class OutwardReferences(ReferencePickler):
    """Do so for a reader elsewhere, who gets some objects in another way."""

    outward: Outward

    def reducer_override(self, obj: Any) -> Any:
        """Reduce an object."""
        reduced = self.outward(obj)
        return super().reducer_override(obj) if reduced is NotImplemented else reduced


class OutwardValues(ValuePickler):
    """The same, by value."""

    outward: Outward

    def reducer_override(self, obj: Any) -> Any:
        """Reduce an object."""
        reduced = self.outward(obj)
        return super().reducer_override(obj) if reduced is NotImplemented else reduced


def reduce_rest(thing: Any, elsewhere: Elsewhere) -> Any:
    """Reduce what is left to the object's own way, for picklers that pack by value."""
    kind = type(thing)
    if issubclass(kind, BaseException):
        return reduce_exception(thing)
    refuse_if_hopeless(thing)
    if kind.__reduce_ex__ is _REDUCE_EX and kind.__reduce__ is _REDUCE:
        return reduce_standard_stream(thing)
    reduced = own_reduction(thing)
    if type(reduced) is str:
        reduced = reduce_name(thing, reduced, elsewhere)
        if reduced is None:
            by_value = getattr(
                kind, "_corps_by_value", None
            )  # of a `corps.func`, which is code as functions are
            if by_value is None:
                raise Refusal(thing, NAME_OF_NO_MODULE)
            return by_value(thing)
    return reduced


def own_reduction(thing: Any) -> Any:
    """Return what an object reduces to in its own way, as the C pickler would ask next; it may be a name."""
    if thing is sys.stdout or thing is sys.stderr:
        return reduce_standard_stream(thing)
    kind = type(thing)
    reducer = copyreg.dispatch_table.get(kind)
    if reducer is not None:
        return reducer(thing)
    if type(kind) is not type and isinstance(kind, EnumType):
        reduced = reduce_to_enum(thing)
        if reduced is not None:
            return reduced
    return thing.__reduce_ex__(PROTOCOL)


def reduce_name(thing: Any, name: str, elsewhere: Elsewhere) -> Any:
    """Return a reduction of an object that reduces to a name; None if no other process can import it."""
    found = reduce_to_name(thing, module_of(thing, name), name, elsewhere)
    return name if found is NotImplemented else found


def module_of(thing: Any, qualname: str) -> str:
    """Return the name of the module in which pickle looks for an object that reduces to its name."""
    own = getattr(thing, "__module__", None)
    if isinstance(own, str):
        return own
    # pickle.whichmodule is what the C pickler calls; the stubs do not know it.
    try:
        module: str = pickle.whichmodule(thing, qualname)  # type: ignore[attr-defined]
    except pickle.PicklingError:  # Python 3.14; before that its answer is this
        return "__main__"
    return module
