"""Requests that are sent again when who was to run them has died: those of idempotent methods."""

import random
from typing import Any, Final

from corps.clock import now
from corps.errors import EnvLost, PoisonRequest, RequestError, WorkerGone
from corps.messages.outcomes import Outcome, Refused
from corps.messages.requests import Request
from corps.runtime.futures import Future

_FIRST_DELAY: Final = 0.05  # seconds; doubled each time
_SPREAD: Final = 0.2
_POISONOUS: Final = 3  # processes that died while they ran it


class Retrying:
    """The promise of a request that may be sent again. Any thread may call.

    It is one request for its caller: one Future, one deadline. It is sent again, after a delay that doubles
    each time, when the process that had it has died, or when the incarnation that ran it has ended. What has
    three processes on its conscience is not.
    """

    __slots__ = ("_args", "_deaths", "_env", "_future", "_kwargs", "_left", "_tries")

    def __init__(
        self, env: Any, future: Future[Any], args: tuple[Any, ...], kwargs: dict[str, Any], retries: int
    ) -> None:
        """Make it for a request that is about to be sent.

        Args:
            env: The Env that sends it.
            future: Of its caller.
            args: Its positional arguments; they must not change before the answer.
            kwargs: Its keyword arguments.
            retries: How often it may be sent again.
        """
        self._env = env
        self._future = future
        self._args = args
        self._kwargs = kwargs
        self._left = retries
        self._tries = 0
        self._deaths = 0

    def done(self) -> bool:
        """See `Promise.done`."""
        return self._future.done()

    def settle(self, outcome: Outcome) -> bool:
        """See `Promise.settle`."""
        request = self._future.request
        if outcome.failed and request is not None:
            outcome = outcome.opened()
            if isinstance(outcome, Refused) and self._is_worth_it(outcome.error):
                if self._deaths >= _POISONOUS:
                    outcome = Refused(self._poison(request, outcome.error))
                else:
                    self._again_later(request)
                    return True
        return self._future.settle(outcome)

    def _is_worth_it(self, error: Exception) -> bool:
        if self._left <= 0 or not isinstance(error, EnvLost | WorkerGone):
            return False
        if isinstance(error, EnvLost):
            self._deaths += error.executed != "no"
            return True
        return error.executed != "no"  # else it has ended for good

    def _poison(self, request: Request, error: Exception) -> PoisonRequest:
        text = (
            f"{request.method!r} of {request.target} was running when {self._deaths} processes died: {error}"
        )
        executed = error.executed if isinstance(error, RequestError) else "unknown"
        return PoisonRequest(text, executed=executed, target=str(request.target))

    def _again_later(self, request: Request) -> None:
        self._left -= 1
        delay = _FIRST_DELAY * 2**self._tries * (1 + _SPREAD * (2 * random.random() - 1))  # noqa: S311 - no secret
        self._tries += 1
        self._env.alarms.at(now() + delay, lambda: self._again(request))

    def _again(self, former: Request) -> None:
        """In the alarm thread, which may not block: so it never waits for room."""
        if self._future.done():
            return
        request = Request(
            former.kind,
            former.target,
            former.method,
            self._args,
            self._kwargs,
            self,
            former.sender,
            former.deadline,
        )
        request.sent = former.sent  # it is one request for its caller
        self._future.request = request
        try:
            self._env.dispatch(request)
        except Exception as error:  # whoever waits must hear of it
            failure = (
                error if isinstance(error, RequestError) else RequestError(str(error), executed="unknown")
            )
            outcome = Refused(failure)
            request.note_time(outcome)
            self._future.settle(outcome)
