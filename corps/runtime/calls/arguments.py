"""Futures as arguments: a request waits here, at its caller, until what they give is there.

Only then it is sent, with their values in their place. So it begins no earlier, it takes no room meanwhile,
and its worker goes on with other requests. If one of them fails, the request fails with that error, and has
not been executed.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

from corps.errors import CorpsError, RequestError
from corps.messages.outcomes import Outcome, Raised, Refused
from corps.messages.requests import WITHDRAWN, Request, Route
from corps.runtime.calls import caller_side
from corps.runtime.calls.futures import Future, by_others
from corps.runtime.context import Activity, current

if TYPE_CHECKING:
    from corps.runtime.env import Env

Arguments: TypeAlias = tuple[Any, ...]
Keywords: TypeAlias = dict[str, Any]


def is_future(value: object) -> bool:
    """Return whether an argument is the answer to a request, and no promise that an author settles."""
    kind = type(value)  # and not its `__class__`, which a proxy may answer by code of its author
    return issubclass(kind, Future) and not kind.is_authors


def filled_in(args: Arguments, kwargs: Keywords) -> tuple[Arguments, Keywords] | None:
    """Put values in the places of Futures; None if one of them is not there yet, or has failed."""
    for each in filter(is_future, chain(args, kwargs.values())):
        if not each.done() or each.failure() is not None:
            return None
    filled = tuple(each.result() if is_future(each) else each for each in args)
    return filled, {key: each.result() if is_future(each) else each for key, each in kwargs.items()}


def await_arguments(env: "Env", request: Request, send: Callable[[Request], object] | None = None) -> bool:
    """Have a request, which was made and not sent yet, sent when the values of its arguments are there.

    Return False if none is missing: then they are in their places, and the caller sends it.
    `send` is by default `Env.dispatch`.
    """
    if not any(map(is_future, chain(request.args, request.kwargs.values()))):
        return False
    filled = filled_in(request.args, request.kwargs)
    if filled is not None:
        _take(request, *filled)
        return False
    request.errands = env.errands
    by_others(env.errands, AwaitedArguments(env, request, send or env.dispatch).begin)
    return True


def _take(request: Request, args: Arguments, kwargs: Keywords) -> None:
    request.args, request.kwargs = args, kwargs
    note = getattr(request.promise, "note_arguments", None)
    if note is not None:  # it is sent again if its worker dies
        note(args, kwargs)


class AwaitedArguments(Route):
    """The arguments of one request that are not there yet: its route until it is sent. Thread-safe."""

    readers = None
    incarnation = 0
    request = None
    """As the search for circles sees it: this is no request, but has parts."""

    def __init__(self, env: "Env", request: Request, send: Callable[[Request], object]) -> None:
        """Wait for nothing yet."""
        self._env = env
        self._request = request
        self._send = send
        given = chain(request.args, request.kwargs.values())
        self.parts: tuple[Future[Any], ...] = tuple(filter(is_future, given))
        # Protects _missing and _is_over, and makes sending and taking back exclude each other.
        self._lock = Lock()
        self._missing = len(self.parts)
        self._is_over = False  # it is sent now, or will never be

    def begin(self) -> None:
        """Wait for all of them."""
        request = self._request
        request.route, request.relayed = self, self
        self._env.awaiting[self] = None
        for part in self.parts:
            part.when_settled(self._came)
        if request.promise.done():  # it was given up at this very moment
            self.take_back(request)

    def _came(self, part: Future[Any]) -> None:
        outcome = part.outcome
        has_failed = outcome is not None and outcome.failed
        if has_failed:
            part.hear()  # the caller of the request will look at it, or will not
        with self._lock:
            self._missing -= 1
            goes = not self._is_over and (not self._missing or has_failed)
            self._is_over = self._is_over or goes
        if not goes:
            return
        if self._env.closed:
            self.close()
        else:  # its arguments may have to be unpacked and packed, which may run an author's code
            self._env.pool.submit(self)

    def run(self) -> None:
        """Send the request, or settle it with the error of an argument. See `Runnable.run`."""
        env, request = self._env, self._request
        token = current.set(Activity(env, pooled=True))
        try:
            self._forget()
            failed = self._fill_in()
            if failed is not None:
                env.letters.settle(request, failed)
                return
            self._send(request)
        except CorpsError as error:  # PackError or Overloaded, which an ordinary call raises
            env.letters.settle(request, Refused(error))
        except BaseException as error:  # what an author's class raises when it is unpacked
            request.settle(Raised.capture(error, str(request.target)))
        finally:
            current.reset(token)
        route = request.route
        if route is not None and request.promise.done() and request.is_given_up:  # at this very moment
            route.take_back(request)
            route.withdraw(request)

    def _fill_in(self) -> Outcome | None:
        """Put the values in their places; return the outcome of the request if there is an error instead."""
        request = self._request
        filled = filled_in(request.args, request.kwargs)
        if filled is None:
            failed = next(each for each in self.parts if each.done() and each.failure() is not None)
            assert failed.outcome is not None
            return _not_executed(failed.outcome)
        _take(request, *filled)
        return None

    def _forget(self) -> None:
        self._request.relayed = None
        self._env.awaiting.pop(self, None)

    def take_back(self, request: Request) -> bool:
        """See `Route.take_back`."""
        with self._lock:
            is_ours = not self._is_over
            self._is_over = True
        if is_ours:
            request.stage = WITHDRAWN
            self._forget()
            for part in self.parts:
                part.remove_callback(self._came)
            return True
        route = request.route
        return route is not None and route is not self and route.take_back(request)

    def give_up(self, error: RequestError) -> bool:
        """Return False: a circle of waits ends at a worker that waits, and not here. See `Awaited`."""
        return False

    def close(self) -> None:
        """Settle the request, because the Env has closed."""
        with self._lock:
            self._is_over = True
        self._forget()
        self._env.letters.settle(self._request, caller_side.too_late(self._env, self._request.target))


def _not_executed(outcome: Outcome) -> Outcome:
    """Return the outcome of a request that never began, because an argument of it has failed like this."""
    outcome = outcome.opened()
    if isinstance(outcome, Raised):
        return Raised(replace(outcome.remote, executed="no", elapsed=None))
    assert isinstance(outcome, Refused)
    error = copy(outcome.error)
    error.__dict__["executed"] = "no"
    error.__dict__.pop("elapsed", None)
    return Refused(error)
