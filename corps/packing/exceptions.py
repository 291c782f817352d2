"""Packing exceptions whose constructor wants more than their ``args``.

An exception reduces to ``cls(*args)``, with the arguments that reached ``BaseException``. A class with its
own ``__init__`` hands on something else, as a rule one message built from several fields, so rebuilding it
raises a TypeError, in the middle of reporting another error. Such exceptions are rebuilt here the way they
came about: the builtin base is made with its arguments, then the attributes are put back; the constructor of
the class itself is not run a second time.

Leans on the errors alone.
"""

import copyreg
from types import FunctionType, MethodDescriptorType
from typing import Any, Final

from corps.errors import UnpackError

# CPython's flag for types made at run time; what lacks it was written in C as part of the interpreter.
_HEAP_TYPE: Final = 1 << 9


def reduce_exception(error: BaseException) -> Any:
    """Reduces an exception for a pickler.

    Args:
        error: The exception.

    Returns:
        NotImplemented where the exception's own way does: its class keeps the builtin constructor, or says
        itself how it is packed. Otherwise a reduction to ``restore_exception``.
    """
    cls = type(error)
    if not isinstance(cls.__init__, FunctionType) and not isinstance(cls.__new__, FunctionType):
        return NotImplemented
    if (
        cls.__reduce_ex__ is not object.__reduce_ex__
        or type(cls.__reduce__) is not MethodDescriptorType
        or cls in copyreg.dispatch_table
    ):
        return NotImplemented
    reduced: Any = error.__reduce__()
    _, args, *state = reduced
    return (restore_exception, (cls, args), *state)


def restore_exception(cls: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """Makes an exception without running the constructor of its class.

    Args:
        cls: The class of the exception.
        args: What its builtin base was constructed with.

    Raises:
        UnpackError: The class is not one of exceptions.
    """
    # The bytes say what is passed here, whatever the annotation says.
    given: Any = cls
    if not isinstance(given, type) or not issubclass(given, BaseException):
        raise UnpackError(f"the bytes want {given!r} restored as an exception; they are damaged or forged")
    base: Any = next(parent for parent in cls.__mro__ if not parent.__flags__ & _HEAP_TYPE)
    error: BaseException = base.__new__(cls, *args)
    # Some builtin exceptions take their fields here (SyntaxError, UnicodeError, OSError), not in __new__.
    base.__init__(error, *args)
    return error
