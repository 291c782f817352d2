"""The two picklers of the codec "pickle": by reference first, by value if that does not do.

``ReferencePickler`` is the C pickler with one hook, which is called for everything but exact builtin data. It
gives up at the first thing that cannot go by reference, and the whole value is packed again by
``ValuePickler``, which is cloudpickle with the same rules on top. Most values never need the second one, and
it costs ten times as much.

Both are made for one value and thrown away. Leans on references, refusals, exceptions, and cloudpickle.
"""

import collections
import pickle
import sys
import types
import typing
import weakref
from types import FunctionType, ModuleType
from typing import Any, Final

import cloudpickle
from cloudpickle import cloudpickle as cloudpickle_internals

from corps.packing.code_sent import CodeSent, restore_defined
from corps.packing.exceptions import reduce_exception
from corps.packing.references import is_importable, reduce_by_reference, reduce_standard_stream
from corps.packing.refusals import refuse_if_hopeless

PROTOCOL: Final = 5

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
        typing.TypeVar,
        weakref.WeakSet,
        type({}.keys()),
        type({}.values()),
        type({}.items()),
        type(collections.OrderedDict().keys()),
        type(collections.OrderedDict().values()),
        type(collections.OrderedDict().items()),
    }
)


class NeedsByValue(Exception):
    """The value holds something that cannot go by reference; it has to be packed by a ValuePickler."""


class ReferencePickler(pickle.Pickler):
    """Packs what can be built from importable names; stops with NeedsByValue at anything else.

    Attributes:
        main_alias: The name under which other processes know this process' ``__main__``.
    """

    main_alias: str | None = None

    def reducer_override(self, obj: Any) -> Any:
        """Called by the C pickler for each object that is not exact builtin data.

        Raises:
            NeedsByValue: The object cannot go by reference.
        """
        kind = type(obj)
        if kind is FunctionType or issubclass(kind, type):
            reduced = reduce_by_reference(obj, self.main_alias)
            if reduced is None:
                raise NeedsByValue
            return reduced
        if kind in _ONLY_BY_VALUE:
            raise NeedsByValue
        if issubclass(kind, BaseException):
            return reduce_exception(obj)
        return reduce_standard_stream(obj)


class ValuePickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle hides the base from mypy
    """Cloudpickle under the rules of this package: the same references, the same refusals.

    Attributes:
        main_alias: The name under which other processes know this process' ``__main__``.
        sent: What the reader has by value already; None if nothing is known of it.
        numbered: What went by number in this value.
    """

    main_alias: str | None = None
    sent: CodeSent | None = None
    numbered: dict[int, Any]

    def reducer_override(self, obj: Any) -> Any:
        """Called by the C pickler for each object that is not exact builtin data.

        Raises:
            Refusal: The object is of a kind that is never packed.
            AllByValue: The value has to be packed without regard to what was sent.
        """
        kind = type(obj)
        if kind is FunctionType or issubclass(kind, type):
            reduced = reduce_by_reference(obj, self.main_alias)
            if reduced is not None:
                return reduced
            number = None if self.sent is None else self.sent.number_of(obj)
            # Two functions of the same contents have the same number. In one value they stay two: they may be
            # keys of a dict.
            if number is None or self.numbered.setdefault(number, obj) is not obj:
                return self._reduce_by_value(obj)
            return restore_defined, (number,)
        if issubclass(kind, BaseException):
            return reduce_exception(obj)
        refuse_if_hopeless(obj)
        return reduce_standard_stream(obj)

    def _reduce_by_value(self, thing: Any) -> Any:
        reduced = super().reducer_override(thing)
        module = sys.modules.get(getattr(thing, "__module__", None) or "")
        if reduced is not NotImplemented or module is None or is_importable(module):
            return reduced
        # Cloudpickle takes a place in sys.modules as proof that a module can be imported elsewhere. For
        # modules made by hand it cannot be talked out of it but by a registry that is global to the process,
        # so its two ways by value are called directly.
        if isinstance(thing, FunctionType):
            return self._dynamic_function_reduce(thing)
        return cloudpickle_internals._dynamic_class_reduce(thing)
