"""Calling a method with types."""

from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from corps.runtime.futures import Future
from corps.workers.iterators import RemoteIterator
from corps.workers.names import Name

T = TypeVar("T")
R = TypeVar("R")
Y = TypeVar("Y")
P = ParamSpec("P")


@overload
def call(  # before the others: a Name has any attribute, so checkers take it for an iterator too
    name: Name[T], method: Callable[Concatenate[T, P], Name[R]], /, *args: P.args, **kwargs: P.kwargs
) -> Future[Name[R]]: ...
@overload
def call(
    name: Name[T],
    method: Callable[Concatenate[T, P], Coroutine[Any, Any, R]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Future[R]: ...
@overload
def call(
    name: Name[T],
    method: Callable[Concatenate[T, P], Generator[Y, Any, Any]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> Future[RemoteIterator[Y]]: ...
@overload
def call(
    name: Name[T], method: Callable[Concatenate[T, P], AsyncIterator[Y]], /, *args: P.args, **kwargs: P.kwargs
) -> Future[RemoteIterator[Y]]: ...
@overload
def call(
    name: Name[T], method: Callable[Concatenate[T, P], R], /, *args: P.args, **kwargs: P.kwargs
) -> Future[R]: ...
def call(name: Name[Any], method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
    """``name.method(*args, **kwargs)`` with types: arguments and result are known to type checkers.

    Example:
        ``future = corps.call(counter, Counter.add, 3)`` is a ``Future[int]``.

    Args:
        name: The worker.
        method: The method, taken from its class.
        *args: Its arguments.
        **kwargs: Its keyword arguments.

    Returns:
        The Future of what the method returns.

    Raises:
        NoSuchMethod: The worker's class has no public method of that name.
        PackError: The worker lives in another Env, and an argument cannot be packed.
        Overloaded: There was no room for the request in time.
    """
    future: Future[Any] = getattr(name, method.__name__)(*args, **kwargs)
    return future
