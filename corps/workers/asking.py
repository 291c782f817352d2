"""Requests from event loops that must not block, such as those of a web framework."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, overload

from corps.exporting import exported
from corps.runtime.calls.futures import Future
from corps.workers.names import Attribute, Method

R = TypeVar("R")
P = ParamSpec("P")


@overload
async def asking(what: Future[R], /) -> R: ...
@overload
async def asking(what: Callable[P, Future[R]], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
@exported
async def asking(what: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Ask a worker, and wait for its answer, in a coroutine of any event loop, which goes on meanwhile.

    If there is no room for the request, in the worker's mailbox or in the window of its Env, the coroutine
    waits for it. A plain call cannot wait on an event loop, and raises `Overloaded` then.

    Example:
        ``total = await corps.asking(counter.add, 3)``. Many at once: ``await asyncio.gather(*[
        corps.asking(counter.add, n) for n in numbers])``.

    Args:
        what: A method of a Name, a data attribute, or a Future to wait for.
        *args: Arguments of the method.
        **kwargs: Its keyword arguments.

    Returns:
        What the method returned.

    Raises:
        RequestError: The request failed. The class of the error says how, its `executed` whether it ran.
        Overloaded: There was no room for the request in time (setting `send_timeout`).
        PackError: The worker lives in another Env, and an argument cannot be packed.
        TypeError: `what` is neither a method of a Name nor a Future.
    """
    if isinstance(what, Method):
        return await (await what._ask_when_room(*args, **kwargs))
    if not isinstance(what, Future) or args or kwargs:
        raise TypeError(
            f"corps.asking({what!r:.200}, ...): give a method of a Name with its arguments, as in `await "
            "corps.asking(name.method, 1)`, or one Future and nothing more"
        )
    if isinstance(what, Attribute):
        await what.begin_when_room()
    return await what
