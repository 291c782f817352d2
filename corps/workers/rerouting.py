"""A request to any of several workers: one that did not begin goes to another of them by itself."""

from threading import Lock
from typing import Any, Final

from corps.addresses import ConcAddr
from corps.errors import EnvLost, RequestError, WorkerGone
from corps.messages.outcomes import Outcome, Refused
from corps.messages.requests import CALL, Request
from corps.runtime.calls.futures import Future
from corps.runtime.calls.retrying import CHANCE, FIRST_DELAY, Retrying
from corps.runtime.env import Env
from corps.supervision.restarts import spread
from corps.workers.routes import Route
from corps.workers.routing import How, key_of

_AT_ONCE: Final = 4  # further tries without a delay ...
_TRIES: Final = 20  # ... and how many there are at most: 14 seconds
_LONGEST: Final = 1.0  # seconds between two tries


class Rerouting(Retrying):
    """One request of a caller, for any worker of a group. Thread-safe.

    What has certainly not begun, because the process or the worker that had it is gone, is sent to another
    worker of the group. What had begun fails, unless its method is idempotent.
    """

    __slots__ = ("_how", "_is_lost", "_key", "_lock", "_member", "_moves", "_route")

    def __init__(
        self,
        env: Env,
        future: Future[Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        retries: int,
        route: Route,
        how: How,
        key: bytes | None,
    ) -> None:
        """Make it for a request that is about to be sent."""
        super().__init__(env, future, args, kwargs, retries)
        self._route = route
        self._how = how
        self._key = key
        self._moves = 0
        self._is_lost = False  # the Env of the last worker
        self._lock = Lock()  # protects _member
        self._member: ConcAddr | None = None  # that counts the request as under way

    def first_target(self) -> ConcAddr | None:
        """Return the worker that gets the request first; None if the group has none."""
        member = self._take(None)
        if member is not None:
            self.future.when_settled(lambda _: self._give_back())
        return member

    def _take(self, but: ConcAddr | None) -> ConcAddr | None:
        member = self._route.take(self._how, self._key, but, is_lost=self._is_lost)
        with self._lock:
            self._member = member
        return member

    def _give_back(self) -> None:
        with self._lock:
            member, self._member = self._member, None
        if member is not None:
            self._route.give_back(member)

    def tried(self, outcome: Outcome) -> bool:
        """See `Retrying.tried`."""
        self._give_back()
        return super().tried(outcome)

    def _is_worth_it(self, error: RequestError) -> bool:
        request = self.future.request
        if error.executed != "no" or not isinstance(error, EnvLost | WorkerGone) or request is None:
            return super()._is_worth_it(error)
        self._is_lost = isinstance(error, EnvLost)
        return not self._env.closed and self._moves < _TRIES and self._has_hope(request.target)

    def _has_hope(self, but: ConcAddr) -> bool:
        return self._route.has_hope(but, is_scaled=self._how.is_scaled)

    def _delay(self, error: RequestError) -> float:
        if error.executed != "no":
            return super()._delay(error)
        self._moves += 1
        if self._moves <= _AT_ONCE:
            return 0.0
        return spread(min(FIRST_DELAY * 2 ** (self._moves - _AT_ONCE), _LONGEST), CHANCE)

    def _next_target(self, former: Request) -> ConcAddr | None:
        member = self._take(former.target)
        if self.future.done():  # at this very moment, and its callback may have come before
            self._give_back()
        return member


def ask_any(
    env: Env,
    route: Route,
    how: How,
    method: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    deadline: float | None,
    retries: int,
    future: Future[Any] | None = None,
) -> Future[Any]:
    """Make a request for one of several workers, for the caller to dispatch: it is that of the Future.

    Raises:
        ConfigError: The argument that decides cannot be a key.
    """
    key = key_of(how, method, args, kwargs)
    future = Future() if future is None else future
    rerouting = Rerouting(env, future, args, kwargs, retries, route, how, key)
    target = rerouting.first_target()
    if target is None:
        group = str(route.addr)
        text = f"the group {group} has no worker now: its Mgr has ended, or its Envs have gone"
        future.settle(Refused(WorkerGone(text, executed="no", target=group)))
        return future
    try:
        env.ask(CALL, target, method, args, kwargs, deadline, future, is_held=True)
    except BaseException:
        future.cancel()
        raise
    if future.request is not None:  # else it was too late already
        future.request.promise = rerouting.next_try()
    return future
