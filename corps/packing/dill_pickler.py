"""The pickler of the codec "dill": dill under the rules of this package.

Importing dill takes 60 ms, twice as much as cloudpickle, and adds dill's types to the pure-Python pickler of
the standard library. Only applications that choose this codec shall have that. So this is a file of its own,
and the packer imports it only when it is made for dill.

Functions, classes and enums go in the way of this package. dill adds the other kinds that it knows and
cloudpickle does not. Where dill would quietly copy what cannot be copied (open files, locks), the refusals of
this package hold.
"""

from typing import Any, BinaryIO, Final

import dill

from corps.packing.by_value import ByValue
from corps.packing.picklers import PROTOCOL, reduce_rest
from corps.packing.plain import ATOMS
from corps.packing.references import reduce_standard_stream
from corps.packing.refusals import refuse_if_hopeless

_PLAIN: Final = ATOMS | {list, dict, tuple, set, frozenset, bytearray}


class DillPickler(dill.Pickler):  # type: ignore[misc]  # dill is not typed
    """Dill with this package's references and refusals. Made for one value and thrown away."""

    def __init__(self, file: BinaryIO, by_value: ByValue, buffer_callback: Any = None) -> None:
        # All settings are given, because dill's defaults are global.
        super().__init__(file, PROTOCOL, byref=False, fmode=0, recurse=True, buffer_callback=buffer_callback)
        self._by_value = by_value

    def reducer_override(self, obj: Any) -> Any:
        """Reduce an object before dill's own rules. The pure-Python pickler calls it for every object."""
        kind = type(obj)
        if kind in _PLAIN:
            return NotImplemented
        reduced = self._by_value.reduce(obj)
        if reduced is not NotImplemented or issubclass(kind, type):
            return reduced
        if kind in self.dispatch and not issubclass(kind, BaseException):
            refuse_if_hopeless(obj)
            if kind.__module__ == "numpy" and kind.__qualname__ == "ndarray":
                # dill has a way of its own for arrays, which copies them into the body.
                return obj.__reduce_ex__(PROTOCOL)
            return reduce_standard_stream(obj)
        return reduce_rest(obj, self._by_value.elsewhere)
