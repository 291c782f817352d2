"""Methods that may run twice without harm, and so may be sent again."""

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, TypeVar, overload

from corps.errors import DefinitionError

F = TypeVar("F", bound=Callable[..., Any])

_MARK: Final = "_corps_retries"


@overload
def idempotent(method: F, /) -> F: ...


@overload
def idempotent(*, retries: int = 3) -> Callable[[F], F]: ...


def idempotent(method: F | None = None, /, *, retries: int = 3) -> F | Callable[[F], F]:
    """Say of a method that running it twice does what running it once does: so it may be sent again.

    When the process of its worker dies, or the incarnation that runs it ends, before the answer has come, the
    request is sent again by the Env that asks, within its deadline, after 50 ms, 100 ms, and so on. Its
    caller sees one answer. Its arguments must not be changed before that.

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
    """How often requests for a method are sent again.

    Args:
        method: As its class holds it.
    """
    retries: int = getattr(getattr(method, "__func__", method), _MARK, 0)
    return retries
