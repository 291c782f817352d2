"""Who calls: for a method that wants to know."""

from typing import Final

from corps.errors import ContextError
from corps.exporting import exported
from corps.messages.callers import Caller
from corps.messages.requests import AHEAD, ASKING, PULL, Kind, caller_of
from corps.runtime.context import acting

_OF_AUTHORS: Final[frozenset[Kind]] = ASKING | {PULL, AHEAD}  # kinds of requests that run an author's method


@exported
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
    if here is None or request is None or request.kind not in _OF_AUTHORS:
        raise ContextError("corps.caller() tells who has sent a request, and none is being answered here")
    return caller_of(request)
