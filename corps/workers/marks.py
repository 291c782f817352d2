"""Methods that say what may run beside them, and who may call them."""

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, Literal, TypeVar

from corps.errors import DefinitionError
from corps.exporting import exported

F = TypeVar("F", bound=Callable[..., Any])

_MARK: Final = "_corps_beside"
_PUBLIC: Final = "_corps_public"


@exported
def interleave(method: F, /) -> F:
    """Declare that an ``async def`` method lets other coroutines of its worker run while it awaits.

    It may begin while any other ``async def`` method of the worker awaits, and they may begin while it
    awaits, but for those that are `readonly`. It overtakes requests for other methods that wait, because they
    may wait for just that. Plain methods run alone. To let all ``async def`` methods of a
    class run beside each other, set ``interleave = True`` in the class.

    Args:
        method: The method.

    Returns:
        The method.

    Raises:
        DefinitionError: It is no ``async def`` method, or is declared `readonly`.
    """
    if not inspect.iscoroutinefunction(method):
        raise DefinitionError(f"interleave is for `async def` methods of a class: {method!r} is none")
    return _marked(method, "interleaving")


@exported
def readonly(method: F, /) -> F:
    """Declare that a method changes nothing, so that it may run beside others that change nothing.

    Plain methods then run on several threads at once, as many as `threads.max` allows. A method without this
    mark never runs beside them. The author answers for it: nothing checks what the method does.

    Args:
        method: The method, plain or ``async def``.

    Returns:
        The method.

    Raises:
        DefinitionError: It is no function, or is declared to `interleave`.
    """
    if not isinstance(method, FunctionType):
        raise DefinitionError(f"readonly is for methods of a class: {method!r} is none")
    return _marked(method, "reading")


@exported
def public(method: F, /) -> F:
    """Declare that Corps of other owners may call a method.

    To declare all methods of a class so, set ``public = True`` in the class. What its type hints declare says
    how its arguments and its result travel; without hints they are plain data. `corps.allow` says who may.
    The mark changes nothing for callers of the same owner.

    Args:
        method: The method.

    Returns:
        The method.

    Raises:
        DefinitionError: It is no method, or its name begins with an underscore.
    """
    raw = getattr(method, "__func__", method)
    if not callable(raw) or isinstance(raw, type) or getattr(raw, "__name__", "_").startswith("_"):
        raise DefinitionError(f"public is for methods that others can call: {method!r} is none")
    setattr(raw, _PUBLIC, True)
    return method


def is_marked_public(method: Any) -> bool:
    """Return whether a method of a class is marked `public`."""
    return getattr(getattr(method, "__func__", method), _PUBLIC, False) is True


def _marked(method: F, mark: Literal["interleaving", "reading"]) -> F:
    if mark_of(method) not in (None, mark):
        raise DefinitionError(f"{method!r} is declared both interleave and readonly: decide for one")
    setattr(method, _MARK, mark)
    return method


def mark_of(method: Any) -> Literal["interleaving", "reading"] | None:
    """Return how a method of a class is marked; None if it is not."""
    mark: Literal["interleaving", "reading"] | None
    mark = getattr(getattr(method, "__func__", method), _MARK, None)
    return mark
