"""A failed call at whose Future no code has looked: the log says so, once, when the Future is garbage.

It costs nothing as long as calls succeed: only a Future that fails gets one of these, which is garbage with
it. Calls of the runtime itself are not logged, nor those that have certainly not run: they are dead letters.
"""

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from corps.addresses import is_runtimes_own
from corps.clock import now
from corps.errors import Cancelled
from corps.messages.outcomes import Outcome, Raised, Refused
from corps.messages.requests import ASKING, Request

if TYPE_CHECKING:
    from corps.runtime.env import Env

_log: Final = logging.getLogger("corps.futures")


class Unheard:
    """One failure, until it is looked at. Held by its Future alone."""

    __slots__ = ("_env", "_method", "_outcome", "_target", "is_heard")

    def __init__(self, env: "Env", request: Request, outcome: Outcome) -> None:
        self._env = env
        self._method = request.method
        self._target = request.target
        self._outcome = outcome
        self.is_heard = False
        env.expect_garbage()

    def __del__(self) -> None:
        if not self.is_heard and not self._env.closed:
            self._env.dropped.put(partial(_tell, self._env, self._method, str(self._target), self._outcome))


def unheard(request: Request | None, outcome: Outcome) -> Unheard | None:
    """Return what a Future that fails keeps of its request; None if this failure need not be logged."""
    if request is None or request.kind not in ASKING or is_runtimes_own(request.target.conc):
        return None
    env = getattr(request.route, "env", None)
    return None if env is None else Unheard(env, request, outcome)


def _tell(env: "Env", method: str, target: str, outcome: Outcome) -> None:
    """Log a failure. In the thread that does what has to follow when something is garbage."""
    failed = outcome.opened()
    if not isinstance(failed, Raised | Refused):
        return
    if isinstance(failed, Refused):
        error = failed.error
        if isinstance(error, Cancelled) or getattr(error, "executed", "unknown") == "no":
            return
    hidden = env.unheard.passes((target, method), now())
    if hidden is not None:
        others = f" ({hidden} more were not shown)" if hidden else ""
        how = failed.remote.traceback.rstrip() if isinstance(failed, Raised) else failed.error
        _log.warning(
            "%r of %s failed, and nobody has looked at its Future%s: %s", method, target, others, how
        )
