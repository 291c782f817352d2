"""`corps.starmap`, `imap_unordered`, `filter` and `reduce`: what else a function over many items can mean."""

import builtins
import functools
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar, Unpack

from corps.exporting import exported
from corps.parallel.mapping import Asking, Errors, How, Results, together
from corps.parallel.place import Place
from corps.runtime.calls.futures import Future

T = TypeVar("T")
R = TypeVar("R")

_HELD: Final = 1024  # parts that are kept before they are combined
_TOGETHER: Final = 16  # parts that a worker combines at once


class _Nothing:
    """What stands for an initial value that was not given."""


_NOTHING: Final = _Nothing()


@exported
def starmap(
    fn: Callable[..., R | Future[R]],
    xs: Iterable[Iterable[Any]],
    /,
    *,
    ordered: bool = True,
    errors: Errors = "raise",
    **how: Unpack[How],
) -> Results[R]:
    """Do as `corps.map` with ``fn(*x)`` for each item.

    Args:
        fn: See `corps.map`, as for all that follows.
        xs: The items, each of which holds the arguments of a call.
        ordered: Whether results come in the order of the items.
        errors: ``"raise"`` or ``"return"``.
        **how: `chunk`, `at_once`, `idempotent` and `progress`; see `corps.map`.

    Returns:
        The iterator.

    Raises:
        CorpsError: As `corps.map`.
    """
    return Asking("starmap", "starmap", fn, how, ordered=ordered, errors=errors).start(xs)


@exported
def imap_unordered(
    fn: Callable[..., R | Future[R]],
    xs: Iterable[Any],
    /,
    *more: Iterable[Any],
    errors: Errors = "raise",
    **how: Unpack[How],
) -> Results[R]:
    """Do as `corps.map` and give the results as they are ready.

    Args:
        fn: See `corps.map`, as for all that follows.
        xs: The items.
        *more: Further iterables.
        errors: ``"raise"`` or ``"return"``.
        **how: `chunk`, `at_once`, `idempotent` and `progress`; see `corps.map`.

    Returns:
        The iterator.

    Raises:
        CorpsError: As `corps.map`.
    """
    kind = "starmap" if more else "map"
    return Asking("imap_unordered", kind, fn, how, ordered=False, errors=errors).start(together(xs, more))


@exported
def filter(  # as the builtin, which it stands beside as `corps.filter`
    pred: Callable[[T], Any],
    xs: Iterable[T],
    /,
    *,
    ordered: bool = True,
    errors: Errors = "raise",
    **how: Unpack[How],
) -> Results[T]:
    """Iterate over the items for which a function returns what is true; the items do not travel back.

    Args:
        pred: The function; see `corps.map`, as for all that follows.
        xs: The items.
        ordered: Whether they come in their order.
        errors: ``"raise"``, or ``"return"`` for the error in the place of the item.
        **how: `chunk`, `at_once`, `idempotent` and `progress`; see `corps.map`.

    Returns:
        The iterator.

    Raises:
        CorpsError: As `corps.map`.
    """
    return Asking("filter", "filter", pred, how, ordered=ordered, errors=errors).start(xs)


@exported
def reduce(
    op: Callable[[Any, Any], Any],
    xs: Iterable[Any],
    initial: Any = _NOTHING,
    /,
    *,
    associative: bool = True,
    **how: Unpack[How],
) -> Any:
    """Combine all items to one value, as `functools.reduce` does, in all Envs.

    Each worker combines neighbours, and then what came of them, in a tree. The order stays, so ``op`` need
    not be commutative. But it has to be associative: ``op(op(a, b), c)`` equals ``op(a, op(b, c))``.

    Args:
        op: A function of two values.
        xs: The items.
        initial: Stands before the first item; what is returned if there is no item.
        associative: False: ``op`` is not, so all is combined one by one, by the calling thread.
        **how: `chunk`, `at_once`, `idempotent` and `progress`; see `corps.map`.

    Returns:
        The value.

    Raises:
        TypeError: There is no item and no `initial`; or as `corps.map`.
        CorpsError: As `corps.map`.
    """
    asking = Asking("reduce", "reduce", op, how)
    first = () if initial is _NOTHING else (initial,)
    if not associative:
        return functools.reduce(op, xs, *first)
    place = asking.find_place()
    try:
        return functools.reduce(op, _parts(asking, xs, place), *first)
    finally:
        place.end()


def _parts(asking: Asking, xs: Iterable[Any], place: Place) -> list[Any]:
    """Combine neighbours until few parts are left."""
    here = place.borrowed()
    parts: list[Any] = []
    with asking.start(xs, here) as results:
        for part in results:
            parts.append(part)
            if len(parts) >= _HELD:
                parts = _combined(asking, parts, here)
    while len(parts) > _TOGETHER:
        parts = _combined(asking, parts, here)
    return parts


def _combined(asking: Asking, parts: list[Any], place: Place) -> list[Any]:
    with asking.in_chunks_of(_TOGETHER).start(parts, place) as results:
        return builtins.list(results)
