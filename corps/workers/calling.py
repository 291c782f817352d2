"""Requests with types: `ask` reads like the call itself, `call` names the method and its arguments."""

from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from corps.exporting import exported
from corps.runtime.calls.futures import Future
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
@exported
def call(name: Name[Any], method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
    """Call ``name.method(*args, **kwargs)`` with types: checkers know the arguments and the result.

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


@overload
def ask(name: Name[T], request: Callable[[T], Coroutine[Any, Any, R]], /) -> Future[R]: ...
@overload
def ask(name: Name[T], request: Callable[[T], AsyncIterator[Y]], /) -> Future[RemoteIterator[Y]]: ...
@overload
def ask(name: Name[T], request: Callable[[T], Iterator[Y]], /) -> Future[RemoteIterator[Y]]: ...
@overload
def ask(name: Name[T], request: Callable[[T], R], /) -> Future[R]: ...
@exported
def ask(name: Name[Any], request: Callable[[Any], Any], /) -> Future[Any]:
    """Make one request, with types: editors complete it, and checkers know its arguments and its result.

    Example:
        ``corps.ask(counter, lambda c: c.add(3))`` is a ``Future[int]``, and so is
        ``corps.ask(counter, lambda c: c.value)``. A method that yields gives a ``Future[RemoteIterator]``.
        mypy knows what it yields if the method is annotated with an Iterator or an AsyncIterator. pyright
        knows it with a Generator too.

    Args:
        name: The worker.
        request: A function that `ask` calls at once with the Name. It makes one request and returns its
            result.

    Returns:
        The Future of the answer.

    Raises:
        TypeError: `request` returned something else than one request of a Name.
        NoSuchMethod: The worker's class has no public method of that name.
        PackError: The worker lives in another Env, and an argument cannot be packed.
        Overloaded: There was no room for the request in time.
    """
    future = request(name)
    if not isinstance(future, Future):
        raise TypeError(
            f"corps.ask({name!r}, ...): the function gave {future!r:.200}: let it make one request and "
            "return that, as in `lambda worker: worker.method(1)`"
        )
    return future
