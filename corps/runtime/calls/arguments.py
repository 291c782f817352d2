"""Futures as arguments: a request waits here, at its caller, until what they give is there.

Only then it is sent, with their values in their place. So it begins no earlier, it takes no room meanwhile,
and its worker goes on with other requests. If one of them fails, the request fails with that error, and has
not been executed.
"""

from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import replace
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Any

from corps.errors import CorpsError, RequestError
from corps.messages.outcomes import Outcome, Raised, Refused
from corps.messages.requests import WITHDRAWN, Request, Route
from corps.runtime.calls import caller_side
from corps.runtime.calls.futures import Future, by_others
from corps.runtime.context import Activity, current

if TYPE_CHECKING:
    from corps.runtime.env import Env


def is_future(value: object) -> bool:
    """Return whether an argument is the answer to a request, and no promise that an author settles."""
    kind = type(value)  # and not its `__class__`, which a proxy may answer by code of its author
    return issubclass(kind, Future) and not kind.is_authors


def await_arguments(env: "Env", request: Request, send: Callable[[Request], object] | None = None) -> bool:
    """Have a request, which was made and not sent yet, sent when the values of its arguments are there.

    Return False if none is missing: then they are in their places, and the caller sends it. `send` is by
    default `Env.dispatch`, whose errors it raises if all are there.
    """
    parts = tuple(filter(is_future, chain(request.args, request.kwargs.values())))
    if not parts:
        return False
    send = send or env.dispatch
    # Of these an author has the values already, and the call gets them as they are now.
    opened = {id(each) for each in parts if each.outcome is not None and _lender(each.outcome) is None}
    if all(each.done() for each in parts):
        filled = _fill_in(env, request, parts, opened)
        if filled == []:
            return False
        if isinstance(filled, list) and env.peers is not None and env.may_wait_for_room():
            with env.peers.lending(filled):
                send(request)
            return True
    request.errands = env.errands
    by_others(env.errands, AwaitedArguments(env, request, parts, opened, send).begin)
    return True


def _fill_in(
    env: "Env", request: Request, parts: Sequence[Future[Any]], opened: Collection[int]
) -> Outcome | list[Any]:
    """Put the values in their places; return buffers that may be lent, or the error of an argument."""
    # `opened` are the ids of those whose values an author had before the call.
    for part in parts:
        if part.outcome is not None and part.outcome.failed:
            return _not_executed(part.outcome)
    buffers: list[Any] = []
    values: dict[int, Any] = {}
    for part in parts:
        if id(part) in values:
            continue
        is_here = request.target.env == env.id and request.target.corps == env.corps_id
        is_lent = not is_here and id(part) not in opened
        lent = _lent(part) if is_lent else None
        if lent is not None:
            values[id(part)] = lent[0]
            buffers += lent[1]
        elif part.failure() is None:
            values[id(part)] = part.result()
        elif part.outcome is not None:  # it cannot be unpacked
            return _not_executed(part.outcome)
    request.args = tuple(values.get(id(each), each) for each in request.args)
    request.kwargs = {key: values.get(id(each), each) for key, each in request.kwargs.items()}
    note = getattr(request.promise, "note_arguments", None)
    if note is not None:  # it is sent again if its worker dies
        note(request.args, request.kwargs)
    return buffers


class AwaitedArguments(Route):
    """The arguments of one request that are not there yet: its route until it is sent. Thread-safe."""

    readers = None
    incarnation = 0
    request = None
    """As the search for circles sees it: this is no request, but has parts."""

    def __init__(
        self,
        env: "Env",
        request: Request,
        parts: "tuple[Future[Any], ...]",
        opened: Collection[int],
        send: Callable[[Request], object],
    ) -> None:
        """Wait for nothing yet."""
        self._env = env
        self._request = request
        self._send = send
        self.parts = parts
        self._opened = opened
        # Protects _missing and _is_over, and makes sending and taking back exclude each other.
        self._lock = Lock()
        self._missing = len(self.parts)
        self._is_over = False  # it is sent now, or will never be

    def begin(self) -> None:
        """Wait for all of them."""
        request = self._request
        self._env.awaiting[self] = None
        request.relayed = self
        request.route = self  # from here on it can be given up
        for part in self.parts:
            part.is_argument = True
            _keep(part)  # it may be here already
            part.when_settled(self._came)
        if request.promise.done():  # it was given up at this very moment
            self.take_back(request)

    def _came(self, part: Future[Any]) -> None:
        outcome = part.outcome
        has_failed = outcome is not None and outcome.failed
        if has_failed:
            part.hear()  # the caller of the request will look at it, or will not
        else:
            _keep(part)
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
            filled = _fill_in(env, request, self.parts, self._opened)
            if not isinstance(filled, list):
                env.letters.settle(request, filled)
            elif filled and env.peers is not None:
                with env.peers.lending(filled):
                    self._send(request)
            else:
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


def _lent(part: Future[Any]) -> tuple[Any, Sequence[Any]] | None:
    """Return the value of a Future, and its buffers, if these may be sent on without a copy; else None."""
    lender = _lender(part.received or part.outcome)
    return None if lender is None else lender()


def _keep(part: Future[Any]) -> None:
    """Keep the outcome of a Future as it came from another Env, if it is there and was not opened."""
    outcome = part.outcome
    reserve = getattr(outcome, "reserve", None)
    if part.received is None and reserve is not None and reserve():
        part.received = outcome


def _lender(outcome: Outcome | None) -> Any:
    """Return what lends the buffers of an outcome that came from another Env, and was not opened."""
    return getattr(outcome, "lend", None)


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
