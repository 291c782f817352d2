"""Methods that may run twice without harm, and so may be sent again."""

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, TypeVar, overload

from corps.errors import DefinitionError
from corps.exporting import exported

F = TypeVar("F", bound=Callable[..., Any])

_MARK: Final = "_corps_retries"


@overload
def idempotent(method: F, /) -> F: ...


@overload
def idempotent(*, retries: int = 3) -> Callable[[F], F]: ...


@exported
def idempotent(method: F | None = None, /, *, retries: int = 3) -> F | Callable[[F], F]:
    """Declare that running a method twice does what running it once does. So it may be sent again.

    If the worker's process dies, or the incarnation that runs the request ends, before the answer has come,
    the Env that asks sends the request again: within its deadline, after 50 ms, 100 ms, and so on. The caller
    sees one answer, and must not change the arguments before that.

    A request that was running when three processes died is not sent again: it fails with `PoisonRequest`.

    Args:
        method: The method, where it decorates without parentheses.
        retries: How often it is sent again at most.

    Returns:
        A decorator for methods; or the method.

    Raises:
        DefinitionError: `retries` is not a number from 1, or what is decorated is no function.
    """
    if type(retries) is not int or retries < 1:
        raise DefinitionError(f"idempotent(retries={retries!r}): wants how often to send it again, from 1")

    def mark(method: F) -> F:
        if not isinstance(method, FunctionType):
            raise DefinitionError(f"idempotent() is for methods of a class: {method!r} is none")
        setattr(method, _MARK, retries)
        return method

    return mark if method is None else mark(method)


def retries_of(method: Any) -> int:
    """Return how often requests for a method of a class are sent again."""
    retries: int = getattr(getattr(method, "__func__", method), _MARK, 0)
    return retries
