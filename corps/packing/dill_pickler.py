"""The pickler of the codec "dill": dill under the rules of this package.

A file of its own because importing dill takes 60 ms, twice as much as cloudpickle, and adds dill's types to
the pure-Python pickler of the standard library: only applications that choose this codec shall have that. The
packer imports this file when it is made for dill, and not before.

What dill adds to "pickle" is its own way of taking functions and classes apart. Where dill would quietly copy
what cannot be copied (open files, locks), the refusals of this package hold.
"""

from types import FunctionType
from typing import Any, BinaryIO

import dill

from corps.packing.exceptions import reduce_exception
from corps.packing.picklers import PROTOCOL
from corps.packing.references import reduce_by_reference, reduce_standard_stream
from corps.packing.refusals import refuse_if_hopeless


class DillPickler(dill.Pickler):  # type: ignore[misc]  # dill is not typed
    """Dill with this package's references and refusals. Made for one value and thrown away.

    Args:
        file: Takes the bytes.
        main_alias: The name under which other processes know this process' ``__main__``.
        buffer_callback: As for any pickler.
    """

    def __init__(self, file: BinaryIO, main_alias: str | None, buffer_callback: Any = None) -> None:
        # recurse: of a function's globals only those that it uses. Otherwise dill names the reader's whole
        # __main__, which is another program there. All settings are given, since dill's defaults are global.
        super().__init__(file, PROTOCOL, byref=False, fmode=0, recurse=True, buffer_callback=buffer_callback)
        self._main_alias = main_alias

    def reducer_override(self, obj: Any) -> Any:
        """Called by the pure-Python pickler for every object, before dill's own rules.

        Raises:
            Refusal: The object is of a kind that is never packed.
        """
        kind = type(obj)
        if kind is FunctionType or issubclass(kind, type):
            reduced = reduce_by_reference(obj, self._main_alias)
            return NotImplemented if reduced is None else reduced
        if issubclass(kind, BaseException):
            return reduce_exception(obj)
        refuse_if_hopeless(obj)
        if kind.__module__ == "numpy" and kind.__qualname__ == "ndarray":
            # dill has a way of its own for arrays, which copies them into the body.
            return obj.__reduce_ex__(PROTOCOL)
        return reduce_standard_stream(obj)
