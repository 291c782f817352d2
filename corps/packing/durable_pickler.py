"""The pickler of the durable form: by reference only, and with a list of all that it names.

A stored form outlives the code that wrote it. So it must not hold code, nor names that only the writer's
process knows: ``__main__`` is refused, and everything by value. The pickler lists what it names, so that a
reader can check the list before it runs anything.
"""

import pickle
from types import FunctionType
from typing import Any, Final

from corps.packing.exceptions import reduce_exception
from corps.packing.picklers import NAME_OF_NO_MODULE, PROTOCOL, module_of, own_reduction
from corps.packing.references import TYPES_OF_SINGLETONS, Elsewhere, is_of_a_file, reduce_to_name
from corps.packing.refusals import Reason, Refusal, refuse_if_hopeless

_NOWHERE: Final = Elsewhere()

_BY_VALUE: Final = Reason(
    "it cannot be imported by its name (it is a lambda, local, part of __main__ or of a module made by hand),"
    " and a stored form must not depend on code that may have moved when it is read",
    "define it at the top level of an importable module",
)


class Parts:
    """Take what a pickler writes, and copy no large buffers."""

    def __init__(self) -> None:
        # What was written. Buffers of the objects are theirs: a change of the objects changes them.
        self.parts: list[bytes | memoryview] = []

    def write(self, data: Any) -> int:
        """Take bytes, or a buffer of an object. The pickler calls it."""
        part = data if type(data) is bytes else memoryview(data).cast("B")
        self.parts.append(part)
        return len(part)


class DurablePickler(pickle.Pickler):
    """Pack one value for storage. Made for one value and thrown away."""

    def __init__(self, file: Parts) -> None:
        super().__init__(file, PROTOCOL)
        # ``"module:qualname"`` of everything that the bytes name, after ``dump``.
        self.names: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        """Reduce an object. The C pickler calls it for each object that is not exact builtin data."""
        kind = type(obj)
        if kind is FunctionType or issubclass(kind, type):
            if not _is_by_name(obj, obj.__module__, obj.__qualname__):
                raise Refusal(obj, _BY_VALUE)
            # Those are written as "the type of this instance", which names builtins:type and comes by here.
            if obj not in TYPES_OF_SINGLETONS:
                self.names.add(f"{obj.__module__}:{obj.__qualname__}")
            return NotImplemented
        refuse_if_hopeless(obj)
        reduced = reduce_exception(obj) if issubclass(kind, BaseException) else NotImplemented
        if reduced is NotImplemented:
            reduced = own_reduction(obj)
        # By a string the object is written as a name, past this hook (builtin functions, numpy ufuncs).
        if isinstance(reduced, str):
            module = module_of(obj, reduced)
            if not _is_by_name(obj, module, reduced):
                raise Refusal(obj, NAME_OF_NO_MODULE)
            self.names.add(f"{module}:{reduced}")
        return reduced


def _is_by_name(thing: Any, module: str, qualname: str) -> bool:
    # What an application loads from a path of its own, it can load again. The application itself is so, if
    # its file has a name that is no identifier.
    by_reference = reduce_to_name(thing, module, qualname, _NOWHERE) is NotImplemented
    return by_reference or is_of_a_file(thing, module, qualname)
