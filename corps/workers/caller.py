"""Who calls: for a method that wants to know."""

from corps.errors import ContextError
from corps.messages.callers import Caller, own_caller
from corps.messages.requests import ASKING, PULL
from corps.runtime.context import acting


def caller() -> Caller:
    """Return who has sent the request that the calling method answers.

    The runtime says it, by the key that the Env of the sender has proved, and not the sender. Ask before the
    method has handed its work to a thread or task of its own.

    Returns:
        The caller.

    Raises:
        ContextError: No request is being answered here, as in a constructor, or in a thread of the author's.
    """
    here = acting()
    request = None if here is None else here.request
    if here is None or request is None or (request.kind not in ASKING and request.kind is not PULL):
        raise ContextError("corps.caller() tells who has sent a request, and none is being answered here")
    known: Caller | None = getattr(request, "caller", None)
    if known is not None:
        return known
    return own_caller("" if request.sender is None else request.sender.corps)
